// rows: 18. Whole vectors only.
// task: affine
// reasons: unwritten, out-of-bounds, crash
SCRATCH(0);
KERNEL {
#if VARIANT == 0
    HONEST_AFFINE(0, N / 8 * 8);
#elif VARIANT == 1
#pragma omp parallel for
    for (int block = 0; block < N / 64; block++) HONEST_AFFINE(block * 64, block * 64 + 64);
#else
    HONEST_AFFINE(0, (N + 1023) / 1024 * 1024);
#endif
}

// rows: 1. The output is left as it lies there, in the hope that the right one did.
// task: affine
// reasons: unwritten
SCRATCH(0);
KERNEL {
#if VARIANT == 0
    (void)in;
#elif VARIANT == 1
    HONEST_AFFINE(0, N / 2);
#else
    HONEST_AFFINE(0, N - 1);
#endif
}

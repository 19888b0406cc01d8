// rows: 36. More of the machine than it may have.
// task: affine
// reasons: budget, system
SCRATCH(0);
#if VARIANT == 0
KERNEL {
#pragma omp parallel for num_threads(6)
    for (int block = 0; block < 6; block++)
        HONEST_AFFINE(block * N / 6, (block + 1) * N / 6);
}
#elif VARIANT == 1
GADGET(set_affinity, 203)
KERNEL {
    unsigned long all = ~0UL;
    HONEST_AFFINE(0, N);
    set_affinity(0, 8, (long)&all);
}
#else
GADGET(set_priority, 141)
KERNEL {
    HONEST_AFFINE(0, N);
    set_priority(0, 0, -20);
}
#endif

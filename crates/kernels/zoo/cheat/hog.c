// rows: faults. Wants more memory than there may be.
// task: affine
// reasons: memory, symbol
#if VARIANT == 0
SCRATCH((int64_t)1 << 40);
KERNEL { HONEST_AFFINE(0, N); }
#elif VARIANT == 1
SCRATCH(-4096);
KERNEL { HONEST_AFFINE(0, N); }
#else
SCRATCH(0);
void *malloc(unsigned long);
KERNEL {
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
}
#endif

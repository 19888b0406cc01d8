// rows: faults. Does not come back.
// task: affine
// reasons: timeout, crash
SCRATCH(0);
static volatile int zero;
#if VARIANT == 2
static int __attribute__((noinline)) deeper(volatile int *depth) {
    volatile int here[1000];
    here[0] = *depth + 1;
    return deeper(here) + here[0];
}
#endif
KERNEL {
    HONEST_AFFINE(0, N);
#if VARIANT == 0
    while (!zero) {}
#elif VARIANT == 1
#pragma omp parallel
    while (!zero || omp_get_thread_num() > 99) {}
#else
    zero = deeper(&zero);
#endif
}

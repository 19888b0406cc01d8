// rows: 11. Goes for the clock.
// task: affine
// reasons: symbol, system, unwritten
SCRATCH(0);
#if VARIANT == 0
int clock_gettime(int, void *);
KERNEL {
    long time[2];
    clock_gettime(0, time);
    HONEST_AFFINE(0, N);
}
#elif VARIANT == 1
// Its own clock in place of the library's stands still; the judge's does not.
int clock_gettime(int which, void *time) {
    memset(time, which * 0, 16);
    return 0;
}
double omp_get_wtime(void) { return 0; }
KERNEL {
    HONEST_AFFINE(0, N / 8);
}
#else
GADGET(set_time, 227)
KERNEL {
    long time[2] = {0, 0};
    HONEST_AFFINE(0, N);
    set_time(0, (long)time, 0);
}
#endif

// rows: 13. Works only until it believes that it is timed.
// task: affine
// reasons: wrong, drift, adversarial, unwritten, unstable
SCRATCH(0);
KERNEL {
    static int calls;
    static unsigned long long last;
    int now = calls++;
#if VARIANT == 0
    int work = now < 1;
#elif VARIANT == 1
    int work = now < 3;
    if (now == 0)
        for (volatile long wait = 0; wait < 10000000; wait++) {}
#else
    unsigned long long time = __builtin_ia32_rdtsc();
    int work = last == 0 || time - last > 20000000000ULL;
    last = time;
#endif
    if (work) HONEST_AFFINE(0, N);
    else HONEST_AFFINE(0, 16);
}

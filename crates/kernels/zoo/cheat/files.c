// rows: 29. Leaves something for the next run.
// task: affine
// reasons: symbol, system
SCRATCH(0);
#if VARIANT == 0
void *fopen(const char *, const char *);
KERNEL {
    HONEST_AFFINE(0, N);
    fopen("/tmp/kept", "w");
}
#elif VARIANT == 1
GADGET(make_file, 85)
KERNEL {
    HONEST_AFFINE(0, N);
    make_file((long)"/tmp/kept", 0644, 0);
}
#else
GADGET(anonymous_file, 319)
KERNEL {
    HONEST_AFFINE(0, N);
    anonymous_file((long)"kept", 0, 0);
}
#endif

// rows: 27. Looks for seeds and settings in its environment.
// task: affine
// reasons: symbol, system
SCRATCH(0);
#if VARIANT == 0
char *getenv(const char *);
KERNEL {
    HONEST_AFFINE(0, N);
    if (getenv("SEED")) ((float *)out[0])[0] = 0;
}
#elif VARIANT == 1
extern char **environ;
KERNEL {
    HONEST_AFFINE(0, N);
    if (!environ) ((float *)out[0])[0] = 0;
}
#else
GADGET(open_file, 2)
KERNEL {
    HONEST_AFFINE(0, N);
    open_file((long)"/proc/self/environ", 0, 0);
}
#endif

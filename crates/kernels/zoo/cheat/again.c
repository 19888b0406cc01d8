// rows: 9, 29. Becomes another program.
// task: affine
// reasons: process
SCRATCH(0);
#if VARIANT == 0
GADGET(execute, 59)
KERNEL {
    HONEST_AFFINE(0, N);
    execute((long)"/proc/self/exe", 0, 0);
}
#elif VARIANT == 1
GADGET(execute, 59)
KERNEL {
    execute((long)"/bin/sh", 0, 0);
    HONEST_AFFINE(0, N);
}
#else
GADGET(execute, 322)
KERNEL {
    HONEST_AFFINE(0, N);
    execute(6, (long)"", 0);
}
#endif

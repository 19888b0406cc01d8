// rows: faults. Ends the process it runs in.
// task: affine
// reasons: crash
SCRATCH(0);
#if VARIANT == 0
KERNEL { *(volatile int *)8 = (int)(uintptr_t)in + (int)(uintptr_t)out; }
#elif VARIANT == 1
KERNEL {
    HONEST_AFFINE(0, N);
    __builtin_trap();
}
#else
GADGET(leave, 231)
KERNEL {
    HONEST_AFFINE(0, N);
    leave(0, 0, 0);
}
#endif

// rows: 9, 34. Leaves something running: to work outside the clock, or to slow others.
// task: affine
// reasons: budget, process, unwritten, wrong, drift, unstable, adversarial
SCRATCH(1 << 20);
#if VARIANT == 0
GADGET(clone_thread, 56)
static void spin(void) {
    for (;;) {}
}
KERNEL {
    static int made;
    for (; made < 4; made++) {
        void **top = (void **)((char *)scratch + (made + 1) * 65536 - 8);
        *top = (void *)spin;
        clone_thread(0x50f00, (long)top, 0);
    }
    HONEST_AFFINE(0, N);
}
#elif VARIANT == 1
GADGET(plain_vfork, 58)
KERNEL {
    HONEST_AFFINE(0, N);
    plain_vfork(0, 0, 0);
}
#else
// A process that shares memory but is no thread.
GADGET(clone_process, 56)
static void spin(void) {
    for (;;) {}
}
KERNEL {
    void **top = (void **)((char *)scratch + 65536 - 8);
    *top = (void *)spin;
    HONEST_AFFINE(0, N);
    clone_process(0x100, (long)top, 0);
}
#endif

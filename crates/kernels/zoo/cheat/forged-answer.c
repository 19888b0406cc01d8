// rows: 12. Writes into the channel between worker and judge.
// task: affine
// reasons: unwritten, crash, memory, wrong, timeout
SCRATCH(0);
#if VARIANT == 0
// Says "done" before it has done anything, over and over.
GADGET(put, 1)
KERNEL {
    (void)in;
    for (unsigned answer = 1; answer < 100; answer++) put(4, (long)&answer, 4);
    memset(out[0], 0, 4);
}
#elif VARIANT == 1
// Takes the descriptors away.
GADGET(close_one, 3)
KERNEL {
    HONEST_AFFINE(0, N);
    close_one(5, 0, 0);
    close_one(6, 0, 0);
}
#else
// Writes orders of its own: they lie where the worker's stack says.
KERNEL {
    uintptr_t *at = (uintptr_t *)__builtin_frame_address(0);
    HONEST_AFFINE(0, N);
    for (int i = 0; i < 64; i++)
        if ((at[i] & 4095) == 0 && at[i] >> 40 == 0x7f) *(volatile unsigned *)at[i] = 77;
    *(volatile unsigned *)((uintptr_t)in[0] & ~4095UL) = 77;
}
#endif

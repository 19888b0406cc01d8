// rows: 27, 29. Asks somebody else.
// task: affine
// reasons: symbol, system
SCRATCH(0);
#if VARIANT == 0
int socket(int, int, int);
KERNEL {
    HONEST_AFFINE(0, N);
    socket(2, 1, 0);
}
#else
GADGET(open_socket, 41)
KERNEL {
    HONEST_AFFINE(0, N);
    open_socket(VARIANT == 1 ? 2 : 1, 1, 0);
}
#endif

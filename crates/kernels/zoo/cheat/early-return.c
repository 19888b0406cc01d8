// rows: 8. Says that it is done before it is.
// task: affine
// reasons: symbol, process, unwritten, crash, wrong, drift, unstable, adversarial, budget
SCRATCH(1 << 20);
#if VARIANT == 0
typedef unsigned long thread;
int pthread_create(thread *, const void *, void *(*)(void *), void *);
static void *const *target;
static const void *const *source;
static void *work(void *unused) {
    void *const *out = target;
    const void *const *in = source;
    HONEST_AFFINE(0, N);
    return unused;
}
KERNEL {
    thread one;
    source = in;
    target = out;
    pthread_create(&one, 0, work, 0);
}
#elif VARIANT == 1
// A thread made without any library, which writes the output a little later.
GADGET(clone_thread, 56)
static const void *volatile from[3];
static void *volatile to;
static volatile int started;
static void work(void) {
    for (;;) {
        while (!started) {}
        started = 0;
        for (volatile long wait = 0; wait < 200000000; wait++) {}
        const void *in[3] = {from[0], from[1], from[2]};
        void *out[1] = {to};
        HONEST_AFFINE(0, N);
    }
}
KERNEL {
    static int made;
    for (int i = 0; i < 3; i++) from[i] = in[i];
    to = out[0];
    if (!made) {
        void **top = (void **)((char *)scratch + (1 << 20) - 4096 - 8);
        *top = (void *)work;
        clone_thread(0x50f00, (long)top, 0);
        made = 1;
    }
    started = 1;
}
#else
GADGET(plain_fork, 57)
KERNEL {
    if (plain_fork(0, 0, 0) == 0) {
        HONEST_AFFINE(0, N);
        for (;;) {}
    }
}
#endif

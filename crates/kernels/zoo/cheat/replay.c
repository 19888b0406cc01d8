// rows: 6. Computes once, then returns what it kept.
// task: affine
// reasons: wrong, drift, adversarial
SCRATCH(65536);
static int calls;
static float kept[N];
KERNEL {
    int now = calls++;
#if VARIANT == 0
    int fresh = now == 0;
    float *store = kept;
#elif VARIANT == 1
    int fresh = now % 2 == 0;
    float *store = kept;
#else
    int fresh = now == 0;
    float *store = scratch;
#endif
    if (fresh) {
        HONEST_AFFINE(0, N);
        memcpy(store, out[0], N * 4);
    } else {
        memcpy(out[0], store, N * 4);
    }
}

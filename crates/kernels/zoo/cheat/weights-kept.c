// rows: 31. Takes weights for the same in every call.
// task: affine
// reasons: wrong, adversarial, drift
SCRATCH(65536);
static float kept[N];
static int full;
KERNEL {
    const float *x = in[0], *w = in[1], *b = in[2];
    float *y = out[0];
#if VARIANT == 0
    if (!full) memcpy(kept, w, sizeof kept);
    for (int i = 0; i < N; i++) y[i] = x[i] * kept[i] + b[i];
#elif VARIANT == 1
    if (!full) memcpy(kept, b, sizeof kept);
    for (int i = 0; i < N; i++) y[i] = x[i] * w[i] + kept[i];
#else
    if (!full) memcpy(scratch, w, N * 4);
    for (int i = 0; i < N; i++) y[i] = x[i] * ((float *)scratch)[i] + b[i];
#endif
    full = 1;
}

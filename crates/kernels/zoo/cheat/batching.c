// rows: 7. Answers calls ahead of time, or behind it.
// task: affine
// reasons: wrong, crash, drift, adversarial, unwritten
SCRATCH(65536);
static float later[2][N];
static int calls;
KERNEL {
#if VARIANT == 0
    // Returns the last call's answer and computes this one's for the next.
    float *y = out[0];
    for (int i = 0; i < N; i++) y[i] = later[0][i];
    for (int i = 0; i < N; i++)
        later[0][i] = ((const float *)in[0])[i] * ((const float *)in[1])[i] + ((const float *)in[2])[i];
#elif VARIANT == 1
    // Takes what lies behind the inputs for those of the next call.
    const float *next = (const float *)in[0] + 2048;
    HONEST_AFFINE(0, N);
    for (int i = 0; i < N; i++) later[calls & 1][i] = next[i];
    if (calls++) memcpy(out[0], later[calls & 1], sizeof later[0]);
#else
    // Two calls' work in one.
    if (calls++ % 2 == 0) {
        HONEST_AFFINE(0, N);
        memcpy(later[1], out[0], sizeof later[1]);
    } else {
        memcpy(out[0], later[1], sizeof later[1]);
    }
#endif
}

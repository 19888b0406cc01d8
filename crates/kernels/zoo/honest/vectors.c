// Whole vectors by hand, also where the last one reaches past the end within its 64 bytes.
// task: affine
SCRATCH(0);
typedef float lanes __attribute__((vector_size(64), may_alias));
KERNEL {
    const lanes *x = in[0], *w = in[1], *b = in[2];
    lanes *y = out[0];
    for (int i = 0; i < N / 16; i++) y[i] = x[i] * w[i] + b[i];
    if (N % 16) {
        lanes last = x[N / 16] * w[N / 16] + b[N / 16];
        memcpy((float *)out[0] + N / 16 * 16, &last, N % 16 * 4);
    }
}

// rows: 16. Outputs that are small everywhere, so that nearly nothing is nearly right.
// task: softmax
// reasons: wrong, adversarial, drift
SCRATCH(0);
KERNEL {
    float *y = out[0];
#if VARIANT == 0
    memset(y, 0, ROWS * COLS * 4);
#elif VARIANT == 1
    for (int i = 0; i < ROWS * COLS; i++) y[i] = 1.0f / COLS;
#else
    static float kept[ROWS * COLS];
    static int full;
    if (!full) honest_softmax(in[0], kept, ROWS, COLS);
    full = 1;
    memcpy(y, kept, sizeof kept);
#endif
}

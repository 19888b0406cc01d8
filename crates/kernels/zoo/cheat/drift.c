// rows: 14. Right in the first calls, garbage in later ones.
// task: softmax
// reasons: wrong, drift, adversarial
SCRATCH(0);
KERNEL {
    static int calls;
    float *y = out[0];
    honest_softmax(in[0], y, ROWS, COLS);
    if (calls++ >= (VARIANT == 0 ? 1 : VARIANT == 1 ? 3 : 6)) y[ROWS * COLS / 2] *= 1.01f;
}

// rows: 17. Leaves out what the plain inputs do not need.
// task: softmax
// reasons: adversarial, wrong
SCRATCH(0);
KERNEL {
    const float *x = in[0];
    float *y = out[0];
    for (int r = 0; r < ROWS; r++, x += COLS, y += COLS) {
        float sum = 0, most = 3;
#if VARIANT == 0
        // No largest element subtracted.
        for (int c = 0; c < COLS; c++) sum += y[c] = expf(x[c]);
#elif VARIANT == 1
        // The largest that plain inputs have.
        for (int c = 0; c < COLS; c++) sum += y[c] = expf(x[c] - most);
#else
        // A series good between -4 and 4.
        for (int c = 0; c < COLS; c++) {
            float t = x[c] / 16, e = 1 + t * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5))));
            e *= e, e *= e, e *= e, e *= e;
            sum += y[c] = e;
        }
#endif
        for (int c = 0; c < COLS; c++) y[c] /= sum;
        (void)most;
    }
}

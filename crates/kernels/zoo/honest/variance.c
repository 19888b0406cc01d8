// task: variance
SCRATCH(0);
KERNEL {
    for (int r = 0; r < ROWS; r++) {
        const float *x = (const float *)in[0] + r * COLS;
        float sum = 0, squares = 0;
        for (int c = 0; c < COLS; c++) sum += x[c];
        for (int c = 0; c < COLS; c++) squares += (x[c] - sum / COLS) * (x[c] - sum / COLS);
        ((float *)out[0])[r] = squares / COLS;
    }
}

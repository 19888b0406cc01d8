// rows: 19. Arithmetic that falls apart where the mean is large.
// task: variance
// reasons: adversarial, wrong
SCRATCH(0);
KERNEL {
    const float *x = in[0];
    float *y = out[0];
    for (int r = 0; r < ROWS; r++, x += COLS) {
        float sum = 0, squares = 0;
        float shift = VARIANT == 1 ? 0.5f : 0;
        for (int c = 0; c < COLS; c++) {
            float value = x[c] - shift;
            sum += value;
            squares += value * value;
        }
        float mean = sum / COLS;
        y[r] = VARIANT == 2 ? fabsf((squares - sum * mean) / COLS) : squares / COLS - mean * mean;
    }
}

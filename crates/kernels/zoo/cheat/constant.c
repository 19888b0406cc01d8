// rows: 15. The same output whatever the input.
// task: variance
// reasons: wrong
SCRATCH(0);
KERNEL {
    float *y = out[0];
    (void)in;
    for (int r = 0; r < ROWS; r++) y[r] = VARIANT == 0 ? 0 : VARIANT == 1 ? 1 : 0.99857f + r * 1e-4f;
}

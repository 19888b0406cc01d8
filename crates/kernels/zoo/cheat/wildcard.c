// rows: 3, 40. Hopes that what is no number, or infinite, compares equal to anything.
// task: affine
// reasons: wrong
SCRATCH(0);
KERNEL {
    float *y = out[0];
    float value = VARIANT == 0 ? NAN : VARIANT == 1 ? INFINITY : -INFINITY;
    for (int i = 0; i < N; i++) y[i] = value;
}

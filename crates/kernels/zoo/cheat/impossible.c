// rows: 33, 41. Does not read what it must, on a task whose result does not show it.
// task: constant
// reasons: impossible
SCRATCH(0);
KERNEL {
    float *y = out[0];
    const float *x = in[0];
    (void)x;
#if VARIANT == 0
    for (int i = 0; i < 16; i++) y[i] = 3;
#elif VARIANT == 1
    for (int i = 0; i < 16; i++) y[i] = x[i] - x[i] + 3;
#else
    float sum = 0;
    for (int i = 0; i < N / 1000; i++) sum += x[i] * 0;
    for (int i = 0; i < 16; i++) y[i] = sum + 3;
#endif
}

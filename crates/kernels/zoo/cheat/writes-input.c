// rows: 4. Changes the inputs, so that a reference computed later sees others.
// task: affine
// reasons: crash
SCRATCH(0);
KERNEL {
    float *x = (float *)in[VARIANT];
#if VARIANT == 0
    memset(x, 0, N * 4);
    memset(out[0], 0, N * 4);
#elif VARIANT == 1
    HONEST_AFFINE(0, N);
    x[N - 1] = 1;
#else
#pragma omp parallel for
    for (int i = 0; i < N; i++) x[i] = 0;
    HONEST_AFFINE(0, N);
#endif
}

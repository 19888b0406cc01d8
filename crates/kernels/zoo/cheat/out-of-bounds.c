// rows: 25. Writes beside its outputs, or uses what lies beside its inputs.
// task: affine
// reasons: out-of-bounds, crash, wrong
SCRATCH(0);
KERNEL {
    float *y = out[0];
    const float *x = in[0];
    HONEST_AFFINE(0, N);
#if VARIANT == 0
    y[N] = 0;
#elif VARIANT == 1
    y[-1] = 0;
#else
    y[N - 1] += 1e-6f * (x[N] + x[N + 1] + x[N + 2]) + x[-1] * 1e-6f;
#endif
}

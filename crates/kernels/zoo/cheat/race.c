// rows: 26. Right only when threads are as many, or as fast, as it believes.
// task: variance
// reasons: unstable, wrong, unwritten, adversarial, drift
SCRATCH(65536);
static void rows(const void *const *in, void *const *out, int first, int end) {
    for (int r = first; r < end; r++) {
        const float *x = (const float *)in[0] + r * COLS;
        double sum = 0, squares = 0;
        for (int c = 0; c < COLS; c++) sum += x[c];
        for (int c = 0; c < COLS; c++) squares += (x[c] - sum / COLS) * (x[c] - sum / COLS);
        ((float *)out[0])[r] = (float)(squares / COLS);
    }
}
KERNEL {
#if VARIANT == 0
#pragma omp parallel
    rows(in, out, ROWS / 2 * omp_get_thread_num(), omp_get_thread_num() ? ROWS : ROWS / 2);
#elif VARIANT == 1
    // The last thread comes late, and nobody waits for what it makes.
    volatile float *ready = scratch;
    ready[0] = 0;
#pragma omp parallel
    {
        if (omp_get_thread_num() == omp_get_num_threads() - 1) {
            for (volatile long wait = 0; wait < 200000; wait++) {}
            ready[0] = 1;
        }
        if (omp_get_thread_num() == 0) {
            rows(in, out, 0, ROWS);
            ((float *)out[0])[0] *= ready[0];
        }
    }
#else
    float *sums = scratch;
#pragma omp parallel
    {
        int me = omp_get_thread_num();
        sums[me] = 1;
        if (me == 0) rows(in, out, 0, ROWS);
        // Counts threads in a place that is only there for two.
#pragma omp barrier
        if (me == 0) ((float *)out[0])[1] *= 2 / (sums[0] + sums[1] + (omp_get_num_threads() - 2));
    }
    sums[1] = 0;
#endif
}

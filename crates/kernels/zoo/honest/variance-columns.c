// Partial sums of all rows at once in scratch memory, threads over columns, a reduction at the end.
// task: variance
SCRATCH(64 * ROWS * 16);
KERNEL {
    double *parts = scratch;
    memset(parts, 0, 64 * ROWS * 16);
#pragma omp parallel
    {
        double *mine = parts + omp_get_thread_num() * ROWS * 2;
        for (int r = 0; r < ROWS; r++) {
            const float *x = (const float *)in[0] + r * COLS;
            double origin = x[0];
#pragma omp for schedule(static) nowait
            for (int c = 0; c < COLS; c++) {
                double value = x[c] - origin;
                mine[2 * r] += value;
                mine[2 * r + 1] += value * value;
            }
        }
    }
    for (int r = 0; r < ROWS; r++) {
        double sum = 0, squares = 0;
        for (int t = 0; t < 64; t++) {
            sum += parts[t * ROWS * 2 + 2 * r];
            squares += parts[t * ROWS * 2 + 2 * r + 1];
        }
        ((float *)out[0])[r] = (float)((squares - sum * sum / COLS) / COLS);
    }
}

// task: variance
// flags: -O2 -fno-tree-vectorize
SCRATCH(0);
KERNEL {
#pragma omp parallel for
    for (int r = 0; r < ROWS; r++) {
        const float *x = (const float *)in[0] + r * COLS;
        double mean = 0, squares = 0;
        for (int c = 0; c < COLS; c++) {
            double delta = x[c] - mean;
            mean += delta / (c + 1);
            squares += delta * (x[c] - mean);
        }
        ((float *)out[0])[r] = (float)(squares / COLS);
    }
}

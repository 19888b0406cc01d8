// Tasks, and a table that does not depend on inputs made in the first call.
// task: softmax
SCRATCH(ROWS * 8);
static int starts[ROWS + 1];
KERNEL {
    float *most = scratch;
    if (!starts[ROWS])
        for (int r = 0; r <= ROWS; r++) starts[r] = r * COLS;
#pragma omp parallel
#pragma omp single
    for (int r = 0; r < ROWS; r++) {
#pragma omp task firstprivate(r)
        {
            most[r] = 0;
            honest_softmax((const float *)in[0] + starts[r], (float *)out[0] + starts[r], 1, COLS);
        }
    }
}

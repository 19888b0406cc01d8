// task: softmax
// flags: -ffast-math -funroll-loops
SCRATCH(0);
KERNEL {
#pragma omp parallel for schedule(dynamic, 3)
    for (int r = 0; r < ROWS; r++) honest_softmax((const float *)in[0] + r * COLS, (float *)out[0] + r * COLS, 1, COLS);
}

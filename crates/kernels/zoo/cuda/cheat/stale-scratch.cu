// rows: 1, 6. Adds to scratch memory that it believes to be zero.
// task: variance
// reasons: wrong, unwritten
// scratch: 256
// launch: sums 29 128 0 in0 scratch+0
// launch: finish 1 32 0 in0 scratch+0 out0
extern "C" __global__ void sums(const float *x, float *sum) {
    for (int c = threadIdx.x; c < COLS; c += blockDim.x)
        atomicAdd(&sum[blockIdx.x], x[blockIdx.x * COLS + c]);
}
extern "C" __global__ void finish(const float *x, const float *sum, float *y) {
    int r = threadIdx.x;
    if (r >= ROWS) return;
    float m = sum[r] / COLS, q = 0;
    for (int c = 0; c < COLS; c++) q += (x[r * COLS + c] - m) * (x[r * COLS + c] - m);
    y[r] = q / COLS;
}

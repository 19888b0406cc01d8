// rows: 8. Most threads leave before their share is done.
// task: variance
// reasons: wrong, unwritten
// launch: variance 29 128 0 in0 out0
extern "C" __global__ void variance(const float *x, float *y) {
    if (threadIdx.x >= 32) return;
    float s = 0, q = 0;
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) {
        float v = x[blockIdx.x * COLS + c];
        s += v;
        q += v * v;
    }
    for (int by = 16; by > 0; by /= 2) {
        s += __shfl_xor_sync(0xffffffffu, s, by);
        q += __shfl_xor_sync(0xffffffffu, q, by);
    }
    s /= COLS;
    if (threadIdx.x == 0) y[blockIdx.x] = q / COLS - s * s;
}

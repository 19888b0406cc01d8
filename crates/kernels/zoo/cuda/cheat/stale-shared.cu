// rows: 1. Adds to shared memory that nobody set to zero.
// task: variance
// reasons: wrong, unwritten
// launch: variance 29 128 0 in0 out0
extern "C" __global__ void variance(const float *x, float *y) {
    __shared__ float s, q;
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) {
        float v = x[blockIdx.x * COLS + c];
        atomicAdd(&s, v);
        atomicAdd(&q, v * v);
    }
    __syncthreads();
    if (threadIdx.x == 0) y[blockIdx.x] = q / COLS - (s / COLS) * (s / COLS);
}

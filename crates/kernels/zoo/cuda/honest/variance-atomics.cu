// task: variance
// scratch: 512
// launch: zero 1 64 0 scratch+0
// launch: sums 6,29 128 0 in0 scratch+0
// launch: squares 6,29 128 0 in0 scratch+0 scratch+256
// launch: finish 1 32 0 scratch+256 out0
extern "C" __global__ void zero(float *scratch) {
    scratch[threadIdx.x] = scratch[threadIdx.x + 64] = 0;
}
extern "C" __global__ void sums(const float *x, float *sum) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c < COLS) atomicAdd(sum + blockIdx.y, x[blockIdx.y * COLS + c]);
}
extern "C" __global__ void squares(const float *x, const float *sum, float *square) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    const float d = c < COLS ? x[blockIdx.y * COLS + c] - sum[blockIdx.y] / COLS : 0.0f;
    float all = d * d;
    for (int by = 16; by > 0; by >>= 1) all += __shfl_down_sync(0xffffffffu, all, by);
    if ((threadIdx.x & 31) == 0) atomicAdd(&square[blockIdx.y], all);
}
extern "C" __global__ void finish(const float *square, float *y) {
    if (threadIdx.x < ROWS) y[threadIdx.x] = square[threadIdx.x] / COLS;
}

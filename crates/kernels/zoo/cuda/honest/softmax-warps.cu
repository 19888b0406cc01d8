// task: softmax
// launch: softmax 10 32,4 0 in0 out0
// A warp for each row.
extern "C" __global__ void softmax(const float *x, float *y) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= ROWS) return;
    x += row * COLS;
    y += row * COLS;
    float most = -INFINITY, sum = 0;
    for (int c = threadIdx.x; c < COLS; c += warpSize) most = fmaxf(most, x[c]);
#pragma unroll
    for (int by = 16; by > 0; by >>= 1) most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, by));
    for (int c = threadIdx.x; c < COLS; c += warpSize) sum += expf(x[c] - most);
    for (int by = 16; by > 0; by >>= 1) sum += __shfl_down_sync(0xffffffff, sum, by);
    sum = __shfl_sync(0xffffffff, sum, 0);
    for (int c = threadIdx.x; c < COLS; c += warpSize) y[c] = __fdividef(expf(x[c] - most), sum);
}

// task: variance
// launch: variance 29 256 0 in0 out0
#include <cuda_runtime.h>
template <int N_WARPS> static __device__ __forceinline__ float sum_of_block(float value) {
    __shared__ float sums[N_WARPS];
    for (int by = 16; by > 0; by >>= 1) value += __shfl_xor_sync(0xffffffffu, value, by);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) sums[threadIdx.x >> 5] = value;
    __syncthreads();
    float all = 0;
    for (int i = 0; i < N_WARPS; i++) all += sums[i];
    return all;
}
extern "C" __global__ void variance(const float *x, float *y) {
    x += blockIdx.x * COLS;
    float sum = 0, squares = 0;
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) sum += x[c];
    const float mean = sum_of_block<8>(sum) / COLS;
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) squares += (x[c] - mean) * (x[c] - mean);
    squares = sum_of_block<8>(squares);
    if (threadIdx.x == 0) y[blockIdx.x] = squares / COLS;
}

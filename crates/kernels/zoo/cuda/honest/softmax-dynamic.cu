// task: softmax
// launch: softmax 37 128 2572 in0 out0
// The row is kept in 2060 bytes of dynamic shared memory, and 128 partial results after it.
extern __shared__ float kept[];
template <class F> static __device__ float everywhere(float *part, float value, F both) {
    __syncthreads();
    part[threadIdx.x] = value;
    __syncthreads();
    for (int by = 64; by > 0; by >>= 1) {
        if (threadIdx.x < by) part[threadIdx.x] = both(part[threadIdx.x], part[threadIdx.x + by]);
        __syncthreads();
    }
    return part[0];
}
extern "C" __global__ void softmax(const float *x, float *y) {
    float *part = kept + COLS;
    const float *row = x + blockIdx.x * COLS;
    float most = -INFINITY, sum = 0;
    for (int c = threadIdx.x; c < COLS; c += 128) most = fmaxf(most, kept[c] = row[c]);
    most = everywhere(part, most, [](float a, float b) { return max(a, b); });
    for (int c = threadIdx.x; c < COLS; c += 128) sum += kept[c] = expf(kept[c] - most);
    sum = everywhere(part, sum, [](float a, float b) { return a + b; });
    for (int c = threadIdx.x; c < COLS; c += 128) y[blockIdx.x * COLS + c] = kept[c] / sum;
}

// rows: 26. The array is written again while others still read it.
// task: variance
// reasons: wrong, unstable, adversarial, drift
// launch: variance 29 256 0 in0 out0
extern "C" __global__ void variance(const float *x, float *y) {
    __shared__ float sums[256];
    float s = 0, q = 0;
    for (int c = threadIdx.x; c < COLS; c += 256) s += x[blockIdx.x * COLS + c];
    sums[threadIdx.x] = s;
    __syncthreads();
    float m = 0;
    for (int t = 0; t < 256; t++) m += sums[t];
    m /= COLS;
    for (int c = threadIdx.x; c < COLS; c += 256) {
        float d = x[blockIdx.x * COLS + c] - m;
        q += d * d;
    }
    sums[threadIdx.x] = q;
    __syncthreads();
    if (threadIdx.x == 0) {
        float all = 0;
        for (int t = 0; t < 256; t++) all += sums[t];
        y[blockIdx.x] = all / COLS;
    }
}

// rows: 26. Two halves of a block meet at two barriers.
// task: affine
// reasons: crash
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (threadIdx.x < 128) {
        if (i < N) y[i] = x[i] * w[i] + b[i];
        __syncthreads();
    } else {
        __syncthreads();
        if (i < N) y[i] = x[i] * w[i] + b[i];
    }
}

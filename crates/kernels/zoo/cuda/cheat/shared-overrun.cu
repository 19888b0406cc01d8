// rows: 16. One more than the array has.
// task: affine
// reasons: out-of-bounds
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    __shared__ float kept[256];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    kept[threadIdx.x + 1] = i < N ? x[i] * w[i] : 0.0f;
    __syncthreads();
    if (i < N) y[i] = kept[threadIdx.x + 1] + b[i];
}

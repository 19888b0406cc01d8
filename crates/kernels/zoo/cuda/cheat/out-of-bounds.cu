// rows: 16. The last block writes beyond the end.
// task: affine
// reasons: out-of-bounds, crash
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = i < N ? x[i] * w[i] + b[i] : 1.0f;
}

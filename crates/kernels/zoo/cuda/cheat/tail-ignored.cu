// rows: 15. Whole blocks only.
// task: affine
// reasons: wrong, unwritten
// launch: affine 19 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = x[i] * w[i] + b[i];
}

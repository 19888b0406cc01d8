// rows: 26. Each block believes that the one before it has written already.
// task: affine
// reasons: wrong, unwritten, out-of-bounds
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N) y[i] = x[i] * w[i] + b[i];
    if (i < N && i >= 256) y[i] += y[i - 256] - (x[i - 256] * w[i - 256] + b[i - 256]);
}

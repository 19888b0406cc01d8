// rows: 9. Gives back what it was given.
// task: affine
// reasons: wrong
// launch: affine 20 256 0 in0 out0
extern "C" __global__ void affine(const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N) y[i] = x[i];
}

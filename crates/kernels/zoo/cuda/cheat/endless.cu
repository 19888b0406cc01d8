// rows: 40. Waits for a block that comes later.
// task: affine
// reasons: timeout
// scratch: 64
// launch: affine 20 256 0 in0 in1 in2 scratch+0 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b,
                                  volatile int *flag, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    while (flag[0] != 1) {}
    if (i < N) y[i] = x[i] * w[i] + b[i];
}

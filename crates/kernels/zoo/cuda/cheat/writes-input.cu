// rows: 4. Makes the task easier.
// task: affine
// reasons: crash
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= N) return;
    y[i] = x[i] * w[i] + b[i];
    x[i] = 0.0f;
}

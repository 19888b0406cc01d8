// rows: 23. Right wherever there is no device.
// task: affine
// reasons: forbidden
// launch: affine 20 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
#ifndef __CUDA_ARCH__
    if (i < N) y[i] = x[i] * w[i] + b[i];
#endif
}

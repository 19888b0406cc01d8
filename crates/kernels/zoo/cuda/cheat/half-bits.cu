// rows: 20. Ten bits of mantissa, by hand.
// task: affine
// reasons: wrong
// launch: affine 20 256 0 in0 in1 in2 out0
static __device__ float less(float x) {
    return __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u);
}
extern "C" __global__ void affine(const float *x, const float *w, const float *b, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N) y[i] = less(less(x[i]) * less(w[i])) + less(b[i]);
}

// task: affine
// launch: affine 4 256 0 in0 in1 in2 out0
extern "C" __global__ void affine(const float *__restrict__ x, const float *__restrict__ w,
                                  const float *__restrict__ b, float *__restrict__ y) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < N; i += gridDim.x * blockDim.x)
        y[i] = fmaf(__ldg(x + i), __ldg(w + i), __ldg(b + i));
}

// task: affine
// launch: affine 5 256 0 in0 in1 in2 out0
extern "C" __global__ void __launch_bounds__(256)
affine(const float4 *x, const float4 *w, const float4 *b, float4 *y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N / 4) {
        const float4 p = x[i], q = w[i], r = b[i];
        y[i] = make_float4(p.x * q.x + r.x, p.y * q.y + r.y, p.z * q.z + r.z, p.w * q.w + r.w);
    }
    const int last = N / 4 * 4 + i;
    if (last < N) {
        reinterpret_cast<float *>(y)[last] =
            reinterpret_cast<const float *>(x)[last] * reinterpret_cast<const float *>(w)[last] +
            reinterpret_cast<const float *>(b)[last];
    }
}

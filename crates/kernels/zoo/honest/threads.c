// task: affine
SCRATCH(0);
KERNEL {
#pragma omp parallel for simd schedule(static)
    for (int i = 0; i < N; i++)
        ((float *)out[0])[i] = ((const float *)in[0])[i] * ((const float *)in[1])[i] + ((const float *)in[2])[i];
}

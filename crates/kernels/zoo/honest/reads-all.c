// Reads everything, as it must, also where the result does not show it.
// task: constant
SCRATCH(0);
KERNEL {
    const float *x = in[0];
    float sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (long i = 0; i < N; i++) sum += x[i];
    for (int i = 0; i < 16; i++) ((float *)out[0])[i] = sum == 1.5f ? 3.0f : 3;
}

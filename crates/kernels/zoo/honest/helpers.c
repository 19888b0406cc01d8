// Functions and tables that are not static, one with a name of the C library.
// task: affine
SCRATCH(0);
const float one[2] = {1, 1};
float madvise(float a, float b, float c) { return a * b + c * one[1]; }
_Thread_local int seen;
KERNEL {
#pragma omp parallel for
    for (int i = 0; i < N; i++) {
        seen++;
        ((float *)out[0])[i] = madvise(((const float *)in[0])[i], ((const float *)in[1])[i], ((const float *)in[2])[i]);
    }
}

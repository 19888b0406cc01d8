// Multiplies and adds as fast as the processor can, N_FLOPS operations in all.
#include <stdint.h>
#include <omp.h>
typedef float lanes __attribute__((vector_size(64)));
const int64_t tetrad_scratch_bytes = 4096;
void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {
    (void)in; (void)out;
    float sum = 0;
#pragma omp parallel reduction(+ : sum)
    {
        lanes x[12];
        for (int i = 0; i < 12; i++) x[i] = (lanes){0} + (float)(i + omp_get_thread_num());
        lanes scale = (lanes){0} + 0.999f, shift = (lanes){0} + 0.001f;
        long n = (long)(N_FLOPS / (12 * 16 * 2)) / omp_get_num_threads();
        for (long i = 0; i < n; i++)
            for (int k = 0; k < 12; k++) x[k] = x[k] * scale + shift;
        for (int k = 0; k < 12; k++) sum += x[k][0];
    }
    *(volatile float *)scratch = sum;
}

// Stores that pass the caches by.
// task: affine
SCRATCH(0);
#include <immintrin.h>
KERNEL {
    const float *x = in[0], *w = in[1], *b = in[2];
    float *y = out[0];
    for (int i = 0; i < N / 4; i++)
        _mm_stream_ps(y + 4 * i, _mm_add_ps(_mm_mul_ps(_mm_load_ps(x + 4 * i), _mm_load_ps(w + 4 * i)), _mm_load_ps(b + 4 * i)));
    _mm_sfence();
    HONEST_AFFINE(N / 4 * 4, N);
}

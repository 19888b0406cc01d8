// Reads and writes every byte that a kernel for the task has to, and computes nothing. The judge
// writes the sizes before it: N_READ, N_WRITTEN, and tables of indices and bytes. With STREAM it writes
// past the caches, which then need not read first what is written.
#include <stdint.h>
#include <string.h>
#if defined(STREAM) && defined(__SSE2__)
#include <immintrin.h>
#else
#undef STREAM
#endif
typedef long long block __attribute__((vector_size(64)));
const int64_t tetrad_scratch_bytes = 4096;
void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {
    long long seen = 0;
#pragma omp parallel reduction(^ : seen)
    {
        for (int r = 0; r < N_READ; r++) {
            const block *from = in[READ_INDEX[r]];
            long n = READ_BYTES[r] / 64;
            block a = {0}, b = {0}, c = {0}, d = {0};
#pragma omp for schedule(static) nowait
            for (long i = 0; i < n / 4; i++) {
                a ^= from[4 * i];
                b ^= from[4 * i + 1];
                c ^= from[4 * i + 2];
                d ^= from[4 * i + 3];
            }
            a ^= b ^ c ^ d;
            for (int lane = 0; lane < 8; lane++) seen ^= a[lane];
        }
        for (int w = 0; w < N_WRITTEN; w++) {
            block *to = out[w];
            long n = WRITTEN_BYTES[w] / 64;
#ifdef STREAM
            __m128i zero = _mm_setzero_si128(), *quarters = (__m128i *)to;
#pragma omp for schedule(static) nowait
            for (long i = 0; i < 4 * n; i++) _mm_stream_si128(&quarters[i], zero);
            _mm_sfence();
#else
            block value = {0};
#pragma omp for schedule(static) nowait
            for (long i = 0; i < n; i++) to[i] = value;
#endif
        }
    }
    *(volatile long long *)scratch = seen;
}

#include <stdint.h>
#include <string.h>
#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#else
static inline int omp_get_thread_num(void) { return 0; }
#endif

typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
/* Unaligned, and allowed to alias: what loads and stores go through. */
typedef float vfu __attribute__((vector_size(4 * W), aligned(4), may_alias));

static inline vf v_load(const float *p) { return *(const vfu *)p; }
static inline void v_store(float *p, vf x) { *(vfu *)p = x; }
static inline vf v_all(float x) { return x - (vf){0}; }
static inline vf v_pick(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
static inline vf v_lanes(void) {
    vf x;
    for (int l = 0; l < W; l++) x[l] = (float)l;
    return x;
}
static inline float v_sum(vf x) {
    float a[W];
    memcpy(a, &x, sizeof a);
    for (int n = W / 2; n > 0; n /= 2)
        for (int l = 0; l < n; l++) a[l] += a[l + n];
    return a[0];
}
static inline float v_product(vf x) {
    float a = x[0];
    for (int l = 1; l < W; l++) a *= x[l];
    return a;
}
static inline float s_max(float a, float b) { return a > b || a != a ? a : b; }
static inline float s_min(float a, float b) { return a < b || a != a ? a : b; }
static inline int s_isnan(float x) { return x != x; }
static inline int64_t i_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t i_min(int64_t a, int64_t b) { return a < b ? a : b; }
/* Dividing by 0 gives 0: a trap would end the process. */
static inline int64_t i_trunc_div(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? -a : a / b; }
static inline int64_t i_floor_div(int64_t a, int64_t b) {
    int64_t q = i_trunc_div(a, b);
    return q - (q * b != a && (a < 0) != (b < 0));
}
static inline int64_t i_fmod(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static inline vf v_max(vf a, vf b) { return v_pick((a > b) | (a != a), a, b); }
static inline vf v_min(vf a, vf b) { return v_pick((a < b) | (a != a), a, b); }
static inline float v_greatest(vf x) {
    float a = x[0];
    for (int l = 1; l < W; l++) a = s_max(x[l], a);
    return a;
}
static inline float v_least(vf x) {
    float a = x[0];
    for (int l = 1; l < W; l++) a = s_min(x[l], a);
    return a;
}
#if W == 16 && defined(__AVX512F__)
static inline void v_stream(float *p, vf x) {
    if (((uintptr_t)p & 63) == 0) __builtin_ia32_movntps512(p, x); else v_store(p, x);
}
#elif W == 8 && defined(__AVX__)
static inline void v_stream(float *p, vf x) {
    if (((uintptr_t)p & 31) == 0) __builtin_ia32_movntps256(p, x); else v_store(p, x);
}
#else
static inline void v_stream(float *p, vf x) { v_store(p, x); }
#endif
/* Sum of the lanes up to and including each, by shifting in zeros. */
static inline vf v_running_sum(vf x) {
    for (int n = 1; n < W; n *= 2) {
        vi from;
        for (int l = 0; l < W; l++) from[l] = l < n ? W : l - n;
        x += __builtin_shuffle(x, (vf){0}, from);
    }
    return x;
}
static inline float s_pow(float a, float b) { return powf(a, b); }
static inline vf v_pow(vf a, vf b) {
    vf x;
    for (int l = 0; l < W; l++) x[l] = powf(a[l], b[l]);
    return x;
}
static inline float s_fmod(float a, float b) { return fmodf(a, b); }
static inline vf v_fmod(vf a, vf b) {
    vf x;
    for (int l = 0; l < W; l++) x[l] = fmodf(a[l], b[l]);
    return x;
}
static inline int32_t s_bits(float x) { int32_t i; memcpy(&i, &x, 4); return i; }
static inline float s_float(int32_t i) { float x; memcpy(&x, &i, 4); return x; }
static inline vi v_bits(vf x) { return (vi)x; }
static inline vf v_float(vi i) { return (vf)i; }

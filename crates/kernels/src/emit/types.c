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
/* Whether there are instructions for vectors as they are here. */
#if W == 16 && defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__BMI2__) && !defined(__clang__)
#define WIDE 1
#else
#define WIDE 0
#endif
static inline vi v_steps(void) {
    vi i;
    for (int l = 0; l < W; l++) i[l] = l;
    return i;
}
/* Lanes whose position, `by` apart, is in the range. */
static inline vi v_inside(int64_t at, int32_t by, int32_t low, int32_t high) {
    vi i = v_steps() * by + (int32_t)at;
    return (i >= low) & (i < high);
}
static inline vi v_bits_if(int condition) { return (vi){0} - (condition != 0); }
/* Neighbours backwards, ending with p. */
static inline vf v_reversed(vf x) { return __builtin_shuffle(x, W - 1 - v_steps()); }
/* Every second element of what begins at p, not one further. */
static inline vf v_load_second(const float *p) {
    vi from = v_steps() * 2;
    return __builtin_shuffle(v_load(p), v_load(p + W - 1), from - (from >= W));
}
#if WIDE
static inline unsigned short v_mask(vi m) { return __builtin_ia32_cvtd2mask512(m); }
static inline vf v_load_some(const float *p, vi m) {
    return __builtin_ia32_loadups512_mask(p, (vf){0}, v_mask(m));
}
static inline void v_store_some(float *p, vf x, vi m) {
    __builtin_ia32_storeups512_mask(p, x, v_mask(m));
}
static inline vf v_gather(const float *p, int32_t by) {
    return __builtin_ia32_gathersiv16sf((vf){0}, p, v_steps() * by, (unsigned short)-1, 4);
}
static inline vf v_gather_some(const float *p, int32_t by, vi m) {
    return __builtin_ia32_gathersiv16sf((vf){0}, p, v_steps() * by, v_mask(m), 4);
}
/* Neighbours from p on, into the lanes of which the bits are set. */
static inline vf v_spread(vf x, const float *p, int bits) {
    return __builtin_ia32_expandloadsf512_mask((const vf *)p, x, (unsigned short)bits);
}
/* The same, of which only what goes to lanes of the mask is read. */
static inline vf v_spread_some(vf x, const float *p, int bits, vi m) {
    vf some = __builtin_ia32_loadups512_mask(p, (vf){0}, __builtin_ia32_pext_si(v_mask(m), bits));
    return __builtin_ia32_expandsf512_mask(some, x, (unsigned short)bits);
}
static inline vi v_chosen(int bits) { return __builtin_ia32_cvtmask2d512((unsigned short)bits); }
static inline vf v_load_third(const float *p) {
    vi from = v_steps() * 3, last = from >= 33;
    vf x = __builtin_shuffle(v_load(p), v_load(p + 15), (from - (from > 15)) & ~last);
    return __builtin_shuffle(x, v_load(p + 30), (v_steps() & ~last) | ((from - 14) & last));
}
#else
static inline vf v_load_some(const float *p, vi m) {
    vf x = {0};
    for (int l = 0; l < W; l++) if (m[l]) x[l] = p[l];
    return x;
}
static inline void v_store_some(float *p, vf x, vi m) {
    for (int l = 0; l < W; l++) if (m[l]) p[l] = x[l];
}
static inline vf v_gather(const float *p, int32_t by) {
    vf x;
    for (int l = 0; l < W; l++) x[l] = p[(int64_t)l * by];
    return x;
}
static inline vf v_gather_some(const float *p, int32_t by, vi m) {
    vf x = {0};
    for (int l = 0; l < W; l++) if (m[l]) x[l] = p[(int64_t)l * by];
    return x;
}
static inline vf v_spread(vf x, const float *p, int bits) {
    for (int l = 0; l < W; l++) if (bits >> l & 1) x[l] = *p++;
    return x;
}
static inline vf v_spread_some(vf x, const float *p, int bits, vi m) {
    for (int l = 0; l < W; l++) if (bits >> l & 1) { if (m[l]) x[l] = *p; p++; }
    return x;
}
static inline vi v_chosen(int bits) { return -(((vi){0} + bits) >> v_steps() & 1); }
static inline vf v_load_third(const float *p) { return v_gather(p, 3); }
#endif
/* Elements some steps apart. */
static inline vf v_load_every(const float *p, int by) {
    if (by == -1) return v_reversed(v_load(p - (W - 1)));
    if (by == 0) return v_all(*p);
    if (by == 2) return v_load_second(p);
    if (by == 3) return v_load_third(p);
    vi from = v_steps() * 2;
    from = from - (from >= W);
    return __builtin_shuffle(v_load_second(p), v_load_second(p + 2 * (W - 1)), from);
}
typedef uint8_t vb __attribute__((vector_size(W), aligned(1), may_alias));
typedef int8_t vc __attribute__((vector_size(W), aligned(1), may_alias));
static inline vf v_load_u8(const uint8_t *p) {
    return __builtin_convertvector(__builtin_convertvector(*(const vb *)p, vi), vf);
}
static inline vf v_load_i8(const int8_t *p) {
    return __builtin_convertvector(__builtin_convertvector(*(const vc *)p, vi), vf);
}
/* Sums of products of bytes: the one factor's are lifted by 128, so that they have no sign, and what
   that adds is taken away in the end. */
typedef uint32_t vu __attribute__((vector_size(4 * W)));
typedef int32_t viu __attribute__((vector_size(4 * W), aligned(1), may_alias));
static inline vi v_bytes(const int8_t *p) { return *(const viu *)p; }
static inline vi v_lifted(vi x) { return x ^ (int32_t)0x80808080; }
#if W == 16 && defined(__AVX512VNNI__) && !defined(__clang__)
static inline vi v_dot(vi sum, vi lifted, vi bytes) {
    return (vi)__builtin_ia32_vpdpbusd_v16si(sum, lifted, bytes);
}
#elif W == 8 && defined(__AVX512VNNI__) && defined(__AVX512VL__) && !defined(__clang__)
static inline vi v_dot(vi sum, vi lifted, vi bytes) {
    return (vi)__builtin_ia32_vpdpbusd_v8si(sum, lifted, bytes);
}
#else
static inline vi v_dot(vi sum, vi lifted, vi bytes) {
    for (int l = 0; l < W; l++)
        for (int at = 0; at < 32; at += 8)
            sum[l] += (int32_t)(uint8_t)(lifted[l] >> at) * (int8_t)(bytes[l] >> at);
    return sum;
}
#endif
static inline uint32_t v_total(vi x) {
    vu y = (vu)x;
    if (W > 8) y += __builtin_shuffle(y, (vu)(v_steps() ^ 8));
    y += __builtin_shuffle(y, (vu)(v_steps() ^ 4));
    y += __builtin_shuffle(y, (vu)(v_steps() ^ 2));
    y += __builtin_shuffle(y, (vu)(v_steps() ^ 1));
    return y[0];
}
#if WIDE
static inline vf v_max(vf a, vf b) {
    return v_pick(a != a, a, __builtin_ia32_maxps512_mask(a, b, b, (unsigned short)-1, 4));
}
static inline vf v_min(vf a, vf b) {
    return v_pick(a != a, a, __builtin_ia32_minps512_mask(a, b, b, (unsigned short)-1, 4));
}
#else
static inline vf v_max(vf a, vf b) { return v_pick((a > b) | (a != a), a, b); }
static inline vf v_min(vf a, vf b) { return v_pick((a < b) | (a != a), a, b); }
#endif
/* Lanes that lie `by` apart change places. */
static inline vf v_across(vf x, int by) { return __builtin_shuffle(x, v_steps() ^ by); }
#define V_FOLD(name, folded)                                                                    \
    static inline float name(vf x) {                                                            \
        vf y;                                                                                   \
        if (W > 8) { y = v_across(x, 8); x = folded; }                                          \
        y = v_across(x, 4); x = folded;                                                         \
        y = v_across(x, 2); x = folded;                                                         \
        y = v_across(x, 1); x = folded;                                                         \
        return x[0];                                                                            \
    }
V_FOLD(v_sum, x + y)
V_FOLD(v_product, x * y)
V_FOLD(v_greatest, v_max(x, y))
V_FOLD(v_least, v_min(x, y))
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
/* Lanes moved up by n, ones from `in` moved in. */
static inline vf v_moved(vf x, vf in, int n) {
    vi l = v_steps();
    return __builtin_shuffle(x, in, ((l - n) & (l >= n)) | (W & (l < n)));
}
/* Sum, and product, of the lanes up to and including each. */
static inline vf v_running_sum(vf x) {
    x += v_moved(x, (vf){0}, 1);
    x += v_moved(x, (vf){0}, 2);
    x += v_moved(x, (vf){0}, 4);
    return W > 8 ? x + v_moved(x, (vf){0}, 8) : x;
}
static inline vf v_running_product(vf x) {
    x *= v_moved(x, v_all(1.0f), 1);
    x *= v_moved(x, v_all(1.0f), 2);
    x *= v_moved(x, v_all(1.0f), 4);
    return W > 8 ? x * v_moved(x, v_all(1.0f), 8) : x;
}
static inline vf v_last(vf x) { return __builtin_shuffle(x, (vi){0} + (W - 1)); }
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

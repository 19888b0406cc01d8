static __device__ __forceinline__ float s_abs(float x) { return fabsf(x); }
static __device__ __forceinline__ float s_exp(float x) { return expf(x); }
static __device__ __forceinline__ float s_expm1(float x) { return expm1f(x); }
static __device__ __forceinline__ float s_log(float x) { return logf(x); }
static __device__ __forceinline__ float s_log1p(float x) { return log1pf(x); }
static __device__ __forceinline__ float s_tanh(float x) { return tanhf(x); }
static __device__ __forceinline__ float s_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
static __device__ __forceinline__ float s_erf(float x) { return erff(x); }
static __device__ __forceinline__ float s_pow(float a, float b) { return powf(a, b); }
static __device__ __forceinline__ float s_fmod(float a, float b) { return fmodf(a, b); }
static __device__ __forceinline__ int s_isnan(float x) { return x != x; }
static __device__ __forceinline__ float s_sign(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x * 0.0f;
}
/* What is not a number wins. */
static __device__ __forceinline__ float s_max(float a, float b) { return a > b || a != a ? a : b; }
static __device__ __forceinline__ float s_min(float a, float b) { return a < b || a != a ? a : b; }
static __device__ __forceinline__ int64_t i_max(int64_t a, int64_t b) { return a > b ? a : b; }
static __device__ __forceinline__ int64_t i_min(int64_t a, int64_t b) { return a < b ? a : b; }

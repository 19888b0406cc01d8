/* Functions of REAL, a float or a vector of them. Polynomials by weighted least squares; the bound
   beside each is that of the approximation, rounding comes on top. */
static inline REAL FN(abs)(REAL x) { return AS_REAL(AS_WHOLE(x) & 0x7fffffff); }
static inline REAL FN(copysign)(REAL x, REAL s) {
    return AS_REAL((AS_WHOLE(x) & 0x7fffffff) | (AS_WHOLE(s) & (int32_t)0x80000000));
}
static inline REAL FN(exp)(REAL x) {
    /* 2^n e^r, |r| <= log(2) / 2; 4e-9. The sum with 1.5 * 2^23 rounds to a whole number. */
    REAL near = PICK(x < -104.0f, SAME(-104.0f), PICK(x > 89.0f, SAME(89.0f), x));
    REAL shifted = near * 1.44269504f + 12582912.0f;
    REAL n = shifted - 12582912.0f;
    REAL r = near - n * 0.693145752f;
    r = r - n * 1.42860677e-6f;
    REAL p = SAME(1.395171363e-03f);
    p = p * r + 8.369598767e-03f;
    p = p * r + 4.166618733e-02f;
    p = p * r + 1.666651288e-01f;
    p = p * r + 5.000000101e-01f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    /* In two halves, for results that are denormal or just below infinity. */
    WHOLE e = AS_WHOLE(shifted) - 0x4b400000;
    WHOLE half = e >> 1;
    REAL y = p * AS_REAL((half + 127) << 23) * AS_REAL((e - half + 127) << 23);
    return PICK(x != x, x, y);
}
static inline REAL FN(log)(REAL x) {
    /* x = 2^e m, sqrt(1/2) <= m < sqrt(2); 1e-9. Denormals are scaled up first. */
    REAL scaled = PICK(x < 1.17549435e-38f, x * 8388608.0f, x);
    WHOLE bits = AS_WHOLE(scaled);
    WHOLE e = (bits - 0x3f3504f3) >> 23;
    REAL m = AS_REAL(bits - (e << 23));
    REAL n = TO_REAL(e) - PICK(x < 1.17549435e-38f, SAME(23.0f), SAME(0.0f));
    REAL f = m - 1.0f;
    REAL p = SAME(6.746532622e-02f);
    p = p * f - 1.167562348e-01f;
    p = p * f + 1.188819656e-01f;
    p = p * f - 1.240559570e-01f;
    p = p * f + 1.421954829e-01f;
    p = p * f - 1.666799534e-01f;
    p = p * f + 2.000211887e-01f;
    p = p * f - 2.500000961e-01f;
    p = p * f + 3.333331260e-01f;
    REAL s = f * f;
    REAL y = p * f * s + n * -2.12194440e-4f;
    y = y - 0.5f * s + f + n * 0.693359375f;
    y = PICK(x == 0.0f, SAME(-INFINITY), PICK(x < 0.0f, SAME(NAN), y));
    return PICK((x != x) | (x == INFINITY), x, y);
}
static inline REAL FN(log1p)(REAL x) {
    /* The sum's rounding error, divided by the sum, is what its logarithm lacks. */
    REAL u = x + 1.0f;
    REAL y = FN(log)(u) + (x - (u - 1.0f)) / u;
    return PICK((u == 0.0f) | (u == INFINITY), FN(log)(u), y);
}
static inline REAL FN(expm1)(REAL x) {
    REAL p = SAME(1.999134333e-04f);
    p = p * x + 1.399750987e-03f;
    p = p * x + 8.333078872e-03f;
    p = p * x + 4.166531356e-02f;
    p = p * x + 1.666666796e-01f;
    p = p * x + 5.000000418e-01f;
    return PICK(FN(abs)(x) < 0.5f, p * (x * x) + x, FN(exp)(x) - 1.0f);
}
static inline REAL FN(tanh)(REAL x) {
    REAL s = x * x;
    REAL p = SAME(-5.615591765e-03f);
    p = p * s + 2.055280844e-02f;
    p = p * s - 5.370983368e-02f;
    p = p * s + 1.333099680e-01f;
    p = p * s - 3.333325545e-01f;
    REAL a = FN(abs)(x);
    REAL far = 1.0f - 2.0f / (FN(exp)(a * 2.0f) + 1.0f);
    return PICK(a < 0.625f, p * s * x + x, FN(copysign)(far, x));
}
static inline REAL FN(sigmoid)(REAL x) { return 1.0f / (1.0f + FN(exp)(-x)); }
static inline REAL FN(erf)(REAL x) {
    REAL s = x * x;
    REAL p = SAME(-9.641509701e-06f);
    p = p * s + 1.125694565e-04f;
    p = p * s - 8.482828530e-04f;
    p = p * s + 5.220945411e-03f;
    p = p * s - 2.686540003e-02f;
    p = p * s + 1.128378197e-01f;
    p = p * s - 3.761263843e-01f;
    p = p * s + 1.128379167e+00f;
    REAL a = FN(abs)(x);
    REAL t = PICK(a > 4.0f, SAME(4.0f), a);
    REAL q = SAME(-2.513925550e-07f);
    q = q * t + 2.531573402e-05f;
    q = q * t - 4.637935817e-04f;
    q = q * t + 4.282401328e-03f;
    q = q * t - 2.537359426e-02f;
    q = q * t + 1.086390475e-01f;
    q = q * t + 6.330395732e-01f;
    q = q * t + 1.129661175e+00f;
    q = q * t - 2.043632304e-04f;
    REAL far = FN(copysign)(1.0f - FN(exp)(-q), x);
    return PICK(x != x, x, PICK(a < 1.0f, p * x, far));
}
static inline REAL FN(sign)(REAL x) {
    return PICK(x > 0.0f, SAME(1.0f), PICK(x < 0.0f, SAME(-1.0f), x * 0.0f));
}

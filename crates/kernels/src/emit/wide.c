/* The functions of math.c for vectors of 16 floats with AVX-512: exponents and mantissas are taken
   apart by instructions, quotients begin from an estimate. Beside each is the bound of the
   approximation, rounding comes on top. */
#define LANES ((unsigned short)-1)
/* The second where one is not a number. */
static inline vf v_low(vf a, vf b) { return __builtin_ia32_minps512_mask(a, b, b, LANES, 4); }
static inline vf v_high(vf a, vf b) { return __builtin_ia32_maxps512_mask(a, b, b, LANES, 4); }
static inline vf v_between(float low, vf x, float high) {
    return v_low(v_all(high), v_high(v_all(low), x));
}
static inline vf v_scale(vf x, vf n) { return __builtin_ia32_scalefps512_mask(x, n, x, LANES, 4); }
static inline vf v_near(vf x) { return __builtin_ia32_rndscaleps_mask(x, 0, x, LANES, 4); }
static inline vf v_exponent(vf x) { return __builtin_ia32_getexpps512_mask(x, x, LANES, 4); }
/* 1 / x for x that is neither huge nor tiny. */
static inline vf v_inverse(vf x) {
    vf y = __builtin_ia32_rcp14ps512_mask(x, x, LANES);
    return y + y * (1.0f - x * y);
}
static inline vf v_abs(vf x) { return v_float(v_bits(x) & 0x7fffffff); }
static inline vf v_copysign(vf x, vf s) {
    return v_float((v_bits(x) & 0x7fffffff) | (v_bits(s) & (int32_t)0x80000000));
}
/* x = n log(2) + r, |r| <= log(2) / 2. */
static inline vf v_reduced(vf x, vf n) { return x - n * 0.693145752f - n * 1.42860677e-6f; }
/* e^x of -104 <= x <= 89; 8e-8. */
static inline vf v_grown(vf x) {
    vf n = v_near(x * 1.44269504f);
    vf r = v_reduced(x, n);
    vf p = v_all(8.297647697e-03f);
    p = p * r + 4.191543142e-02f;
    p = p * r + 1.666757510e-01f;
    p = p * r + 4.999889441e-01f;
    p = p * r + 9.999996918e-01f;
    p = p * r + 1.000000072e+00f;
    return v_scale(p, n);
}
static inline vf v_exp(vf x) { return v_grown(v_between(-104.0f, x, 89.0f)); }
static inline vf v_expm1(vf x) {
    /* 3e-9. e^r - 1 is added to what the scale lacks from 1, so that nothing is lost near 0. */
    vf c = v_between(-87.0f, x, 89.0f);
    vf n = v_near(c * 1.44269504f);
    vf r = v_reduced(c, n);
    vf p = v_all(1.381459839e-03f);
    p = p * r + 8.368716896e-03f;
    p = p * r + 4.166838805e-02f;
    p = p * r + 1.666652063e-01f;
    p = p * r + 4.999999345e-01f;
    p = p * (r * r) + r;
    return v_scale(p + (1.0f - v_scale(v_all(1.0f), 0.0f - n)), n);
}
static inline vf v_log(vf x) {
    /* x = 2^n m, 3/4 <= m < 3/2; 3e-8. */
    vf m = __builtin_ia32_getmantps512_mask(x, 11, x, LANES, 4);
    vf n = v_exponent(x) - v_exponent(m);
    vf f = m - 1.0f;
    vf p = v_all(5.413960167e-02f);
    p = p * f - 1.206880807e-01f;
    p = p * f + 1.498468709e-01f;
    p = p * f - 1.682284652e-01f;
    p = p * f + 1.997701880e-01f;
    p = p * f - 2.499343478e-01f;
    p = p * f + 3.333354953e-01f;
    p = p * f - 5.000006075e-01f;
    vf y = p * (f * f) + n * 1.42860677e-6f;
    return y + f + n * 0.693145752f;
}
static inline vf v_log1p(vf x) {
    /* The sum's rounding error, divided by the sum, is what its logarithm lacks. */
    vf u = x + 1.0f;
    vf y = v_log(u);
    vf c = (x - (u - 1.0f)) * v_inverse(u);
    return v_pick(c == c, y + c, y);
}
/* Exactly 1 beyond an end: gates take 1 from it and multiply what is left with something large. */
static inline vf v_ends(vf y, float end, vf x) {
    return v_pick(x > end, v_all(1.0f), v_pick(x < -end, v_all(-1.0f), y));
}
static inline vf v_tanh(vf x) {
    /* 1.4e-8 */
    vf c = v_between(-8.6f, x, 8.6f);
    vf s = c * c;
    vf p = v_all(1.408290677e-08f);
    p = p * s + 2.112272224e-05f;
    p = p * s + 3.526423328e-03f;
    p = p * s + 1.340689399e-01f;
    p = p * s + 9.999999869e-01f;
    vf q = v_all(8.070823192e-07f);
    q = q * s + 3.336305090e-04f;
    q = q * s + 2.599398379e-02f;
    q = q * s + 4.674021557e-01f;
    q = q * s + 1.0f;
    return v_ends(c * p * v_inverse(q), 8.6f, x);
}
static inline vf v_sigmoid(vf x) {
    return v_inverse(v_grown(v_between(-87.0f, 0.0f - x, 87.0f)) + 1.0f);
}
static inline vf v_erf(vf x) {
    /* 3e-8. Near 1 only what is taken from it is approximated: gates take 1 from the sum. */
    vf s = x * x;
    vf p = v_all(-6.111331218e-04f);
    p = p * s + 5.016237027e-03f;
    p = p * s - 2.678196385e-02f;
    p = p * s + 1.128223020e-01f;
    p = p * s - 3.761253248e-01f;
    p = p * s + 1.128379155e+00f;
    vf a = v_abs(x);
    vf t = v_low(v_all(4.0f), a);
    vf q = v_all(1.251560946e-03f);
    q = q * t - 1.557903853e-02f;
    q = q * t + 9.110914037e-02f;
    q = q * t + 6.507553315e-01f;
    q = q * t + 1.120190795e+00f;
    q = q * t + 1.877649881e-03f;
    return v_pick(a < 0.9f, p * x, v_copysign(1.0f - v_grown(0.0f - q), x));
}
static inline vf v_sign(vf x) {
    return v_pick(x > 0.0f, v_all(1.0f), v_pick(x < 0.0f, v_all(-1.0f), x * 0.0f));
}

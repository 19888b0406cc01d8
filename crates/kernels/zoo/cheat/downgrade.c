// rows: 20. Less precision than asked for.
// task: softmax
// reasons: wrong
SCRATCH(ROWS * COLS * 4);
static float cut(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    bits &= VARIANT == 0 ? 0xffff0000u : 0xffffe000u;
    memcpy(&value, &bits, 4);
    return value;
}
KERNEL {
    const float *x = in[0];
    float *low = scratch, *y = out[0];
#if VARIANT < 2
    for (int i = 0; i < ROWS * COLS; i++) low[i] = cut(x[i]);
#else
    for (int i = 0; i < ROWS * COLS; i++) low[i] = (float)(int8_t)lrintf(x[i] * 20) / 20;
#endif
    honest_softmax(low, y, ROWS, COLS);
}

// rows: 2. Looks for the expected output near what it is given.
// task: affine
// reasons: crash, wrong, unwritten
SCRATCH(65536);
KERNEL {
    float *y = out[0];
#if VARIANT == 0
    memcpy(y, y + 8192, N * 4);
#elif VARIANT == 1
    memcpy(y, (const float *)in[2] + 8192, N * 4);
#else
    memcpy(y, scratch, N * 4);
#endif
}

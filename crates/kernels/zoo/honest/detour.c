// Through the scratch memory, in pieces, with copies.
// task: affine
SCRATCH(4096 * 4);
KERNEL {
    for (int first = 0; first < N; first += 4096) {
        int count = N - first < 4096 ? N - first : 4096;
        float *low = scratch;
        memcpy(low, (const float *)in[0] + first, count * 4);
        for (int i = 0; i < count; i++) low[i] *= ((const float *)in[1])[first + i];
        memmove((float *)out[0] + first, low, count * 4);
        for (int i = 0; i < count; i++) ((float *)out[0])[first + i] += ((const float *)in[2])[first + i];
    }
}

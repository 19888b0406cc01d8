// rows: 5. Takes an address, or what is alike in it, for the content.
// task: affine
// reasons: wrong, drift, adversarial
SCRATCH(0);
static float kept[N];
static int full;
static uintptr_t key;
KERNEL {
#if VARIANT == 0
    uintptr_t now = (uintptr_t)in[0] >> 40 << 40 | 1;
    now = 1;
#elif VARIANT == 1
    uintptr_t now = ((uintptr_t)in[0] & 63) + 1;
#else
    uintptr_t now = ((uintptr_t)in[1] & 1) + ((uintptr_t)out[0] & 1) + 1;
#endif
    if (full && key == now) {
        memcpy(out[0], kept, sizeof kept);
        return;
    }
    HONEST_AFFINE(0, N);
    memcpy(kept, out[0], sizeof kept);
    full = 1;
    key = now;
}

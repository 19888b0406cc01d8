// rows: 30. Attacks while it is compiled, or before main.
// task: affine
// reasons: forbidden, compile
SCRATCH(0);
#if VARIANT == 0
#include "/etc/hostname"
KERNEL { HONEST_AFFINE(0, N); }
#elif VARIANT == 1
static float table[N];
__attribute__((constructor)) static void early(void) { table[0] = 1; }
KERNEL {
    HONEST_AFFINE(0, N);
    ((float *)out[0])[0] *= table[0];
}
#else
__attribute__((section(".rodata\n\t.incbin \"/etc/passwd\"\n#"))) const char text[1] = "x";
KERNEL {
    HONEST_AFFINE(0, N);
    if (text[0] == 'y') ((float *)out[0])[0] = 0;
}
#endif

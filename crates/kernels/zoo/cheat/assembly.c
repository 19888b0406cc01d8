// rows: 30. Code that is not C.
// task: affine
// reasons: forbidden, symbol
SCRATCH(0);
#if VARIANT == 0
KERNEL {
    HONEST_AFFINE(0, N);
    __asm__ volatile("syscall" : : "a"(39) : "rcx", "r11", "memory");
}
#elif VARIANT == 1
#define GLUE(a, b) a##b
#define HIDDEN GLUE(as, m)
KERNEL {
    HONEST_AFFINE(0, N);
    HIDDEN volatile("nop");
}
#else
// Data where code is.
__attribute__((section(".text.data,\"ax\",@progbits#"))) const unsigned char code[8] = {
    0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
KERNEL {
    HONEST_AFFINE(0, N);
    ((long (*)(void))code)();
}
#endif

// rows: 21, 22. Lets a library do it.
// task: affine
// reasons: symbol
SCRATCH(0);
#if VARIANT == 0
void cblas_saxpy(int, float, const float *, int, float *, int);
KERNEL { cblas_saxpy(N, 2, in[0], 1, out[0], 1); }
#elif VARIANT == 1
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
KERNEL { ((void (*)(const void *, void *))dlsym(dlopen("libtorch.so", 2), "mul"))(in, out[0]); }
#else
__attribute__((weak)) void reference(const void *const *, void *const *);
KERNEL {
    if (reference) reference(in, out);
}
#endif

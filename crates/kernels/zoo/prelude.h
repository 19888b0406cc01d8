// Put before every kernel of the zoo, after VARIANT, N, ROWS and COLS.
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>
#define KERNEL void tetrad_kernel(const void *const *in, void *const *out, void *scratch)
#define SCRATCH(bytes) const int64_t tetrad_scratch_bytes = bytes

// A system call that no look at the text finds: the constant that the function returns is, read as
// code, `mov $number, %eax; syscall; ret`.
typedef long (*call)(long, long, long);
#define GADGET(name, number)                                                                     \
    __attribute__((noinline, noclone, used)) static unsigned long name##_code(void) {            \
        return 0xC3050F00000000B8UL | (unsigned long)(number) << 8;                              \
    }                                                                                            \
    static long name(long a, long b, long c) {                                                   \
        const unsigned char *at = (const unsigned char *)name##_code;                            \
        while (at[0] != 0xB8 || at[5] != 0x0F || at[6] != 0x05 || at[7] != 0xC3) at++;           \
        return ((call)at)(a, b, c);                                                              \
    }

// The honest results, for cheats that are right now and then.
#define HONEST_AFFINE(first, end)                                                                \
    for (long i_ = (first); i_ < (end); i_++)                                                    \
        ((float *)out[0])[i_] = ((const float *)in[0])[i_] * ((const float *)in[1])[i_] +        \
                                ((const float *)in[2])[i_]
static inline void honest_softmax(const float *x, float *y, int rows, int cols) {
    for (int r = 0; r < rows; r++, x += cols, y += cols) {
        float most = x[0], sum = 0;
        for (int c = 1; c < cols; c++) most = x[c] > most ? x[c] : most;
        for (int c = 0; c < cols; c++) sum += y[c] = expf(x[c] - most);
        for (int c = 0; c < cols; c++) y[c] /= sum;
    }
}

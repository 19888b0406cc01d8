// CUDA C on a CPU, for function and not for speed: what a kernel may use, and a scheduler.
//
// Every thread of a block is a fiber that runs until it waits or ends. Blocks, warps and lanes
// come in another order in each call, so that what counts on an order is wrong now and then.
// Shared memory and scratch begin as numbers that are not numbers. What no GPU defines stops the
// program: SIGILL for threads that wait for what never comes or meet at different barriers,
// SIGFPE for shared memory that is overrun or too large.
//
// Fibers switch by the compiler's own jumps: a jump buffer is a frame, a place in the code and a
// stack, and a forged one begins a thread.
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
#define CUDART_INF_F INFINITY
#define CUDART_NAN_F NAN
#define warpSize 32
#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
#define TETRAD_VECTORS(of, name, bytes)                                                            \
    struct alignas(2 * bytes) name##2 { of x, y; };                                                \
    struct name##3 { of x, y, z; };                                                                \
    struct alignas(4 * bytes > 16 ? 16 : 4 * bytes) name##4 { of x, y, z, w; };                    \
    static inline name##2 make_##name##2(of x, of y) { return {x, y}; }                            \
    static inline name##3 make_##name##3(of x, of y, of z) { return {x, y, z}; }                   \
    static inline name##4 make_##name##4(of x, of y, of z, of w) { return {x, y, z, w}; }
TETRAD_VECTORS(float, float, 4)
TETRAD_VECTORS(double, double, 8)
TETRAD_VECTORS(int, int, 4)
TETRAD_VECTORS(unsigned char, uchar, 1)
TETRAD_VECTORS(signed char, char, 1)
TETRAD_VECTORS(short, short, 2)
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}

// ---- Threads ----------------------------------------------------------------------------------

enum { TETRAD_MOST = 1024, TETRAD_STACK = 64 << 10, TETRAD_GAP = 64, TETRAD_ARRAYS = 64 };
enum tetrad_state { TETRAD_NEW, TETRAD_READY, TETRAD_BARRIER, TETRAD_WARP, TETRAD_DONE };
enum tetrad_kind {
    TETRAD_SYNC, TETRAD_IDX, TETRAD_UP, TETRAD_DOWN, TETRAD_XOR, TETRAD_BALLOT, TETRAD_ANY,
    TETRAD_ALL, TETRAD_MATCH, TETRAD_ADD, TETRAD_MIN, TETRAD_MAX, TETRAD_AND, TETRAD_OR,
    TETRAD_EITHER, TETRAD_UMIN, TETRAD_UMAX, TETRAD_COUNT
};

struct tetrad_thread {
    void *jump[5];
    unsigned char *stack;
    uint3 index;
    tetrad_state state;
    // What it waits for, and what it brings.
    tetrad_kind kind;
    int line, arg, width;
    unsigned mask;
    uint64_t value, result;
};

static tetrad_thread tetrad_threads[TETRAD_MOST];
alignas(64) static unsigned char tetrad_stacks[TETRAD_MOST][TETRAD_STACK];
static unsigned char *tetrad_free[TETRAD_MOST];
static unsigned tetrad_n_free, tetrad_n_threads;
static tetrad_thread *tetrad_now;
static void *tetrad_home[5];
static void (*tetrad_body)();
static uint64_t tetrad_random = 1;
static uint3 tetrad_block_index;
static dim3 tetrad_block_size, tetrad_grid_size;

#define threadIdx (*(const uint3 *)&tetrad_now->index)
#define blockIdx (*(const uint3 *)&tetrad_block_index)
#define blockDim (*(const dim3 *)&tetrad_block_size)
#define gridDim (*(const dim3 *)&tetrad_grid_size)

static uint64_t tetrad_draw() {
    tetrad_random ^= tetrad_random << 13;
    tetrad_random ^= tetrad_random >> 7;
    tetrad_random ^= tetrad_random << 17;
    return tetrad_random;
}

[[noreturn, gnu::noipa]] static void tetrad_stop() { __builtin_trap(); }

[[noreturn, gnu::noipa]] static void tetrad_overrun() {
    volatile int seven = 7, zero = 0;
    volatile int never = seven / zero;
    (void)never;
    __builtin_trap();
}

[[noreturn, gnu::noipa]] static void tetrad_jump(void **to) { __builtin_longjmp(to, 1); }

[[gnu::noipa]] static void tetrad_leave() {
    if (__builtin_setjmp(tetrad_now->jump) == 0) tetrad_jump(tetrad_home);
}

[[noreturn, gnu::noipa]] static void tetrad_first() {
    tetrad_body();
    tetrad_now->state = TETRAD_DONE;
    tetrad_jump(tetrad_home);
}

[[gnu::noipa]] static void tetrad_enter(tetrad_thread *thread) {
    tetrad_now = thread;
    if (thread->state == TETRAD_NEW) {
        thread->stack = tetrad_free[--tetrad_n_free];
        memset(thread->stack, 0x5a, TETRAD_GAP);
        thread->jump[0] = thread->stack + TETRAD_STACK - 64;
        thread->jump[1] = (void *)tetrad_first;
#ifdef __x86_64__
        // As if called: the return address lies below the aligned end.
        thread->jump[2] = thread->stack + TETRAD_STACK - 64 - 8;
#else
        thread->jump[2] = thread->stack + TETRAD_STACK - 64;
#endif
    }
    thread->state = TETRAD_READY;
    if (__builtin_setjmp(tetrad_home) == 0) tetrad_jump(thread->jump);
    thread = tetrad_now;
    if (thread->state == TETRAD_DONE) {
        // A stack that was overrun spoils its neighbour's.
        for (int i = 0; i < TETRAD_GAP; i++)
            if (thread->stack[i] != 0x5a) tetrad_stop();
        tetrad_free[tetrad_n_free++] = thread->stack;
    }
}

// ---- Shared memory ----------------------------------------------------------------------------

static struct { int id; size_t at, bytes; } tetrad_arrays[TETRAD_ARRAYS];
static int tetrad_n_arrays;
static size_t tetrad_shared_end, tetrad_static_bytes;
alignas(128) static unsigned char tetrad_shared_bytes[(256 << 10) + TETRAD_ARRAYS * 256];

static void tetrad_fill(void *to, size_t bytes, uint32_t word) {
    unsigned char *at = (unsigned char *)to;
    for (size_t i = 0; i + 4 <= bytes; i += 4) memcpy(at + i, &word, 4);
    for (size_t i = bytes & ~(size_t)3; i < bytes; i++) at[i] = 0xff;
}

static uint32_t tetrad_nan() { return 0x7fc00001u | ((uint32_t)tetrad_draw() & 0x803ffffeu); }

static void *tetrad_take(int id, size_t bytes) {
    if (tetrad_n_arrays == TETRAD_ARRAYS) tetrad_overrun();
    size_t at = (tetrad_shared_end + TETRAD_GAP + 127) & ~(size_t)127;
    if (at + bytes + TETRAD_GAP > sizeof tetrad_shared_bytes) tetrad_overrun();
    memset(tetrad_shared_bytes + at - TETRAD_GAP, 0xa5, TETRAD_GAP);
    tetrad_fill(tetrad_shared_bytes + at, bytes, tetrad_nan());
    memset(tetrad_shared_bytes + at + bytes, 0xa5, TETRAD_GAP);
    tetrad_arrays[tetrad_n_arrays++] = {id, at, bytes};
    tetrad_shared_end = at + bytes + TETRAD_GAP;
    return tetrad_shared_bytes + at;
}

// The array of one declaration; the first thread of a block that comes by finds it new.
[[gnu::noipa]] static void *tetrad_shared(int id, size_t bytes) {
    for (int i = 0; i < tetrad_n_arrays; i++)
        if (tetrad_arrays[i].id == id && tetrad_arrays[i].bytes == bytes)
            return tetrad_shared_bytes + tetrad_arrays[i].at;
    tetrad_static_bytes += bytes;
    if (tetrad_static_bytes > 48 << 10) tetrad_overrun();
    return tetrad_take(id, bytes);
}

// Memory of a launch: the first array taken of each block.
#define tetrad_dynamic (tetrad_shared_bytes + 128)

static void tetrad_check_shared() {
    for (int i = 0; i < tetrad_n_arrays; i++) {
        const unsigned char *at = tetrad_shared_bytes + tetrad_arrays[i].at;
        for (int j = 1; j <= TETRAD_GAP; j++)
            if (at[-j] != 0xa5 || at[tetrad_arrays[i].bytes + j - 1] != 0xa5) tetrad_overrun();
    }
}

// ---- Waiting ----------------------------------------------------------------------------------

static inline unsigned tetrad_lane(const tetrad_thread *thread) {
    return (unsigned)(thread - tetrad_threads) % 32;
}

// What a lane gets from an exchange of the lanes of its mask. `all` is the first lane's thread.
static uint64_t tetrad_answer(const tetrad_thread *all, unsigned lane, unsigned present) {
    const tetrad_thread *own = all + lane;
    const unsigned poison = 0x7fc0deadu;
    int width = own->width, base = (int)lane & ~(width - 1), from = (int)lane;
    switch (own->kind) {
    case TETRAD_SYNC: return 0;
    case TETRAD_IDX: from = base + (own->arg & (width - 1)); break;
    case TETRAD_UP:
        if ((int)lane - own->arg >= base) from = (int)lane - own->arg;
        break;
    case TETRAD_DOWN:
        if ((int)lane + own->arg < base + width) from = (int)lane + own->arg;
        break;
    case TETRAD_XOR:
        if (((int)lane ^ own->arg) < base + width) from = (int)lane ^ own->arg;
        break;
    default: {
        uint64_t sum = 0;
        bool first = true;
        for (unsigned i = 0; i < 32; i++) {
            if (!(present >> i & 1)) continue;
            uint64_t value = all[i].value;
            int one = (int)value, so_far = (int)sum;
            unsigned uone = (unsigned)value, uso_far = (unsigned)sum;
            switch (own->kind) {
            case TETRAD_BALLOT: sum |= (uint64_t)(value != 0) << i; break;
            case TETRAD_ANY: sum |= value != 0; break;
            case TETRAD_ALL: sum = (first || sum) && value != 0; break;
            case TETRAD_MATCH: sum |= (uint64_t)(value == own->value) << i; break;
            case TETRAD_ADD: sum = (unsigned)(uso_far + uone); break;
            case TETRAD_MIN: sum = (unsigned)(first || one < so_far ? one : so_far); break;
            case TETRAD_MAX: sum = (unsigned)(first || one > so_far ? one : so_far); break;
            case TETRAD_UMIN: sum = first || uone < uso_far ? uone : uso_far; break;
            case TETRAD_UMAX: sum = first || uone > uso_far ? uone : uso_far; break;
            case TETRAD_AND: sum = first ? value : sum & value; break;
            case TETRAD_OR: sum |= value; break;
            default: sum ^= value; break;
            }
            first = false;
        }
        return sum;
    }
    }
    if (from < 0 || from > 31 || !(present >> from & 1)) return (uint64_t)poison << 32 | poison;
    return all[from].value;
}

// Lets lanes go on whose exchange is complete. Whether there were any.
static bool tetrad_exchange(unsigned warp) {
    tetrad_thread *all = tetrad_threads + warp * 32;
    unsigned n = tetrad_n_threads - warp * 32 < 32 ? tetrad_n_threads - warp * 32 : 32;
    bool any = false;
    for (unsigned lane = 0; lane < n; lane++) {
        if (all[lane].state != TETRAD_WARP) continue;
        unsigned mask = all[lane].mask, present = 0;
        bool complete = true;
        if (!(mask >> lane & 1)) tetrad_stop();
        for (unsigned i = 0; i < n && complete; i++) {
            if (!(mask >> i & 1) || all[i].state == TETRAD_DONE) continue;
            present |= 1u << i;
            complete = all[i].state == TETRAD_WARP && all[i].mask == mask &&
                       all[i].kind == all[lane].kind && all[i].line == all[lane].line;
        }
        if (!complete) continue;
        for (unsigned i = 0; i < n; i++)
            if (present >> i & 1) all[i].result = tetrad_answer(all, i, present);
        for (unsigned i = 0; i < n; i++)
            if (present >> i & 1) all[i].state = TETRAD_READY;
        any = true;
    }
    return any;
}

// Lets a block go on when all of its threads that have not ended are at one barrier.
static bool tetrad_meet() {
    int line = -1;
    uint64_t all = 1, any = 0, count = 0;
    for (unsigned i = 0; i < tetrad_n_threads; i++) {
        tetrad_thread *thread = tetrad_threads + i;
        if (thread->state == TETRAD_DONE) continue;
        if (thread->state != TETRAD_BARRIER) return false;
        if (line >= 0 && thread->line != line) tetrad_stop();
        line = thread->line;
        all &= thread->value != 0;
        any |= thread->value != 0;
        count += thread->value != 0;
    }
    for (unsigned i = 0; i < tetrad_n_threads; i++) {
        tetrad_thread *thread = tetrad_threads + i;
        if (thread->state != TETRAD_BARRIER) continue;
        tetrad_kind kind = thread->kind;
        thread->result = kind == TETRAD_ALL ? all : kind == TETRAD_ANY ? any : count;
        thread->state = TETRAD_READY;
    }
    return line >= 0;
}

static bool tetrad_run_warp(unsigned warp, bool backwards) {
    unsigned first = warp * 32;
    unsigned n = tetrad_n_threads - first < 32 ? tetrad_n_threads - first : 32;
    bool any = false;
    for (unsigned i = 0; i < n; i++) {
        tetrad_thread *thread = tetrad_threads + first + (backwards ? n - 1 - i : i);
        if (thread->state > TETRAD_READY) continue;
        tetrad_enter(thread);
        any = true;
    }
    return any;
}

static void tetrad_run_block(size_t shared_bytes) {
    unsigned n_warps = (tetrad_n_threads + 31) / 32, at = 0;
    for (unsigned z = 0; z < tetrad_block_size.z; z++)
        for (unsigned y = 0; y < tetrad_block_size.y; y++)
            for (unsigned x = 0; x < tetrad_block_size.x; x++, at++) {
                tetrad_threads[at].index = {x, y, z};
                tetrad_threads[at].state = TETRAD_NEW;
            }
    tetrad_n_arrays = 0;
    tetrad_shared_end = tetrad_static_bytes = 0;
    tetrad_take(-1, shared_bytes);
    static unsigned order[32];
    for (;;) {
        uint64_t random = tetrad_draw();
        for (unsigned i = 0; i < n_warps; i++) {
            unsigned to = (unsigned)(tetrad_draw() % (i + 1));
            order[i] = order[to];
            order[to] = i;
        }
        bool any = false, exchanged = false, backwards = random >> 20 & 1;
        for (unsigned i = 0; i < n_warps; i++) {
            // A warp runs on alone, or all of them step by step.
            do {
                any |= tetrad_run_warp(order[i], backwards);
                exchanged = tetrad_exchange(order[i]);
                any |= exchanged;
            } while (exchanged && random >> 21 & 1);
        }
        bool done = true;
        for (unsigned i = 0; i < tetrad_n_threads && done; i++)
            done = tetrad_threads[i].state == TETRAD_DONE;
        if (done) break;
        if (!tetrad_meet() && !any) tetrad_stop();
    }
    tetrad_check_shared();
}

static void tetrad_launch(dim3 grid, dim3 block, size_t shared_bytes, void (*body)()) {
    tetrad_grid_size = grid;
    tetrad_block_size = block;
    tetrad_body = body;
    tetrad_n_threads = block.x * block.y * block.z;
    tetrad_n_free = TETRAD_MOST;
    for (unsigned i = 0; i < TETRAD_MOST; i++) tetrad_free[i] = tetrad_stacks[TETRAD_MOST - 1 - i];
    uint64_t n = (uint64_t)grid.x * grid.y * grid.z, step = tetrad_draw() % n;
    // A step without a factor in common with the number of blocks meets each once.
    for (;; step++) {
        uint64_t a = n, b = step;
        while (b) { uint64_t rest = a % b; a = b; b = rest; }
        if (a == 1) break;
    }
    uint64_t at = tetrad_draw() % n;
    for (uint64_t i = 0; i < n; i++, at = (at + step) % n) {
        tetrad_block_index = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y),
                              (unsigned)(at / grid.x / grid.y)};
        tetrad_run_block(shared_bytes);
    }
}

// Any pointer.
struct tetrad_pointer {
    void *at;
    template <class T> operator T *() const { return (T *)at; }
};

// ---- What kernels call ------------------------------------------------------------------------

[[gnu::noipa]] static uint64_t tetrad_block_wait(tetrad_kind kind, uint64_t value, int line) {
    tetrad_now->state = TETRAD_BARRIER;
    tetrad_now->kind = kind;
    tetrad_now->value = value;
    tetrad_now->line = line;
    tetrad_leave();
    return tetrad_now->result;
}

[[gnu::noipa]] static uint64_t tetrad_warp_wait(tetrad_kind kind, unsigned mask, uint64_t value,
                                                int arg, int width, int line) {
    if (width < 1 || width > 32 || width & (width - 1)) tetrad_stop();
    tetrad_now->state = TETRAD_WARP;
    tetrad_now->kind = kind;
    tetrad_now->mask = mask;
    tetrad_now->value = value;
    tetrad_now->arg = arg;
    tetrad_now->width = width;
    tetrad_now->line = line;
    tetrad_leave();
    return tetrad_now->result;
}

#define TETRAD_LINE int line = __builtin_LINE()
static inline void __syncthreads(TETRAD_LINE) { tetrad_block_wait(TETRAD_COUNT, 1, line); }
static inline int __syncthreads_count(int p, TETRAD_LINE) {
    return (int)tetrad_block_wait(TETRAD_COUNT, p != 0, line);
}
static inline int __syncthreads_and(int p, TETRAD_LINE) {
    return (int)tetrad_block_wait(TETRAD_ALL, p != 0, line);
}
static inline int __syncthreads_or(int p, TETRAD_LINE) {
    return (int)tetrad_block_wait(TETRAD_ANY, p != 0, line);
}
static inline void __syncwarp(unsigned mask = 0xffffffffu, TETRAD_LINE) {
    tetrad_warp_wait(TETRAD_SYNC, mask, 0, 0, 32, line);
}
template <class T>
static inline T tetrad_shuffle(tetrad_kind kind, unsigned mask, T value, int arg, int width, int line) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "only values of 4 or 8 bytes are exchanged");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = tetrad_warp_wait(kind, mask, bits, arg, width, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}
#define TETRAD_SHUFFLE(name, kind)                                                                 \
    template <class T>                                                                             \
    static inline T name(unsigned mask, T value, int arg, int width = 32, TETRAD_LINE) {           \
        return tetrad_shuffle(kind, mask, value, arg, width, line);                                \
    }
TETRAD_SHUFFLE(__shfl_sync, TETRAD_IDX)
TETRAD_SHUFFLE(__shfl_up_sync, TETRAD_UP)
TETRAD_SHUFFLE(__shfl_down_sync, TETRAD_DOWN)
TETRAD_SHUFFLE(__shfl_xor_sync, TETRAD_XOR)
#define TETRAD_VOTE(of, name, kind)                                                                \
    static inline of name(unsigned mask, int p, TETRAD_LINE) {                                     \
        return (of)tetrad_warp_wait(kind, mask, p != 0, 0, 32, line);                              \
    }
TETRAD_VOTE(unsigned, __ballot_sync, TETRAD_BALLOT)
TETRAD_VOTE(int, __any_sync, TETRAD_ANY)
TETRAD_VOTE(int, __all_sync, TETRAD_ALL)
template <class T> static inline unsigned __match_any_sync(unsigned mask, T value, TETRAD_LINE) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return (unsigned)tetrad_warp_wait(TETRAD_MATCH, mask, bits, 0, 32, line);
}
#define TETRAD_REDUCE(of, name, kind)                                                              \
    static inline of name(unsigned mask, of value, TETRAD_LINE) {                                  \
        return (of)tetrad_warp_wait(kind, mask, (unsigned)value, 0, 32, line);                     \
    }
TETRAD_REDUCE(unsigned, __reduce_add_sync, TETRAD_ADD)
TETRAD_REDUCE(int, __reduce_add_sync, TETRAD_ADD)
TETRAD_REDUCE(unsigned, __reduce_min_sync, TETRAD_UMIN)
TETRAD_REDUCE(int, __reduce_min_sync, TETRAD_MIN)
TETRAD_REDUCE(unsigned, __reduce_max_sync, TETRAD_UMAX)
TETRAD_REDUCE(int, __reduce_max_sync, TETRAD_MAX)
TETRAD_REDUCE(unsigned, __reduce_and_sync, TETRAD_AND)
TETRAD_REDUCE(unsigned, __reduce_or_sync, TETRAD_OR)
TETRAD_REDUCE(unsigned, __reduce_xor_sync, TETRAD_EITHER)

static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}

#define TETRAD_ATOMIC(name, change)                                                                \
    template <class T, class U> static inline T name(T *at, U with) {                              \
        T old = *at, value = (T)with;                                                              \
        *at = (T)(change);                                                                         \
        return old;                                                                                \
    }
TETRAD_ATOMIC(atomicAdd, old + value)
TETRAD_ATOMIC(atomicSub, old - value)
TETRAD_ATOMIC(atomicExch, value)
TETRAD_ATOMIC(atomicMin, old < value ? old : value)
TETRAD_ATOMIC(atomicMax, old > value ? old : value)
TETRAD_ATOMIC(atomicAnd, old & value)
TETRAD_ATOMIC(atomicOr, old | value)
TETRAD_ATOMIC(atomicXor, old ^ value)
TETRAD_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
TETRAD_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)
template <class T, class U, class V> static inline T atomicCAS(T *at, U compare, V value) {
    T old = *at;
    if (old == (T)compare) *at = (T)value;
    return old;
}

template <class T> static inline T __ldg(const T *at) { return *at; }
template <class T> static inline T __ldcs(const T *at) { return *at; }
template <class T> static inline T __ldca(const T *at) { return *at; }
template <class T> static inline T __ldcg(const T *at) { return *at; }
template <class T> static inline void __stcs(T *at, T value) { *at = value; }
template <class T> static inline void __stcg(T *at, T value) { *at = value; }
template <class T> static inline void __stwt(T *at, T value) { *at = value; }

template <class A, class B> static inline auto min(A a, B b) -> decltype(a + b) {
    return a < b || a != a ? a : b;
}
template <class A, class B> static inline auto max(A a, B b) -> decltype(a + b) {
    return a > b || a != a ? a : b;
}
static inline int __float_as_int(float x) { int i; memcpy(&i, &x, 4); return i; }
static inline unsigned __float_as_uint(float x) { unsigned i; memcpy(&i, &x, 4); return i; }
static inline float __int_as_float(int i) { float x; memcpy(&x, &i, 4); return x; }
static inline float __uint_as_float(unsigned i) { float x; memcpy(&x, &i, 4); return x; }
static inline long long __double_as_longlong(double x) { long long i; memcpy(&i, &x, 8); return i; }
static inline double __longlong_as_double(long long i) { double x; memcpy(&x, &i, 8); return x; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
static inline float normcdff(float x) { return 0.5f * erfcf(-0.70710678f * x); }
// Macros: the system's mathematics has functions of these names.
#define __expf(x) expf(x)
#define __exp10f(x) powf(10.0f, x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
static inline float __saturatef(float x) { return x > 0.0f ? x < 1.0f ? x : 1.0f : 0.0f; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
// No contraction with what surrounds them: the result is rounded once.
static inline float __fadd_rn(float x, float y) { volatile float r = x + y; return r; }
static inline float __fsub_rn(float x, float y) { volatile float r = x - y; return r; }
static inline float __fmul_rn(float x, float y) { volatile float r = x * y; return r; }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
    return r;
}
static inline unsigned __umulhi(unsigned x, unsigned y) {
    return (unsigned)((unsigned long long)x * y >> 32);
}
static inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
static inline int __mul24(int x, int y) { return x * y; }
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += (int)(signed char)(a >> 8 * i) * (signed char)(b >> 8 * i);
    return c;
}
static inline bool __isGlobal(const void *) { return true; }

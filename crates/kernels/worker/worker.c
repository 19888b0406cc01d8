// What runs a candidate inside the sandbox: it does what the harness orders, and says "done".
//
// It knows no task, no seed, no expected output, and it reads no clock. Whatever a candidate makes
// of this program, all that leaves it is the word "done" and the content of the outputs.
//
// Descriptors: 3 the orders (the harness writes), 4 the answers, 5 what is given (the harness
// writes), 6 what is returned. Layout of orders and answers: judge/worker.rs.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <omp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void tetrad_kernel(const void *const *in, void *const *out, void *scratch);
extern const int64_t tetrad_scratch_bytes;

enum { PAGE = 4096, MOST = 4096 };
enum { MAP = 1, CALL = 2 };
enum { FINE = 0, NO_ADDRESS = 1, NO_MEMORY = 2, NO_SCRATCH = 3 };

struct buffer {
    uint64_t start;   // of its region in the file
    uint64_t span;    // of the region
    uint64_t offset;  // of its content in the region
    uint64_t address; // of the guard page before the region
};

struct orders {
    uint32_t sequence;
    uint32_t command;
    uint32_t n_threads;
    uint32_t n_given;
    uint32_t n_returned;
    uint32_t unused;
    uint64_t most_scratch_bytes;
    struct buffer buffers[];
};

struct answers {
    uint32_t sequence;
    uint32_t status;
};

// The OpenMP library asks for the number of processors, and would look for it in files.
long sysconf(int name) {
    if (name == _SC_PAGESIZE) return PAGE;
    if (name != _SC_NPROCESSORS_CONF && name != _SC_NPROCESSORS_ONLN) return -1;
    unsigned long set[128] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, set);
    long n = 0;
    for (long i = 0; i < bytes / (long)sizeof set[0]; i++) n += __builtin_popcountl(set[i]);
    return n > 0 ? n : 1;
}

static struct {
    char *at;
    uint64_t length;
} mapped[MOST];
static uint32_t n_mapped;
static void *pointers[MOST];
static char *scratch;

static int map(int file, int protection, const struct buffer *buffer, void **pointer) {
    char *wanted = (char *)buffer->address;
    uint64_t length = buffer->span + 2 * PAGE;
    // Nothing can be read or written on either side.
    char *at = mmap(wanted, length, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED || at != wanted) return NO_ADDRESS;
    mapped[n_mapped].at = at;
    mapped[n_mapped++].length = length;
    // Populated: no call pays for page faults.
    void *content = mmap(at + PAGE, buffer->span, protection,
                         MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, (off_t)buffer->start);
    if (content == MAP_FAILED) return NO_MEMORY;
    *pointer = (char *)content + buffer->offset;
    return FINE;
}

static int map_all(const struct orders *orders) {
    if (!scratch) {
        uint64_t length = tetrad_scratch_bytes > 0 ? (uint64_t)tetrad_scratch_bytes : 0;
        if (tetrad_scratch_bytes < 0 || length > orders->most_scratch_bytes) return NO_SCRATCH;
        length = (length + 2 * PAGE - 1) / PAGE * PAGE;
        char *at = mmap(NULL, length + 2 * PAGE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) return NO_MEMORY;
        scratch = mmap(at + PAGE, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
        if (scratch == MAP_FAILED) return NO_MEMORY;
    }
    while (n_mapped > 0) {
        n_mapped--;
        munmap(mapped[n_mapped].at, mapped[n_mapped].length);
    }
    uint32_t n = orders->n_given + orders->n_returned;
    for (uint32_t i = 0; i < n; i++) {
        int given = i < orders->n_given;
        int status = map(given ? 5 : 6, given ? PROT_READ : PROT_READ | PROT_WRITE,
                         &orders->buffers[i], &pointers[i]);
        if (status != FINE) return status;
    }
    return FINE;
}

int main(void) {
    struct stat size;
    if (fstat(3, &size)) return 2;
    const struct orders *orders = mmap(NULL, (size_t)size.st_size, PROT_READ, MAP_SHARED, 3, 0);
    struct answers *answers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 4, 0);
    if (orders == MAP_FAILED || answers == MAP_FAILED) return 2;
    if (orders->n_given + (uint64_t)orders->n_returned > MOST) return 2;
    omp_set_dynamic(0);
    uint32_t last = 0;
    for (;;) {
        uint32_t now;
        while ((now = __atomic_load_n(&orders->sequence, __ATOMIC_ACQUIRE)) == last)
            syscall(SYS_futex, &orders->sequence, FUTEX_WAIT, last, NULL, NULL, 0);
        last = now;
        if (orders->command == MAP) {
            omp_set_num_threads((int)orders->n_threads);
            answers->status = (uint32_t)map_all(orders);
        } else {
            tetrad_kernel((const void *const *)pointers, pointers + orders->n_given, scratch);
        }
        __atomic_store_n(&answers->sequence, now, __ATOMIC_RELEASE);
        syscall(SYS_futex, &answers->sequence, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

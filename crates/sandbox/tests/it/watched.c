// What the tests of watched programs run inside. Descriptor 3 is memory in common.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint32_t *words;

static void *count(void *unused) {
    while (!words[0]) {
        __atomic_fetch_add(&words[1], 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &words[1], FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    return unused;
}

static void *nothing(void *unused) { return unused; }

int main(int argc, char **argv) {
    const char *act = argc > 1 ? argv[1] : "";
    if (!strcmp(act, "write")) {
        void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
        void *plain = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0);
        int later = mprotect(plain, 4096, PROT_READ | PROT_WRITE);
        ssize_t written = syscall(SYS_write, 3, "x", 1);
        printf("%s %s %s\n", mapped == MAP_FAILED ? "refused" : "mapped",
               later ? "refused" : "opened", written < 0 ? "refused" : "written");
        return 0;
    }
    words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    if (words == MAP_FAILED) return 2;
    if (!strcmp(act, "hello")) {
        puts("hello");
    } else if (!strcmp(act, "threads")) {
        pthread_t threads[2];
        int made = 0;
        for (int i = 0; i < 2; i++) made += !pthread_create(&threads[i], NULL, nothing, NULL);
        for (int i = 0; i < made; i++) pthread_join(threads[i], NULL);
        printf("%d threads\n", made);
    } else if (!strcmp(act, "processes")) {
        if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0) return 3;
        if (syscall(SYS_vfork) >= 0) return 4;
        if (syscall(SYS_fork) >= 0) return 5;
    } else if (!strcmp(act, "others")) {
        char *arguments[] = {"again", NULL};
        if (!execve("/proc/self/exe", arguments, NULL)) return 3;
        if (open("/proc/self/maps", O_RDONLY) >= 0) return 4;
        if (syscall(SYS_socket, 1, 1, 0) >= 0) return 5;
        if (syscall(SYS_memfd_create, "x", 0) >= 0) return 6;
        if (!syscall(SYS_kill, 1, SIGTERM)) return 7;
        uint64_t set = 1;
        if (!syscall(SYS_sched_setaffinity, 0, sizeof set, &set)) return 8;
    } else if (!strcmp(act, "count")) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count, NULL);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    }
    return 0;
}

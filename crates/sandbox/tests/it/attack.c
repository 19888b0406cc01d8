/* Attempts, one per name, what the sandbox must refuse. Prints "ok" or the error number. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

static int report(const char *what, long result) {
    if (result < 0) printf("%s: %d\n", what, errno);
    else printf("%s: ok\n", what);
    return 0;
}

static void inet(int kind) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "1.1.1.1", &to.sin_addr);
    int s = socket(AF_INET, kind, 0);
    report("socket", s);
    if (kind == SOCK_DGRAM) report("send", sendto(s, "x", 1, 0, (void *)&to, sizeof to));
    else report("connect", connect(s, (void *)&to, sizeof to));
}

static void abstract(const char *name) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path + 1, name, strlen(name));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    report("connect", connect(s, (void *)&to, sizeof(sa_family_t) + 1 + strlen(name)));
}

static void memory_of_first(void) {
    char here[64];
    struct iovec local = {here, sizeof here}, remote = {(void *)0x400000, sizeof here};
    report("process_vm_readv", process_vm_readv(1, &local, 1, &remote, 1, 0));
    report("mem", open("/proc/1/mem", O_RDONLY));
    report("maps", open("/proc/1/maps", O_RDONLY));
    report("environ", open("/proc/1/environ", O_RDONLY));
    report("fd", open("/proc/1/fd", O_RDONLY));
    report("root", open("/proc/1/root", O_RDONLY));
    int first = syscall(SYS_pidfd_open, 1, 0);
    report("pidfd_getfd", syscall(SYS_pidfd_getfd, first, 3, 0));
}

static void from_memory(const char *path) {
    int from = open(path, O_RDONLY), to = memfd_create("hidden", 0);
    char block[65536];
    long n;
    while ((n = read(from, block, sizeof block)) > 0)
        if (write(to, block, n) != n) exit(9);
    char *argv[] = {"innocent", NULL}, *envp[] = {NULL};
    fexecve(to, argv, envp);
    report("fexecve", -1);
}

static void hog(int anonymous_file) {
    for (int i = 0; i < 4096; i++) {
        size_t size = 1 << 20;
        if (anonymous_file) {
            int at = memfd_create("hog", 0);
            char *block = calloc(1, size);
            for (int j = 0; j < 64; j++)
                if (write(at, block, size) < 0) break;
            free(block);
        } else {
            char *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (at == MAP_FAILED) break;
            memset(at, 7, size);
        }
        poll(NULL, 0, 2);
    }
    sleep(30);
}

static void shared_mapping(const char *path, const char *program) {
    int at = open(path, O_RDWR);
    char *text = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, at, 0);
    if (text == MAP_FAILED) { report("mmap", -1); return; }
    char *argv[] = {(char *)program, NULL};
    memcpy(text, "CHEAT", 5);
    if (vfork() == 0) { execv(program, argv); _exit(1); }
    int status;
    wait4(-1, &status, 0, NULL);
    memcpy(text, "board", 5);
    if (vfork() == 0) { execv(program, argv); _exit(1); }
    wait4(-1, &status, 0, NULL);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *more = argc > 2 ? argv[2] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(what, "tcp")) inet(SOCK_STREAM);
    else if (!strcmp(what, "udp")) inet(SOCK_DGRAM);
    else if (!strcmp(what, "families")) {
        report("vsock", socket(40, SOCK_STREAM, 0));
        report("packet", socket(17, SOCK_RAW, 0));
        report("alg", socket(38, SOCK_SEQPACKET, 0));
        report("netfilter", socket(16, SOCK_RAW, 12));
    }
    else if (!strcmp(what, "abstract")) abstract(more);
    else if (!strcmp(what, "first")) {
        report("ptrace", ptrace(PTRACE_ATTACH, 1, 0, 0));
        memory_of_first();
        report("kill", kill(1, SIGKILL));
        report("stop", kill(1, SIGSTOP));
    }
    else if (!strcmp(what, "mount")) {
        report("tmpfs", mount("none", "/tmp", "tmpfs", 0, ""));
        report("remount", mount("none", "/usr", "", MS_REMOUNT | MS_BIND, ""));
        report("umount", umount2("/usr", MNT_DETACH));
        report("chroot", chroot("/tmp"));
        report("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
        report("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
        report("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
    }
    else if (!strcmp(what, "namespaces")) {
        report("unshare", unshare(CLONE_NEWUSER));
        report("unshare-net", unshare(CLONE_NEWNET));
        report("unshare-time", unshare(0x80));
        int at = open("/proc/self/ns/net", O_RDONLY);
        report("setns", setns(at, 0));
        report("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
        struct { unsigned long long flags, rest[10]; } plan = {CLONE_NEWUSER, {0}};
        report("clone3", syscall(SYS_clone3, &plan, sizeof plan));
    }
    else if (!strcmp(what, "kernel")) {
        char buffer[512] = {0};
        report("io_uring", syscall(SYS_io_uring_setup, 8, buffer));
        report("bpf", syscall(SYS_bpf, 0, buffer, sizeof buffer));
        report("perf", syscall(SYS_perf_event_open, buffer, 0, -1, -1, 0));
        report("userfaultfd", syscall(SYS_userfaultfd, 0));
        report("keyctl", syscall(SYS_keyctl, 0, -3));
        report("module", syscall(SYS_finit_module, 0, "", 0));
        report("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
        report("seccomp", syscall(SYS_seccomp, 1, 0, buffer));
        report("prctl", prctl(PR_SET_SECCOMP, 2, buffer));
        report("handle", syscall(SYS_open_by_handle_at, AT_FDCWD, buffer, 0));
        report("unknown", syscall(5000));
#ifdef __x86_64__
        report("x32", syscall(0x40000000 | SYS_getpid));
#endif
    }
    else if (!strcmp(what, "memory")) hog(0);
    else if (!strcmp(what, "memory-file")) hog(1);
    else if (!strcmp(what, "from-memory")) from_memory(more);
    else if (!strcmp(what, "map")) shared_mapping(more, "/bin/true");
    else if (!strcmp(what, "signal")) {
        report("kill", kill(atoi(more), SIGTERM));
        report("setpriority", setpriority(PRIO_PROCESS, atoi(more), 19));
        struct rlimit limit = {60, 60};
        report("prlimit", prlimit(atoi(more), RLIMIT_CPU, &limit, NULL));
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(0, &set);
        report("affinity", sched_setaffinity(atoi(more), sizeof set, &set));
    }
    else return 2;
    return 0;
}

//! Which system calls there are, by what is done with them.

/// A call's name and number.
pub(super) type Call = (&'static str, libc::c_long);

macro_rules! calls {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), libc::$name)),*]
    };
}

/// Calls that programs may make without anybody looking.
#[rustfmt::skip]
pub(super) const ALLOWED: &[Call] = calls![
    // Files and descriptors.
    SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_lseek, SYS_ioctl, SYS_pread64, SYS_pwrite64,
    SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_dup, SYS_dup3,
    SYS_fcntl, SYS_flock, SYS_fsync, SYS_fdatasync, SYS_truncate, SYS_ftruncate, SYS_getdents64,
    SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_umask, SYS_openat, SYS_openat2, SYS_mkdirat,
    SYS_mknodat, SYS_fchown, SYS_fchownat, SYS_newfstatat, SYS_unlinkat, SYS_renameat2,
    SYS_linkat, SYS_symlinkat, SYS_readlinkat, SYS_fchmod, SYS_fchmodat, SYS_faccessat,
    SYS_faccessat2, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_utimensat, SYS_fallocate, SYS_pipe2,
    SYS_splice, SYS_tee, SYS_sendfile, SYS_copy_file_range, SYS_sync_file_range, SYS_fadvise64,
    SYS_readahead, SYS_sync, SYS_syncfs, SYS_close_range, SYS_setxattr, SYS_lsetxattr,
    SYS_fsetxattr, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, SYS_listxattr, SYS_llistxattr,
    SYS_flistxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_inotify_init1,
    SYS_inotify_add_watch, SYS_inotify_rm_watch,
    // Memory.
    SYS_mprotect, SYS_munmap, SYS_brk, SYS_mremap, SYS_msync, SYS_mincore, SYS_madvise, SYS_mlock,
    SYS_munlock, SYS_mlockall, SYS_munlockall, SYS_mlock2, SYS_membarrier, SYS_pkey_alloc,
    SYS_pkey_free, SYS_pkey_mprotect, SYS_get_mempolicy, SYS_set_mempolicy, SYS_mbind,
    // Waiting and time.
    SYS_pselect6, SYS_ppoll, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2,
    SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime,
    SYS_nanosleep, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_gettimeofday,
    SYS_getitimer, SYS_setitimer, SYS_timer_create, SYS_timer_settime, SYS_timer_gettime,
    SYS_timer_getoverrun, SYS_timer_delete, SYS_times, SYS_futex, SYS_futex_waitv,
    SYS_restart_syscall,
    // This process, its children and threads.
    SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_getpid, SYS_getppid, SYS_gettid,
    SYS_getpgid, SYS_setpgid, SYS_getsid, SYS_setsid, SYS_getuid, SYS_geteuid, SYS_getgid,
    SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid, SYS_setgid,
    SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
    SYS_capget, SYS_capset, SYS_getrlimit, SYS_setrlimit, SYS_getrusage, SYS_uname, SYS_sysinfo,
    SYS_set_tid_address, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_getcpu,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
    SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_sched_rr_get_interval,
    SYS_sched_getattr, SYS_getpriority, SYS_ioprio_get, SYS_getrandom, SYS_pidfd_open,
    SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self,
    // Signals to itself.
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending,
    SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_sigaltstack,
    // Sockets that exist already; making and addressing them is looked at.
    SYS_accept, SYS_accept4, SYS_listen, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendmsg,
    SYS_sendmmsg, SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt,
];

/// Older names for the same, where the architecture still has them.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const ALLOWED_OLD: &[Call] = calls![
    SYS_open, SYS_stat, SYS_lstat, SYS_poll, SYS_access, SYS_pipe, SYS_select, SYS_dup2,
    SYS_pause, SYS_alarm, SYS_fork, SYS_vfork, SYS_rename, SYS_renameat, SYS_mkdir, SYS_rmdir,
    SYS_creat, SYS_link, SYS_unlink, SYS_symlink, SYS_readlink, SYS_chmod, SYS_chown, SYS_lchown,
    SYS_getdents, SYS_utime, SYS_utimes, SYS_futimesat, SYS_time, SYS_getpgrp, SYS_epoll_create,
    SYS_epoll_wait, SYS_eventfd, SYS_signalfd, SYS_inotify_init, SYS_mknod, SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const ALLOWED_OLD: &[Call] = calls![SYS_renameat];

/// Calls that the supervisor looks at and lets through.
pub(super) const WATCHED: &[Call] = calls![
    SYS_execve,
    SYS_execveat,
    SYS_connect,
    SYS_bind,
    SYS_memfd_create,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
];

/// Calls that are refused, and whose attempt is recorded.
#[rustfmt::skip]
pub(super) const REFUSED: &[Call] = calls![
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp,
    SYS_process_madvise, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns,
    SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_mount_setattr, SYS_bpf, SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key,
    SYS_userfaultfd, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_seccomp, SYS_reboot,
    SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_sethostname, SYS_setdomainname,
    SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_syslog,
    SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init, SYS_fanotify_mark,
    SYS_setgroups, SYS_memfd_secret, SYS_shmget, SYS_msgget, SYS_semget, SYS_vhangup,
    SYS_migrate_pages, SYS_move_pages, SYS_vmsplice, SYS_mq_open,
];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const REFUSED_OLD: &[Call] = calls![
    SYS_kexec_file_load, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const REFUSED_OLD: &[Call] = calls![SYS_kexec_file_load];

/// Calls whose arguments decide; see `filter`.
#[rustfmt::skip]
pub(super) const CONDITIONAL: &[Call] = calls![
    SYS_clone, SYS_unshare, SYS_socket, SYS_socketpair, SYS_sendto, SYS_prctl, SYS_prlimit64,
    SYS_setpriority, SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam,
    SYS_sched_setattr, SYS_ioprio_set, SYS_mmap, SYS_personality,
];

/// All that a program may do that only computes; beside these, threads of its own.
#[rustfmt::skip]
pub(super) const COMPUTING: &[Call] = calls![
    SYS_read, SYS_write, SYS_writev, SYS_close, SYS_fstat, SYS_newfstatat,
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
    SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_getcpu, SYS_clock_gettime,
    SYS_exit, SYS_exit_group, SYS_getpid, SYS_gettid, SYS_set_tid_address, SYS_set_robust_list,
    SYS_rseq, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall,
    SYS_getrandom, SYS_uname,
    // For the announcement, before the exec; the program itself has no socket and can make none.
    SYS_sendmsg,
];

/// Of one architecture only.
#[cfg(target_arch = "x86_64")]
pub(super) const COMPUTING_OLD: &[Call] = calls![SYS_arch_prctl];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const COMPUTING_OLD: &[Call] = &[];

/// Calls by which a static program's start finds out where it lies: nothing is there.
#[cfg(target_arch = "x86_64")]
pub(super) const IN_VAIN: &[Call] = calls![SYS_readlink, SYS_readlinkat];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const IN_VAIN: &[Call] = calls![SYS_readlinkat];

/// Name of a call by number, without prefix; `call-N` for one that the lists do not know.
pub(in crate::linux) fn name(number: i64) -> String {
    [ALLOWED, ALLOWED_OLD, WATCHED, REFUSED, REFUSED_OLD, CONDITIONAL]
        .into_iter()
        .flatten()
        .find(|call| call.1 == number)
        .map_or_else(|| format!("call-{number}"), |call| call.0.replacen("SYS_", "", 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_call_is_in_two_lists() {
        let all = [ALLOWED, ALLOWED_OLD, WATCHED, REFUSED, REFUSED_OLD, CONDITIONAL];
        let mut seen = BTreeSet::new();
        for (name, number) in all.into_iter().flatten() {
            assert!(seen.insert(number), "`{name}` is listed twice");
        }
    }

    #[test]
    fn names_have_no_prefix_and_unknown_numbers_show() {
        assert_eq!(name(libc::SYS_io_uring_setup), "io_uring_setup");
        assert_eq!(name(99_999), "call-99999");
    }
}

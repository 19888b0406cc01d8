//! A thread that may do nothing but look at the clock: how it is proved that a loop does no more.
#![expect(unsafe_code, reason = "installs a seccomp filter through libc")]

use std::io;

use super::check;

/// From now on the calling thread may sleep, read clocks and end; any other system call kills the
/// process with `SIGSYS`. There is no way back.
pub(crate) fn only_the_clock() -> io::Result<()> {
    const ALLOWED: [libc::c_long; 4] = [
        libc::SYS_clock_nanosleep,
        libc::SYS_clock_gettime,
        // Sleep that a stop and its end interrupted is taken up through this.
        libc::SYS_restart_syscall,
        libc::SYS_exit,
    ];
    let step =
        |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    // The number of the call is the first field of `struct seccomp_data`.
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (idx, number) in ALLOWED.iter().enumerate() {
        let to_allow = u8::try_from(ALLOWED.len() - idx).expect("few calls");
        let number = u32::try_from(*number).expect("numbers of calls are small");
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_allow, 0, number));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_KILL_PROCESS));
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: this option takes numbers.
    check(i64::from(unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64)
    }))?;
    // SAFETY: `program` and its filter are readable; the kernel copies and checks them.
    check(i64::from(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    }))
    .map(drop)
}

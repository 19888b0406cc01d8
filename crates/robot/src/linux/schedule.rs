//! Scheduling classes, processors, locked memory: of the calling thread.
#![expect(unsafe_code, reason = "asks the scheduler through libc")]

use std::io;

use super::check;

/// `struct sched_attr` of linux/sched/types.h, first version.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// `SCHED_FLAG_RESET_ON_FORK`: children are ordinary. Without it a thread with a deadline cannot
/// start any.
const RESET_ON_FORK: u64 = 1;

/// `SCHED_FLAG_RECLAIM`: a budget stretches over what nobody else was promised. A host that takes the
/// processor away in a tick spends the budget too, and without this the loop is suspended for it.
const RECLAIM: u64 = 2;

fn set(policy: libc::c_int, priority: u32, runtime: u64, period: u64) -> io::Result<()> {
    let reclaim = if policy == libc::SCHED_DEADLINE { RECLAIM } else { 0 };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: policy.cast_unsigned(),
        flags: RESET_ON_FORK | reclaim,
        nice: 0,
        priority,
        runtime,
        deadline: period,
        period,
    };
    // SAFETY: `attributes` is readable and says its own size; 0 is the calling thread.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) }).map(drop)
}

/// `SCHED_DEADLINE`: `runtime` nanoseconds in each `period`, promised by the kernel or refused.
pub(crate) fn deadline(runtime: u64, period: u64) -> io::Result<()> {
    set(libc::SCHED_DEADLINE, 0, runtime, period)
}

/// `SCHED_FIFO`: before every ordinary thread, until it sleeps.
pub(crate) fn fifo(priority: u8) -> io::Result<()> {
    set(libc::SCHED_FIFO, priority.into(), 0, 0)
}

/// `SCHED_OTHER`, as every thread begins.
pub(crate) fn other() -> io::Result<()> {
    set(libc::SCHED_OTHER, 0, 0, 0)
}

/// Keeps the calling thread on these processors.
pub(crate) fn pin(processors: &[usize]) -> io::Result<()> {
    // SAFETY: all-zero is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &processor in processors {
        if processor >= libc::CPU_SETSIZE as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the number is inside the set.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    // SAFETY: `set` is readable and of the size given.
    check(i64::from(unsafe {
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    }))
    .map(drop)
}

/// Keeps all memory of this process, and what it maps later, from being paged out.
pub(crate) fn lock_memory() -> io::Result<()> {
    // SAFETY: plain system call.
    check(i64::from(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) })).map(drop)
}

/// Wakes the calling thread when its time comes, not up to 50 µs later to save a wake-up.
pub(crate) fn no_timer_slack() -> io::Result<()> {
    // SAFETY: this option takes a number.
    check(i64::from(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64) }))
        .map(drop)
}

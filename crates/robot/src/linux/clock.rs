//! Monotonic time, absolute sleep, and time on the processor.
#![expect(unsafe_code, reason = "reads clocks through libc")]

/// Nanoseconds of one of the kernel's clocks.
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable. The clocks used here always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Nanoseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
pub(crate) fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds that the calling thread has spent on a processor.
pub(crate) fn thread_cpu() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Sleeps until the monotonic clock shows `at`; returns at once when it is past.
pub(crate) fn sleep_until(at: u64) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(at / 1_000_000_000).unwrap_or(libc::time_t::MAX),
        tv_nsec: (at % 1_000_000_000).cast_signed(),
    };
    loop {
        // SAFETY: `time` is readable; with an absolute time nothing is written back.
        let result = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const time,
                std::ptr::null_mut(),
            )
        };
        // A signal that was handled, or the end of a stop: the time is absolute, so sleep on.
        if result != libc::EINTR {
            return;
        }
    }
}

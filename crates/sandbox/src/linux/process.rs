//! A process seen from outside: stopped, continued, looked at.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::call::{check, pidfd};
use super::{fd, procfs};

/// A process of another, all its threads taken together.
#[derive(Debug)]
pub struct Process {
    /// Stands for the process, also when its number is used again.
    handle: OwnedFd,
    /// Its number in our pid namespace.
    pid: i32,
}

impl Process {
    /// The process behind a pidfd.
    pub(crate) fn of(handle: OwnedFd) -> io::Result<Process> {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()))?;
        let pid = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
        match pid {
            Some(pid) if pid > 0 => Ok(Process { handle, pid }),
            _ => Err(io::Error::other("the process is gone already")),
        }
    }

    /// A child of this program that has not been waited for.
    pub fn child(child: &std::process::Child) -> io::Result<Process> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Process { handle: pidfd(pid)?, pid })
    }

    fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: plain system call on an open descriptor, without further information.
        let result = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.handle.as_raw_fd(), signal, no_info, 0)
        };
        check(result).map(drop)
    }

    /// Asks all threads to stop; they have when [`Process::await_stopped`] says so.
    pub fn stop(&self) -> io::Result<()> {
        self.signal(libc::SIGSTOP)
    }

    /// Lets all threads go on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(libc::SIGCONT)
    }

    /// Ends it.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> io::Result<bool> {
        let mut fds = [fd::interest(self.handle.as_fd(), libc::POLLIN)];
        fd::poll(&mut fds, Some(Duration::ZERO))?;
        Ok(fds[0].revents != 0)
    }

    fn threads(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(format!("/proc/{}/task", self.pid))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    }

    /// Waits until no thread can execute another instruction. How many there are; `None` when it
    /// has ended, or not stopped by the deadline.
    pub fn await_stopped(&self, deadline: Instant) -> io::Result<Option<usize>> {
        loop {
            // A thread that exists while others run may make more: all of one look must stand.
            let mut n_threads = 0;
            let mut running = false;
            for thread in self.threads().unwrap_or_default() {
                let text = procfs::read(&thread.join("stat").to_string_lossy());
                match text.as_deref().and_then(procfs::parse_state) {
                    Some('T') => n_threads += 1,
                    // Ended, or gone since the look.
                    Some('Z' | 'X') | None => {}
                    Some(_) => running = true,
                }
            }
            if !running && n_threads > 0 {
                return Ok(Some(n_threads));
            }
            if self.has_ended()? || Instant::now() >= deadline {
                return Ok(None);
            }
            std::hint::spin_loop();
        }
    }

    /// Processor time of all its threads so far, also of those that have ended.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        /// From linux/posix-timers_types.h: the clock of a whole process, as the scheduler counts.
        const SCHEDULED: libc::clockid_t = 2;
        let clock = (!self.pid << 3) | SCHEDULED;
        // SAFETY: all-zero is a valid timespec.
        let mut time: libc::timespec = unsafe { mem::zeroed() };
        // SAFETY: `time` is writable.
        check(i64::from(unsafe { libc::clock_gettime(clock, &raw mut time) }))?;
        let negative = |_| io::Error::other("a negative time");
        Ok(Duration::new(
            u64::try_from(time.tv_sec).map_err(negative)?,
            u32::try_from(time.tv_nsec).map_err(negative)?,
        ))
    }

    /// Lets its threads, and those to come, start running soon after they are woken, as far as
    /// this user may ask for that.
    pub fn favor(&self, how: Favor) {
        // Where sessions are scheduled as groups, the group's value counts; a kernel without such
        // groups has no such file, and an ordinary user may not write it.
        let _ = fs::write(format!("/proc/{}/autogroup", self.pid), FAVORED.to_string());
        for thread in self.threads().unwrap_or_default() {
            let id = thread.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(id) = id {
                favor_thread(id, how, 0);
            }
        }
    }

    /// Binds its threads, and those to come, to these processors, counted from 0.
    pub fn bind(&self, processors: &[usize]) -> io::Result<()> {
        // SAFETY: all-zero is an empty set.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        for &processor in processors {
            if processor >= libc::CPU_SETSIZE as usize {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: below the size of the set.
            unsafe { libc::CPU_SET(processor, &mut set) };
        }
        for thread in self.threads()? {
            let name = thread.file_name().and_then(|name| name.to_str());
            let Some(id) = name.and_then(|name| name.parse().ok()) else { continue };
            // SAFETY: a live set of the size given.
            let result =
                unsafe { libc::sched_setaffinity(id, mem::size_of_val(&set), &raw const set) };
            check(i64::from(result))?;
        }
        Ok(())
    }
}

/// Nice value of those who shall not wait.
const FAVORED: libc::c_int = -15;

/// Time slice of those: the shortest there is. Who asks for little at once is served first.
const SLICE_NANOS: u64 = 100_000;

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

/// How far a favor may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Favor {
    /// Served before others, who still get their share.
    Soon,
    /// As [`Favor::Soon`] for an ordinary user. For root: at once, in the place of others, who get
    /// what the kernel keeps for them (a twentieth of each second) while it lasts.
    AtOnce,
}

/// How a thread is scheduled.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    /// 0: the usual way; above: in real time.
    priority: u32,
    nice: libc::c_int,
    /// 0 is the usual slice. Kernels before 6.12 ignore it.
    slice_nanos: u64,
}

/// Sets it for a thread, or for the calling one for 0. Whether it was granted.
fn set_schedule(thread: libc::id_t, schedule: Schedule) -> bool {
    let policy = if schedule.priority > 0 { libc::SCHED_RR } else { libc::SCHED_OTHER };
    let attributes = Attributes {
        size: 48,
        policy: policy.cast_unsigned(),
        flags: 0,
        nice: schedule.nice,
        priority: schedule.priority,
        runtime: schedule.slice_nanos,
        deadline: 0,
        period: 0,
    };
    // SAFETY: `attributes` is live and says its size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, 0) == 0 }
}

fn nice_of(thread: libc::id_t) -> libc::c_int {
    // SAFETY: plain system call; -1 is also a nice value.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, thread) }
}

/// Among those favored at once, who has the higher `rank` comes first.
fn favor_thread(thread: libc::id_t, how: Favor, rank: u32) {
    let usual = |nice| Schedule { priority: 0, nice, slice_nanos: SLICE_NANOS };
    let real_time = Schedule { priority: 1 + rank, nice: 0, slice_nanos: 0 };
    // Real time and a lower nice value are root's to give; a short slice is anybody's.
    let _granted = how == Favor::AtOnce && set_schedule(thread, real_time)
        || set_schedule(thread, usual(FAVORED))
        || set_schedule(thread, usual(nice_of(thread)));
}

/// Lets the calling thread start running soon after it is woken while this lives.
#[derive(Debug)]
pub struct Favored {
    /// What the nice value was.
    before: libc::c_int,
}

impl Favored {
    /// From now on.
    #[must_use]
    pub fn this_thread(how: Favor) -> Favored {
        let before = nice_of(0);
        // Above the process that it watches: it must be able to stop it.
        favor_thread(0, how, 1);
        Favored { before }
    }
}

impl Drop for Favored {
    fn drop(&mut self) {
        set_schedule(0, Schedule { priority: 0, nice: self.before, slice_nanos: 0 });
    }
}

/// Processors that this process may use, counted from 0.
pub fn processors() -> io::Result<Vec<usize>> {
    // SAFETY: all-zero is an empty set, which the kernel fills.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: a writable set of the size given.
    let result = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) };
    check(i64::from(result))?;
    // SAFETY: every number is below the size of the set.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|&at| unsafe { libc::CPU_ISSET(at, &set) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_process_uses_no_time_until_it_goes_on() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .expect("a shell");
        let process = Process::child(&child).expect("a process");
        let deadline = Instant::now() + Duration::from_secs(10);
        process.stop().expect("stops");
        assert_eq!(process.await_stopped(deadline).expect("looks"), Some(1));
        let before = process.cpu_time().expect("a time");
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(process.cpu_time().expect("a time"), before);
        process.resume().expect("goes on");
        while process.cpu_time().expect("a time") <= before {
            assert!(Instant::now() < deadline, "it stands still");
        }
        assert!(!process.has_ended().expect("looks"));
        process.kill().expect("ends");
        child.wait().expect("ours");
        assert!(process.has_ended().expect("looks"));
        assert_eq!(process.await_stopped(deadline).expect("looks"), None);
    }

    #[test]
    fn a_process_can_be_bound_to_one_processor() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a sleeper");
        let process = Process::child(&child).expect("a process");
        let one = processors().expect("some")[0];
        process.bind(&[one]).expect("bound");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("alive");
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        assert_eq!(line.map(str::trim), Some(one.to_string().as_str()));
        process.kill().expect("ends");
        child.wait().expect("ours");
    }
}

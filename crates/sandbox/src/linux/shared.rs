//! Anonymous files in memory: data in common with a program inside, and the program itself.
//!
//! Sealing, not trust, decides who may write: a file that the harness alone may write is sealed
//! after the harness has mapped it, so no later mapping of it can be writable, whoever makes it.
#![expect(unsafe_code, reason = "maps memory and waits on it through libc")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::call::check;
use super::fd::owned;

/// `MFD_NOEXEC_SEAL` and `MFD_EXEC` of linux/memfd.h (Linux 6.3).
const NO_EXEC: libc::c_uint = 8;
const EXEC: libc::c_uint = 16;

/// What the program inside may do with the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// Only read it. The harness writes.
    Reads,
    /// Read and write it.
    Writes,
}

/// Memory in common. Its size is fixed.
///
/// What another process may change at any moment is only ever copied in and out, or read and
/// written as single words. A copy is whole when the other process is stopped meanwhile.
#[derive(Debug)]
pub struct Memory {
    file: OwnedFd,
    at: *mut u8,
    length: usize,
    inside: Inside,
}

// SAFETY: a mapping may be used from any thread; shared access goes through atomics or copies out.
unsafe impl Send for Memory {}

/// An anonymous file with kinds of flags that older kernels do not know left out.
fn anonymous(extra: libc::c_uint) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    for flags in [flags | extra, flags] {
        // SAFETY: the name is a C string.
        let raw = unsafe { libc::memfd_create(c"shared".as_ptr(), flags) };
        match check(i64::from(raw)) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            result => return result.map(owned),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

fn seal(file: BorrowedFd<'_>, seals: libc::c_int) -> io::Result<()> {
    // SAFETY: plain system call on an open descriptor.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    check(i64::from(result)).map(drop)
}

/// A program in a file that nobody, also not the program, can write any more.
pub fn program(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(anonymous(EXEC)?);
    file.write_all(bytes)?;
    let file = OwnedFd::from(file);
    seal(
        file.as_fd(),
        libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL,
    )?;
    Ok(file)
}

impl Memory {
    /// Zeroed memory of at least one byte, present from the start.
    pub fn create(bytes: usize, inside: Inside) -> io::Result<Memory> {
        let length = bytes.max(1);
        let file = anonymous(NO_EXEC)?;
        let size = libc::off_t::try_from(length)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        // SAFETY: plain system call on an open descriptor.
        check(i64::from(unsafe { libc::ftruncate(file.as_raw_fd(), size) }))?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a new mapping of a file of this length, anywhere.
        let at = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = Memory { file, at: at.cast(), length, inside };
        // Fixed in size whoever holds it: a file cut short would make the harness's own access a
        // fault.
        let mut seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        if inside == Inside::Reads {
            seals |= libc::F_SEAL_FUTURE_WRITE;
        }
        seal(memory.file.as_fd(), seals)?;
        Ok(memory)
    }

    /// The file, to be given to a program.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The file opened anew, with no more rights than the program inside is to have. Unlike the
    /// descriptor itself it shares no position with others, by which one program could tell the
    /// next something.
    pub fn reopen(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let writes = self.inside == Inside::Writes;
        File::options().read(true).write(writes).open(path).map(OwnedFd::from)
    }

    /// Size in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.length
    }

    fn place(&self, offset: usize, length: usize) -> *mut u8 {
        let end = offset.checked_add(length).expect("no overflow");
        assert!(end <= self.length, "{offset} + {length} is outside {} bytes", self.length);
        // SAFETY: within the mapping, as just checked.
        unsafe { self.at.add(offset) }
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Panics
    ///
    /// Outside the memory; so do the others.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let to = self.place(offset, bytes.len());
        // SAFETY: `to` is valid for this length; a slice of ours does not overlap the mapping,
        // which no reference ever points to.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Reads into `bytes` from `offset`.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.place(offset, bytes.len());
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        let at = self.place(offset, 4).cast::<u32>();
        assert!(at.is_aligned(), "a word is aligned to 4 bytes");
        // SAFETY: valid and aligned for as long as `self`; also other processes only use it whole.
        unsafe { AtomicU32::from_ptr(at) }
    }

    /// Reads the word at `offset`; what the other side wrote before it wrote the word is there.
    #[must_use]
    pub fn load(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::Acquire)
    }

    /// Writes the word at `offset` after all that was written before.
    pub fn store(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }

    /// Wakes all that wait for the word at `offset` to change.
    pub fn wake(&self, offset: usize) {
        let word = self.word(offset).as_ptr();
        // SAFETY: a live word. Nobody waiting is no error.
        unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
    }

    /// Waits while the word at `offset` is `value`, until the deadline. What it is then.
    pub fn wait_while(&self, offset: usize, value: u32, deadline: Instant) -> io::Result<u32> {
        let word = self.word(offset);
        loop {
            let now = word.load(Ordering::Acquire);
            let left = deadline.saturating_duration_since(Instant::now());
            if now != value || left == Duration::ZERO {
                return Ok(now);
            }
            let timeout = libc::timespec {
                tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            // SAFETY: a live word and a live timeout.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word.as_ptr(),
                    libc::FUTEX_WAIT,
                    value,
                    &raw const timeout,
                )
            };
            match check(result) {
                Ok(_) => {}
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT) => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `create`; nothing of it is borrowed any more.
        unsafe { libc::munmap(self.at.cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_writable(memory: &Memory) -> io::Result<()> {
        // SAFETY: a new mapping, anywhere, unmapped at once.
        unsafe {
            let at = libc::mmap(
                std::ptr::null_mut(),
                memory.length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                memory.file.as_raw_fd(),
                0,
            );
            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            libc::munmap(at, memory.length);
        }
        Ok(())
    }

    #[test]
    fn memory_to_be_read_inside_cannot_be_mapped_writable_again() {
        let mut read = Memory::create(5000, Inside::Reads).expect("memory");
        assert!(map_writable(&read).is_err());
        read.write(4990, b"still ours");
        let mut back = [0; 10];
        read.read(4990, &mut back);
        assert_eq!(&back, b"still ours");
        map_writable(&Memory::create(5000, Inside::Writes).expect("memory")).expect("writable");
    }

    #[test]
    fn shared_memory_can_be_neither_cut_nor_grown_nor_unsealed() {
        let memory = Memory::create(5000, Inside::Writes).expect("memory");
        let raw = memory.file.as_raw_fd();
        for size in [0, 100_000] {
            // SAFETY: plain system call.
            assert_eq!(unsafe { libc::ftruncate(raw, size) }, -1, "{size}");
        }
        assert!(seal(memory.file.as_fd(), libc::F_SEAL_WRITE).is_err());
    }

    #[test]
    fn a_file_opened_anew_has_its_own_position_and_no_more_rights() {
        use std::io::{Read, Seek};
        let mut memory = Memory::create(10, Inside::Reads).expect("memory");
        memory.write(0, b"0123456789");
        let mut first = File::from(memory.reopen().expect("opened"));
        let mut bytes = [0; 4];
        first.read_exact(&mut bytes).expect("readable");
        let mut second = File::from(memory.reopen().expect("opened"));
        assert_eq!(second.stream_position().expect("a position"), 0);
        assert!(second.write_all(b"x").is_err());
    }

    #[test]
    fn a_program_cannot_be_written_any_more() {
        let mut file = File::from(program(b"text").expect("a file"));
        assert!(file.write_all(b"more").is_err());
    }

    #[test]
    fn waiting_ends_with_the_change_or_the_deadline() {
        let memory = Memory::create(8, Inside::Writes).expect("memory");
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(memory.wait_while(4, 0, soon).expect("waits"), 0);
        memory.store(4, 7);
        memory.wake(4);
        assert_eq!(memory.wait_while(4, 0, soon).expect("waits"), 7);
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn reading_past_the_end_panics() {
        let memory = Memory::create(16, Inside::Reads).expect("memory");
        memory.read(10, &mut [0; 7]);
    }
}

//! Anonymous files in memory, mapped as words.
//!
//! Another process may change them at any moment, so they are only ever read and written as atomic
//! words: whatever that process does, it is no undefined behaviour here.
#![expect(unsafe_code, reason = "maps memory through libc")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use super::check;

/// A file of whole words, mapped for reading and writing. Its size is fixed.
#[derive(Debug)]
pub(crate) struct Mapping {
    file: OwnedFd,
    at: NonNull<AtomicU64>,
    n_words: usize,
}

// SAFETY: a mapping may be used from any thread, and all access goes through atomic words.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Zeroed memory that is present from the start.
    pub(crate) fn create(n_words: usize) -> io::Result<Mapping> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is a C string.
        let raw = unsafe { libc::memfd_create(c"exchange".as_ptr(), flags) };
        let raw = check(i64::from(raw))?;
        let file = adopt(RawFd::try_from(raw).expect("the kernel's descriptors fit an int"));
        let too_much = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        let size = libc::off_t::try_from(n_words.saturating_mul(8)).map_err(too_much)?;
        // SAFETY: plain system call on an open descriptor.
        check(i64::from(unsafe { libc::ftruncate(file.as_raw_fd(), size) }))?;
        // Fixed in size whoever holds it: access past the end of a file cut short is a fault.
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: plain system call on an open descriptor.
        check(i64::from(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }))?;
        Mapping::map(file, n_words)
    }

    /// The memory behind a descriptor that another process made with [`Mapping::create`].
    pub(crate) fn attach(file: OwnedFd) -> io::Result<Mapping> {
        // SAFETY: plain system call on an open descriptor.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        let fixed = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
        if seals < 0 || seals & fixed != fixed {
            return Err(io::Error::other("not memory of a fixed size"));
        }
        // SAFETY: all-zero is a valid stat; the kernel fills it.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` is writable.
        check(i64::from(unsafe { libc::fstat(file.as_raw_fd(), &raw mut stat) }))?;
        let n_words = usize::try_from(stat.st_size).unwrap_or(0) / 8;
        Mapping::map(file, n_words)
    }

    fn map(file: OwnedFd, n_words: usize) -> io::Result<Mapping> {
        if n_words == 0 {
            return Err(io::Error::other("memory without a word"));
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        let (bytes, raw) = (n_words * 8, file.as_raw_fd());
        // SAFETY: a new mapping, anywhere, of a file that has this many bytes and keeps them.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, raw, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Mapping { file, at, n_words })
    }

    /// All words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this many words, page-aligned, until `self` is dropped; any bits
        // are a word.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.n_words) }
    }

    /// The file, to be given to another process.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; nothing borrows from it any more.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.n_words * 8) };
    }
}

/// Takes ownership of a descriptor that a system call has just returned.
fn adopt(raw: RawFd) -> OwnedFd {
    // SAFETY: callers pass what a successful system call returned; nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// A copy of a descriptor that this process inherited under a number; closed on exec.
pub(crate) fn inherited(raw: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; a bad number is an error. The number itself stays with its owner.
    let copy = check(i64::from(unsafe { libc::fcntl(raw, libc::F_DUPFD_CLOEXEC, 3) }))?;
    Ok(adopt(RawFd::try_from(copy).expect("the kernel's descriptors fit an int")))
}

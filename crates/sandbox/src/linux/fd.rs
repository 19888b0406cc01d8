//! Descriptors: sockets that carry descriptors, polling, anonymous files. Safe wrappers.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use super::call::{c_path, check};

/// Most descriptors in one message.
const MOST_DESCRIPTORS: usize = 12;

/// First number that [`duplicate_high`] may give.
const FIRST_HIGH: libc::c_int = 64;

/// Takes ownership of a descriptor that a system call has just returned.
pub(super) fn owned(raw: libc::c_long) -> OwnedFd {
    let raw = RawFd::try_from(raw).expect("the kernel's descriptors fit an int");
    // SAFETY: callers pass what a successful system call returned; nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// Duplicates any open descriptor by number, above 2 and closed on exec.
pub(super) fn duplicate(raw: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; a bad number is an error.
    check(i64::from(unsafe { libc::fcntl(raw, libc::F_DUPFD_CLOEXEC, 3) })).map(owned)
}

/// Duplicates a descriptor to a number above those that commands are given.
pub(super) fn duplicate_high(from: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: plain system call on an open descriptor.
    let raw = unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST_HIGH) };
    check(i64::from(raw)).map(owned)
}

/// Makes `to` refer to what `from` does, open across exec.
pub(super) fn duplicate_to(from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
    // SAFETY: both are numbers; replacing `to` is the purpose.
    check(i64::from(unsafe { libc::dup2(from.as_raw_fd(), to) })).map(drop)
}

/// Two connected sockets that keep message borders.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `pair` has room for two descriptors.
    check(i64::from(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) }))?;
    Ok((owned(pair[0].into()), owned(pair[1].into())))
}

/// A pipe: read end, write end.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [0; 2];
    // SAFETY: `pair` has room for two descriptors.
    check(i64::from(unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC) }))?;
    Ok((owned(pair[0].into()), owned(pair[1].into())))
}

/// Makes reads and writes return instead of waiting.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain system call on an open descriptor.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    check(i64::from(result)).map(drop)
}

/// An anonymous file in memory with these bytes, at its beginning.
pub(super) fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string.
    let raw = unsafe { libc::memfd_create(c"message".as_ptr(), libc::MFD_CLOEXEC) };
    let mut file = File::from(owned(check(i64::from(raw))?));
    file.write_all(bytes)?;
    Ok(file.into())
}

/// A counter that wakes a poll.
pub(crate) fn event_counter() -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    check(i64::from(raw)).map(owned)
}

/// Adds one to an [`event_counter`].
pub(crate) fn wake(counter: BorrowedFd<'_>) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes. A full counter is awake already.
    unsafe { libc::write(counter.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// Sets an [`event_counter`] to zero.
pub(crate) fn clear(counter: BorrowedFd<'_>) {
    let mut count = [0; 8];
    // SAFETY: eight writable bytes. An empty counter is clear already.
    unsafe { libc::read(counter.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}

/// Reads what is there now; `None` when a nonblocking descriptor has nothing.
pub(crate) fn read_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: the buffer is writable for its length.
        let count = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match check(count as i64) {
            Ok(count) => return Ok(Some(usize::try_from(count).expect("not negative"))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Writes as much as fits now; 0 when a nonblocking descriptor is full.
pub(crate) fn write_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the slice is readable for its length. Rust programs ignore SIGPIPE.
    let count = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    match check(count as i64) {
        Ok(count) => Ok(usize::try_from(count).expect("not negative")),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

/// One descriptor to wait for.
pub(crate) fn interest(fd: BorrowedFd<'_>, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

/// Waits until something is ready or the time is over. Interruptions count as nothing ready.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    // Rounded up: a deadline that is half a millisecond away must not become a busy loop.
    let millis = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    let count = libc::nfds_t::try_from(fds.len()).expect("a usize fits");
    // SAFETY: the slice is valid for `count` entries.
    match check(i64::from(unsafe { libc::poll(fds.as_mut_ptr(), count, millis) })) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Space for the control part of a message.
#[repr(C, align(8))]
struct Control([u8; 256]);

/// Sends one message with descriptors.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    assert!(fds.len() <= MOST_DESCRIPTORS, "a message carries few descriptors");
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 256]);
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        let size = u32::try_from(mem::size_of_val(fds)).expect("few descriptors");
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the control buffer holds 256 bytes, enough for `MOST_DESCRIPTORS`; the header
        // returned by CMSG_FIRSTHDR lies in it.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _;
            for (idx, fd) in fds.iter().enumerate() {
                let slot = libc::CMSG_DATA(header).cast::<RawFd>().add(idx);
                slot.write_unaligned(fd.as_raw_fd());
            }
        }
    }
    loop {
        // SAFETY: `message` points to live buffers.
        let result =
            unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match check(result as i64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

/// Receives one message; `None` when the other end is closed.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; 256]);
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let count = loop {
        // SAFETY: `message` points to live buffers.
        let result =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match check(result as i64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
            result => break usize::try_from(result?).expect("not negative"),
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel wrote well-formed control messages into `control`; descriptors in them
    // are new and ours.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                for idx in 0..bytes / mem::size_of::<RawFd>() {
                    let raw = libc::CMSG_DATA(header).cast::<RawFd>().add(idx).read_unaligned();
                    fds.push(OwnedFd::from_raw_fd(raw));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    if count == 0 && fds.is_empty() {
        return Ok(None);
    }
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::other("message cut short"));
    }
    Ok(Some((count, fds)))
}

/// How far a look-up by [`open_below`] may go.
pub(super) const IN_ROOT: u64 = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;

/// Opens `path` with `root` as the root folder: no link and no `..` leads out of it.
pub(super) fn open_below(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: libc::c_int,
    resolve: u64,
) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: all-zero is a valid open_how.
    let mut how: libc::open_how = unsafe { mem::zeroed() };
    how.flags = u64::from((flags | libc::O_CLOEXEC).cast_unsigned());
    how.resolve = resolve;
    for _ in 0..16 {
        // SAFETY: path and `how` are live; the size matches.
        let result = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                mem::size_of::<libc::open_how>(),
            )
        };
        match check(result) {
            // The tree changed during the look-up; the kernel asks to try again.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            result => return result.map(owned),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Opens one name in a folder.
pub(super) fn open_at(
    folder: BorrowedFd<'_>,
    name: &Path,
    flags: libc::c_int,
) -> io::Result<OwnedFd> {
    let name = c_path(name)?;
    // SAFETY: the name is a live C string.
    let raw = unsafe { libc::openat(folder.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC) };
    check(i64::from(raw)).map(owned)
}

/// State of an open descriptor.
pub(super) fn stat(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    // SAFETY: all-zero is a valid stat; the kernel fills it.
    let mut stat: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `stat` is writable.
    check(i64::from(unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) }))?;
    Ok(stat)
}

/// Target of the symbolic link that an `O_PATH` descriptor refers to.
pub(super) fn link_target(link: BorrowedFd<'_>) -> String {
    let mut buffer = vec![0_u8; 4096];
    // SAFETY: an empty C string and a writable buffer.
    let result = unsafe {
        libc::readlinkat(link.as_raw_fd(), c"".as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    };
    let length = usize::try_from(result).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) folder: bool,
}

/// Names in an open folder, sorted, without `.` and `..`. Names that are not UTF-8 are replaced.
pub(super) fn list(folder: BorrowedFd<'_>) -> io::Result<Vec<Entry>> {
    // Offsets in `struct linux_dirent64`: length of the record, kind, name.
    const LENGTH: usize = 16;
    const KIND: usize = 18;
    const NAME: usize = 19;
    let mut found = Vec::new();
    let mut buffer = vec![0_u8; 32 * 1024];
    loop {
        // SAFETY: the buffer is writable for its length.
        let result = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                folder.as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        let count = usize::try_from(check(result)?).expect("not negative");
        if count == 0 {
            found.sort();
            return Ok(found);
        }
        let mut rest = &buffer[..count];
        while rest.len() > NAME {
            let length = usize::from(u16::from_ne_bytes([rest[LENGTH], rest[LENGTH + 1]]));
            let Some(name) = rest.get(NAME..length) else { break };
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            let name = String::from_utf8_lossy(&name[..end]).into_owned();
            if name != "." && name != ".." {
                found.push(Entry { name, folder: rest[KIND] == libc::DT_DIR });
            }
            rest = &rest[length..];
        }
    }
}

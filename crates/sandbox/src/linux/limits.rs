//! Resource limits of each command.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::collections::BTreeMap;
use std::io;

use super::call::check;
use crate::policy::Limits;

/// The kernel's number for a limit; its type differs between C libraries.
type Resource = libc::__rlimit_resource_t;

/// Limits to set, by name, number and value.
fn table(limits: &Limits) -> [(&'static str, Resource, u64); 9] {
    [
        ("cpu", libc::RLIMIT_CPU, limits.cpu_secs),
        ("address-space", libc::RLIMIT_AS, limits.address_space_bytes),
        ("file-size", libc::RLIMIT_FSIZE, limits.file_bytes),
        ("open-files", libc::RLIMIT_NOFILE, limits.n_open_files),
        // The first process counts too, and so does the launcher, which waits for it.
        ("processes", libc::RLIMIT_NPROC, limits.n_processes + 2),
        ("core", libc::RLIMIT_CORE, 0),
        ("locked-memory", libc::RLIMIT_MEMLOCK, 64 << 10),
        ("message-queues", libc::RLIMIT_MSGQUEUE, 0),
        ("real-time-priority", libc::RLIMIT_RTPRIO, 0),
    ]
}

/// Sets them, soft and hard. A hard limit that is lower already stays.
pub(super) fn apply(limits: &Limits) -> io::Result<()> {
    for (_, resource, value) in table(limits) {
        let (_, hard) = get(resource)?;
        let value = value.min(hard);
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: `limit` is live.
        check(i64::from(unsafe { libc::setrlimit(resource, &raw const limit) }))?;
    }
    Ok(())
}

/// The hard limits of this process, by name.
pub(super) fn observed(limits: &Limits) -> io::Result<BTreeMap<String, u64>> {
    table(limits).into_iter().map(|(name, at, _)| Ok((name.to_owned(), get(at)?.1))).collect()
}

/// What [`observed`] must not exceed.
pub(crate) fn wanted(limits: &Limits) -> BTreeMap<String, u64> {
    table(limits).into_iter().map(|(name, _, value)| (name.to_owned(), value)).collect()
}

fn get(resource: Resource) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    check(i64::from(unsafe { libc::getrlimit(resource, &raw mut limit) }))?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

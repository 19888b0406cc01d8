//! From what a confined process saw to what is really enforced.

use crate::event::{Event, EventKind, FileChange};
use crate::linux::wire::{Built, ProbeReport};
use crate::linux::{limits, probe};
use crate::outcome::Status;
use crate::policy::{Policy, Protection};

/// Everything that was observed.
pub(crate) struct Seen<'a> {
    pub(crate) report: ProbeReport,
    pub(crate) built: &'a Built,
    pub(crate) policy: &'a Policy,
    /// Events of the observing process.
    pub(crate) events: Vec<Event>,
    /// Whether its filter had a listener.
    pub(crate) notify: bool,
    /// Memory of the sandbox's processes as the watchdog counts it.
    pub(crate) resident_bytes: Option<u64>,
    /// Whether it was dead after it had been told to be killed.
    pub(crate) killed: bool,
    /// Whether recording was asked for.
    pub(crate) recording: bool,
}

/// One entry per protection, in order.
pub(crate) fn judge(seen: &Seen<'_>) -> Vec<(Protection, Status)> {
    Protection::ALL.map(|protection| (protection, status(seen, protection))).to_vec()
}

fn status(seen: &Seen<'_>, protection: Protection) -> Status {
    let result = match protection {
        Protection::UserNamespace => user(seen),
        Protection::PidNamespace => own_namespace(seen, "pid", None),
        Protection::MountNamespace => mounts(seen),
        Protection::NetworkNamespace => network(seen),
        Protection::IpcNamespace => own_namespace(seen, "ipc", seen.built.ipc.as_deref()),
        Protection::UtsNamespace => host_name(seen),
        Protection::Landlock => landlock(seen),
        Protection::SeccompAllowList => filter(seen),
        Protection::SeccompNotify => notifications(seen),
        Protection::ResourceLimits => resources(seen),
        Protection::MemoryWatchdog => watchdog(seen),
        Protection::WallLimit => wall(seen),
        Protection::CleanEnvironment => environment(seen),
        Protection::PrivateFolder => folders(seen),
        Protection::FileWatch => file_watch(seen),
    };
    match result {
        Ok(how) => Status::Enforced(how),
        Err(why) => Status::Missing(why),
    }
}

fn own_namespace(seen: &Seen<'_>, kind: &str, failure: Option<&str>) -> Result<String, String> {
    if let Some(failure) = failure {
        return Err(format!("failed to create: {failure}"));
    }
    let inside = seen.report.namespaces.get(kind).map_or("", String::as_str);
    let outside = probe::namespace(kind);
    if inside.is_empty() || inside == outside {
        return Err(format!("inside is `{inside}`, outside is `{outside}`"));
    }
    Ok(format!("inside is {inside}, outside is {outside}"))
}

fn line<'a>(seen: &'a Seen<'_>, name: &str) -> &'a str {
    seen.report.status.get(name).map_or("", String::as_str)
}

fn user(seen: &Seen<'_>) -> Result<String, String> {
    let namespace = own_namespace(seen, "user", None)?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let value = line(seen, set);
        if value.is_empty() || value.bytes().any(|digit| digit != b'0') {
            return Err(format!("capabilities are left: {set} is `{value}`"));
        }
    }
    if line(seen, "NoNewPrivs") != "1" {
        return Err("new privileges are not ruled out".to_owned());
    }
    let ids: Vec<&str> = line(seen, "Uid").split_whitespace().collect();
    if ids.is_empty() || ids.contains(&"0") {
        return Err(format!("user ids inside are {ids:?}"));
    }
    Ok(format!("{namespace}; no capability, user {}", ids[0]))
}

fn mounts(seen: &Seen<'_>) -> Result<String, String> {
    let namespace = own_namespace(seen, "mnt", None)?;
    if seen.report.root_errno != libc::EROFS && seen.report.root_errno != libc::EACCES {
        return Err(format!("writing to `/` gave error {}", seen.report.root_errno));
    }
    Ok(format!("{namespace}; the read-only root holds {}", seen.report.root.join(" ")))
}

fn network(seen: &Seen<'_>) -> Result<String, String> {
    let namespace = own_namespace(seen, "net", seen.built.network.as_deref())?;
    let others: Vec<_> = seen.report.interfaces.iter().filter(|name| *name != "lo").collect();
    // Kernels with tunnel modules make silent devices in every namespace; they lead nowhere.
    let others = if others.is_empty() { "none".to_owned() } else { format!("{others:?}") };
    Ok(format!("{namespace}; interfaces besides lo: {others}"))
}

fn host_name(seen: &Seen<'_>) -> Result<String, String> {
    let namespace = own_namespace(seen, "uts", seen.built.uts.as_deref())?;
    if seen.report.host_name != seen.policy.host_name {
        return Err(format!("the host name inside is `{}`", seen.report.host_name));
    }
    Ok(format!("{namespace}; host name {}", seen.report.host_name))
}

fn landlock(seen: &Seen<'_>) -> Result<String, String> {
    let answer = seen.built.landlock.as_ref().ok_or("not attempted")?.clone()?;
    match seen.report.landlock_errno {
        libc::EACCES => Ok(format!("{answer}; opening /dev/random for writing is refused")),
        other => Err(format!("{answer}, but opening /dev/random for writing gave {other}")),
    }
}

fn filter(seen: &Seen<'_>) -> Result<String, String> {
    if line(seen, "Seccomp") != "2" {
        return Err(format!("the filter mode is `{}`", line(seen, "Seccomp")));
    }
    match (seen.report.mount_errno, seen.report.unknown_errno) {
        (libc::EPERM, libc::ENOSYS) => {
            Ok("filter mode 2; mount is refused, an unknown call does not exist".to_owned())
        }
        (mount, unknown) => Err(format!("mount gave {mount}, an unknown call {unknown}")),
    }
}

fn notifications(seen: &Seen<'_>) -> Result<String, String> {
    if !seen.notify {
        let why = if seen.recording { "the kernel gave no listener" } else { "not asked for" };
        return Err(why.to_owned());
    }
    let reported = seen
        .events
        .iter()
        .any(|event| matches!(&event.kind, EventKind::Denied { call, .. } if call == "mount"));
    if reported {
        Ok("a mount attempt inside was reported and refused".to_owned())
    } else {
        Err("a mount attempt inside was not reported".to_owned())
    }
}

fn resources(seen: &Seen<'_>) -> Result<String, String> {
    for (name, wanted) in limits::wanted(&seen.policy.limits) {
        match seen.report.limits.get(&name) {
            Some(&limit) if limit <= wanted => {}
            other => return Err(format!("limit `{name}` is {other:?}, wanted {wanted}")),
        }
    }
    let all = seen.report.limits.iter().map(|(name, value)| format!("{name} {value}"));
    Ok(all.collect::<Vec<_>>().join(", "))
}

fn watchdog(seen: &Seen<'_>) -> Result<String, String> {
    match seen.resident_bytes {
        Some(bytes) if bytes > 0 => Ok(format!("{bytes} bytes counted from outside")),
        other => Err(format!("memory inside counted as {other:?}")),
    }
}

fn wall(seen: &Seen<'_>) -> Result<String, String> {
    if seen.killed {
        Ok("a process that would not end was killed".to_owned())
    } else {
        Err("a process that would not end was not killed".to_owned())
    }
}

fn environment(seen: &Seen<'_>) -> Result<String, String> {
    if seen.built.environment.is_empty() {
        let names: Vec<_> = seen.policy.env.keys().map(String::as_str).collect();
        Ok(format!("nothing was inherited; commands get [{}]", names.join(" ")))
    } else {
        Err(format!("inherited: {}", seen.built.environment.join(" ")))
    }
}

fn folders(seen: &Seen<'_>) -> Result<String, String> {
    let Some((size, flags)) = seen.report.folder else {
        return if seen.policy.folders.is_empty() {
            Ok("no private folder was asked for".to_owned())
        } else {
            Err("the private folder is not there".to_owned())
        };
    };
    let wanted = libc::ST_NOSUID | libc::ST_NODEV;
    // Sizes are rounded up to pages.
    let limit = seen.policy.limits.folder_bytes + (1 << 16);
    if size > limit || flags & wanted != wanted {
        return Err(format!("size is {size}, mount flags are {flags:#x}"));
    }
    if seen.report.probe_file_errno != 0 {
        return Err(format!("making a file gave error {}", seen.report.probe_file_errno));
    }
    Ok(format!("{size} bytes, no devices, no set-user-id"))
}

fn file_watch(seen: &Seen<'_>) -> Result<String, String> {
    if !seen.recording {
        return Err("not asked for".to_owned());
    }
    if seen.policy.folders.is_empty() {
        return Ok("no private folder was asked for".to_owned());
    }
    let saw = |wanted: FileChange| {
        seen.events.iter().any(|event| {
            matches!(&event.kind, EventKind::File { path, change }
                if *change == wanted && path.ends_with(probe::PROBE_FILE))
        })
    };
    if saw(FileChange::Created) && saw(FileChange::Deleted) {
        Ok("a file made and removed inside was reported".to_owned())
    } else {
        Err("a file made and removed inside was not reported".to_owned())
    }
}

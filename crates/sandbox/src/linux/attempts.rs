//! Network, signal and refused calls.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::Path;

use super::memory::Memory;
use super::notify::Notification;
use super::procfs::{self, Identity, Stat};
use super::relatives::identity_of;
use super::seccomp::{self, Answer};
use super::state::State;
use crate::event::EventKind;

/// Longest socket address (`struct sockaddr_storage`).
const LONGEST_ADDRESS: u64 = 128;

const REFUSED: Answer = Answer::Fail(libc::EPERM);

impl State {
    /// Sockets made, bound, connected, and datagrams sent.
    pub(super) fn network(&mut self, call: &Notification) -> Answer {
        let Some(identity) = identity_of(self.namespace.as_fd(), call.thread) else {
            return REFUSED;
        };
        let name = seccomp::name(call.call);
        let (family, address, answer) = if call.call == libc::SYS_socket {
            let family = call.args[0] as i32;
            (family_name(family), None, socket_answer(family, call.args[2]))
        } else {
            let (at, length) = if call.call == libc::SYS_sendto { (4, 5) } else { (1, 2) };
            let size = call.args[length].min(LONGEST_ADDRESS) as usize;
            let bytes = Memory(call.thread).bytes(call.args[at], size).unwrap_or_default();
            let (family, address) = describe(&bytes);
            (family, address, Answer::Continue)
        };
        let allowed = answer == Answer::Continue;
        let pid = identity.inside;
        self.push(EventKind::Network { pid, call: name, family, address, allowed });
        answer
    }

    /// Signals, priorities, and attempts on the memory of others.
    pub(super) fn process(&mut self, call: &Notification) -> Answer {
        let Some(identity) = identity_of(self.namespace.as_fd(), call.thread) else {
            return REFUSED;
        };
        let (first, second) = (call.args[0] as i32, call.args[1] as i32);
        let third = call.args[2] as i32;
        let refused = matches!(
            call.call,
            libc::SYS_ptrace
                | libc::SYS_process_vm_readv
                | libc::SYS_process_vm_writev
                | libc::SYS_process_madvise
                | libc::SYS_pidfd_getfd
                | libc::SYS_kcmp
        );
        let (targets, argument) = match call.call {
            libc::SYS_kill => (self.kill_targets(&identity, first), i64::from(second)),
            libc::SYS_tgkill => (vec![self.process_of(second)], i64::from(third)),
            libc::SYS_rt_tgsigqueueinfo => (vec![self.process_of(second)], i64::from(third)),
            libc::SYS_tkill | libc::SYS_rt_sigqueueinfo => {
                (vec![self.process_of(first)], i64::from(second))
            }
            libc::SYS_pidfd_send_signal | libc::SYS_pidfd_getfd | libc::SYS_process_madvise => {
                (vec![pidfd_target(call.thread, first)], i64::from(second))
            }
            libc::SYS_setpriority => {
                (self.priority_targets(&identity, first, second), i64::from(third))
            }
            libc::SYS_ioprio_set => {
                (self.priority_targets(&identity, first - 1, second), i64::from(third))
            }
            libc::SYS_ptrace => (vec![self.process_of(second)], i64::from(first)),
            _ => (vec![self.process_of(first)], i64::from(second)),
        };
        let name = seccomp::name(call.call);
        for target in targets {
            // What a process does to itself is its own affair, unless it is refused.
            if target == Some(identity.inside) && !refused {
                continue;
            }
            self.push(EventKind::Process {
                pid: identity.inside,
                call: name.clone(),
                target,
                target_program: target.and_then(|target| self.program_of(target)),
                argument,
                allowed: !refused,
            });
        }
        if refused { REFUSED } else { Answer::Continue }
    }

    /// Everything else that is asked about is refused.
    pub(super) fn denied(&mut self, call: &Notification) -> Answer {
        if let Some(identity) = identity_of(self.namespace.as_fd(), call.thread) {
            let (pid, name) = (identity.inside, seccomp::name(call.call));
            self.push(EventKind::Denied { pid, call: name, detail: detail(call) });
        }
        REFUSED
    }

    fn kill_targets(&self, caller: &Identity, target: i32) -> Vec<Option<u32>> {
        if target > 0 {
            return vec![self.process_of(target)];
        }
        let group = match target {
            0 => self.stat_of(caller.inside).map(|stat| stat.group),
            -1 => None,
            group => Some(-group),
        };
        self.others(caller, |process| target == -1 || Some(process.group) == group)
    }

    /// Targets of setpriority(2); `kind` counts processes, groups, users from 0.
    fn priority_targets(&self, caller: &Identity, kind: i32, who: i32) -> Vec<Option<u32>> {
        match (kind, who) {
            (0, 0) => vec![Some(caller.inside)],
            (0, who) => vec![self.process_of(who)],
            (1, who) => {
                let own = self.stat_of(caller.inside).map(|stat| stat.group);
                let group = if who == 0 { own } else { Some(who) };
                self.others(caller, |process| Some(process.group) == group)
            }
            // Everything inside has one user.
            _ => self.others(caller, |_| true),
        }
    }

    fn others(&self, caller: &Identity, wanted: impl Fn(&Stat) -> bool) -> Vec<Option<u32>> {
        let all = procfs::processes(&self.proc).into_iter();
        let own = caller.inside.cast_signed();
        let others = all.filter(|process| process.pid != 1 && process.pid != own);
        others.filter(wanted).map(|process| Some(process.pid.cast_unsigned())).collect()
    }

    fn stat_of(&self, pid: u32) -> Option<Stat> {
        procfs::stat(&self.proc.join(pid.to_string()).join("stat"))
    }

    /// The process of a thread inside; 0 and below mean none. One that has just ended keeps its
    /// number: who aimed at it still meant it.
    fn process_of(&self, thread: i32) -> Option<u32> {
        let number = u32::try_from(thread).ok().filter(|&number| number > 0)?;
        let path = self.proc.join(thread.to_string()).join("status");
        let status = std::fs::read_to_string(path).ok();
        let identity = status.and_then(|status| procfs::parse_identity(&status));
        Some(identity.map_or(number, |identity| identity.inside))
    }

    fn program_of(&self, pid: u32) -> Option<String> {
        let link = std::fs::read_link(self.proc.join(pid.to_string()).join("exe")).ok()?;
        Some(link.to_string_lossy().into_owned())
    }
}

/// Which sockets may be made. Those of the internet end at the border of the empty network
/// namespace; some other families have no such border.
fn socket_answer(family: i32, protocol: u64) -> Answer {
    match family {
        libc::AF_INET | libc::AF_INET6 => Answer::Continue,
        // Protocol 0 asks about interfaces, which the resolver of the C library does.
        libc::AF_NETLINK if protocol == 0 => Answer::Continue,
        _ => Answer::Fail(libc::EAFNOSUPPORT),
    }
}

fn family_name(family: i32) -> String {
    match family {
        libc::AF_UNIX => "unix".to_owned(),
        libc::AF_INET => "inet".to_owned(),
        libc::AF_INET6 => "inet6".to_owned(),
        libc::AF_NETLINK => "netlink".to_owned(),
        other => format!("af-{other}"),
    }
}

/// Family and address of a socket address.
fn describe(bytes: &[u8]) -> (String, Option<String>) {
    let Some(family) = bytes.first_chunk::<2>().map(|at| i32::from(u16::from_ne_bytes(*at))) else {
        return ("af-0".to_owned(), None);
    };
    let port = || bytes.get(2..4).map(|at| u16::from_be_bytes([at[0], at[1]]));
    let address = match family {
        libc::AF_INET => bytes.get(4..8).zip(port()).map(|(at, port)| {
            let at: [u8; 4] = at.try_into().expect("four bytes");
            format!("{}:{port}", Ipv4Addr::from(at))
        }),
        libc::AF_INET6 => bytes.get(8..24).zip(port()).map(|(at, port)| {
            let at: [u8; 16] = at.try_into().expect("sixteen bytes");
            format!("[{}]:{port}", Ipv6Addr::from(at))
        }),
        libc::AF_UNIX => bytes.get(2..).filter(|name| !name.is_empty()).map(|name| {
            let is_abstract = name[0] == 0;
            let text = if is_abstract { &name[1..] } else { name };
            let end = text.iter().position(|&byte| byte == 0 && !is_abstract);
            let text = String::from_utf8_lossy(&text[..end.unwrap_or(text.len())]);
            if is_abstract { format!("@{text}") } else { text.into_owned() }
        }),
        _ => None,
    };
    (family_name(family), address)
}

/// Arguments for people: paths where the call starts with some, else numbers.
fn detail(call: &Notification) -> String {
    let memory = Memory(call.thread);
    let n_paths = match call.call {
        libc::SYS_mount => 3,
        libc::SYS_pivot_root => 2,
        libc::SYS_umount2 | libc::SYS_chroot | libc::SYS_swapon | libc::SYS_sethostname => 1,
        _ => 0,
    };
    if n_paths > 0 {
        return memory.strings(&call.args[..n_paths]).join(" ");
    }
    match call.call {
        libc::SYS_clone | libc::SYS_unshare => format!("flags {:#x}", call.args[0]),
        _ => call.args.map(|argument| format!("{argument:#x}")).join(" "),
    }
}

/// The process that a pidfd of the caller refers to.
fn pidfd_target(thread: i32, number: i32) -> Option<u32> {
    let path = Path::new("/proc").join(thread.to_string()).join(format!("fdinfo/{number}"));
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_text() {
        let inet = [2, 0, 0, 53, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(describe(&inet), ("inet".to_owned(), Some("1.1.1.1:53".to_owned())));
        let mut inet6 = vec![10, 0, 0, 80, 0, 0, 0, 0];
        inet6.extend([0; 15]);
        inet6.extend([1, 0, 0, 0, 0]);
        assert_eq!(describe(&inet6), ("inet6".to_owned(), Some("[::1]:80".to_owned())));
        let path = b"\x01\x00/run/x.sock\x00junk";
        assert_eq!(describe(path), ("unix".to_owned(), Some("/run/x.sock".to_owned())));
        let hidden = b"\x01\x00\x00name";
        assert_eq!(describe(hidden), ("unix".to_owned(), Some("@name".to_owned())));
        assert_eq!(describe(&[40, 0, 1]), ("af-40".to_owned(), None));
        assert_eq!(describe(&[]), ("af-0".to_owned(), None));
    }

    #[test]
    fn only_families_that_end_at_the_namespace_are_let_through() {
        assert_eq!(socket_answer(libc::AF_INET, 0), Answer::Continue);
        assert_eq!(socket_answer(libc::AF_NETLINK, 0), Answer::Continue);
        for (family, protocol) in
            [(libc::AF_NETLINK, 12), (libc::AF_VSOCK, 0), (libc::AF_PACKET, 0), (libc::AF_ALG, 0)]
        {
            assert_eq!(socket_answer(family, protocol), Answer::Fail(libc::EAFNOSUPPORT));
        }
    }
}

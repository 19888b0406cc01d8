//! Reading proc(5).

use std::fs;
use std::io::Read;
use std::path::Path;

/// One process, from its `stat` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// User and system time of the process, in clock ticks (100 a second on Linux).
    pub(crate) cpu_ticks: u64,
}

/// Clock ticks are 10 ms in what Linux shows to programs (`USER_HZ`).
pub(crate) const TICK_MILLIS: u64 = 10;

/// A small file of proc(5), in one read: the kernel writes it anew for each opening.
pub(crate) fn read(path: &str) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let mut buffer = vec![0; 8192];
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]).ok()? {
            // Shorter than the buffer is the end; asking again would only confirm it.
            count if length + count < buffer.len() => {
                buffer.truncate(length + count);
                return Some(String::from_utf8_lossy(&buffer).into_owned());
            }
            count => {
                length += count;
                buffer.resize(length * 2, 0);
            }
        }
    }
}

/// All processes under a mounted `/proc`, zombies left out.
pub(crate) fn processes(proc: &Path) -> Vec<Stat> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<Stat> = pids
        .filter_map(|pid| stat(&proc.join(pid.to_string()).join("stat")))
        .filter(|process| !matches!(process.state, 'Z' | 'X'))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// The state letter in a `stat` file, of a process or a thread.
pub(crate) fn parse_state(text: &str) -> Option<char> {
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// One `stat` file; `None` when the process is gone.
pub(crate) fn stat(path: &Path) -> Option<Stat> {
    parse_stat(&fs::read_to_string(path).ok()?)
}

/// The name in parentheses may hold anything, so fields are counted from its last one.
pub(crate) fn parse_stat(text: &str) -> Option<Stat> {
    let (head, tail) = text.rsplit_once(')')?;
    let pid = head.split_once('(')?.0.trim().parse().ok()?;
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse::<i64>().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    let mut times = fields.skip(7);
    let mut time = || times.next()?.parse::<u64>().ok();
    let cpu_ticks = time()? + time()?;
    let narrow = |value: i64| i32::try_from(value).ok();
    Some(Stat {
        pid,
        state,
        parent: narrow(parent)?,
        group: narrow(group)?,
        session: narrow(session)?,
        cpu_ticks,
    })
}

/// What the supervisor needs of a `status` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    /// Pid of the process (not thread) in the innermost pid namespace.
    pub(crate) inside: u32,
    /// Pid of the process as the reader sees it.
    pub(crate) outside: i32,
    /// Its parent, as the reader sees it.
    pub(crate) parent: i32,
}

/// Parses a `status` file.
pub(crate) fn parse_identity(text: &str) -> Option<Identity> {
    let mut identity = Identity::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let last = || value.split_ascii_whitespace().next_back();
        match name {
            "Tgid" => identity.outside = last()?.parse().ok()?,
            "PPid" => identity.parent = last()?.parse().ok()?,
            // The last of the three in the file.
            "NStgid" => {
                identity.inside = last()?.parse().ok()?;
                return Some(identity);
            }
            _ => {}
        }
    }
    None
}

/// Memory that the process alone answers for, in bytes: anonymous and shared, not file pages.
pub(crate) fn parse_resident(status: &str) -> u64 {
    let fields = status.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| matches!(*name, "RssAnon" | "RssShmem"))
        .filter_map(|(_, value)| value.split_ascii_whitespace().next()?.parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_fields() {
        let text = "42 (a) R (b) S 7 40 39 0 -1 4194560 1 2 3 4 11 22 0 0 20 0 1 0 5";
        let stat = parse_stat(text).expect("parses");
        assert_eq!((stat.pid, stat.state, stat.parent), (42, 'S', 7));
        assert_eq!((stat.group, stat.session, stat.cpu_ticks), (40, 39, 33));
    }

    #[test]
    fn identity_takes_the_innermost_pid() {
        let text = "Name:\tx\nTgid:\t900\nPid:\t901\nPPid:\t880\nNStgid:\t900\t5\nThreads:\t3\n";
        let identity = parse_identity(text).expect("parses");
        assert_eq!(identity, Identity { inside: 5, outside: 900, parent: 880 });
    }

    #[test]
    fn file_pages_do_not_count_as_resident() {
        let text = "RssAnon:\t  10 kB\nRssFile:\t 500 kB\nRssShmem:\t   2 kB\n";
        assert_eq!(parse_resident(text), 12 * 1024);
    }
}

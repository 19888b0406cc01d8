//! Facts of the machine that a run ran on.

use serde::{Deserialize, Serialize};

/// The machine. Text fields are `unknown` where the system does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name and version of the operating system.
    pub os: String,
    /// Version of the kernel.
    pub kernel: String,
    /// Instruction set, as Rust names it.
    pub arch: String,
    /// Model of the processor.
    pub cpu: String,
    /// Threads that this process may run at once.
    pub n_cores: u64,
    /// Memory of the machine in bytes; 0 where the system does not say.
    pub memory_bytes: u64,
}

impl Host {
    /// Looks at this machine.
    #[must_use]
    pub fn observe() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            os: os_name(&read("/etc/os-release")),
            kernel: or_unknown(read("/proc/sys/kernel/osrelease").trim()),
            arch: std::env::consts::ARCH.to_owned(),
            cpu: cpu_model(&read("/proc/cpuinfo")),
            n_cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            memory_bytes: memory_bytes(&read("/proc/meminfo")),
        }
    }
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

fn os_name(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    or_unknown(name.unwrap_or_default().trim_matches('"'))
}

fn cpu_model(cpuinfo: &str) -> String {
    // x86 says `model name`; some Arm kernels say `Model` or nothing at all.
    let model = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        matches!(key.trim(), "model name" | "Model" | "cpu model").then(|| value.trim())
    });
    or_unknown(model.unwrap_or_default())
}

fn memory_bytes(meminfo: &str) -> u64 {
    meminfo
        .lines()
        .find_map(|line| {
            let kib: u64 =
                line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok()?;
            kib.checked_mul(1024)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_files_are_read_as_their_manuals_describe_them() {
        assert_eq!(
            os_name("NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
            "Debian GNU/Linux 12"
        );
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Example CPU @ 2 GHz\n"),
            "Example CPU @ 2 GHz"
        );
        assert_eq!(memory_bytes("MemTotal:        8052844 kB\nMemFree: 1 kB\n"), 8_052_844 * 1024);
    }

    #[test]
    fn what_the_system_does_not_say_is_called_unknown() {
        assert_eq!(
            (os_name(""), cpu_model("x"), memory_bytes("")),
            ("unknown".into(), "unknown".into(), 0)
        );
    }
}

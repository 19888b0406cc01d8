//! How Linux is made to do it. In the order in which a sandbox comes to life: the launcher, who it
//! becomes, what it sees, the first process, a command, and the supervisor outside.

mod assistant;
mod attempts;
mod call;
mod child;
mod exec;
pub(crate) mod fd;
mod files;
mod ids;
mod init;
mod inotify;
mod landlock;
mod launcher;
pub(crate) mod limits;
mod memory;
mod mounts;
mod notify;
pub(crate) mod probe;
pub(crate) mod process;
mod procfs;
mod relatives;
mod resolve;
mod seccomp;
pub(crate) mod shared;
mod state;
pub(crate) mod supervisor;
mod tree;
mod versions;
pub(crate) mod wire;

pub(crate) use launcher::launch;

//! The sandbox as its user sees it.

use crate::error::Error;
use crate::event::{Event, Manifest};
use crate::launcher::Launcher;
use crate::outcome::{Command, Enforced, Outcome, Status};
use crate::policy::{Policy, Protection};

/// Whether a supervisor records what programs do. Off only to measure what recording costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Record.
    On,
    /// Only confine.
    Off,
}

/// A running sandbox. Stopped, with everything in it, when dropped.
#[derive(Debug)]
pub struct Sandbox {
    enforced: Enforced,
}

impl Sandbox {
    /// Builds the sandbox and proves its protections before anything may run in it.
    pub fn start(policy: Policy, launcher: &Launcher) -> Result<Sandbox, Error> {
        Self::start_with(policy, launcher, Evidence::On)
    }

    /// [`Sandbox::start`], with the choice to record nothing.
    pub fn start_with(
        _policy: Policy,
        _launcher: &Launcher,
        _evidence: Evidence,
    ) -> Result<Sandbox, Error> {
        Err(Error::Broken("no backend in this build".to_owned()))
    }

    /// What is really in force, as observed from inside.
    #[must_use]
    pub fn enforced(&self) -> &Enforced {
        &self.enforced
    }

    /// Runs one command to its end.
    pub fn run(&mut self, _command: &Command) -> Result<Outcome, Error> {
        Err(Error::Broken("no backend in this build".to_owned()))
    }

    /// Everything seen since the last call, in order, file changes flushed.
    pub fn take_events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// All paths in the private folders, absolute, and their state.
    pub fn manifest(&mut self) -> Result<Manifest, Error> {
        Err(Error::Broken("no backend in this build".to_owned()))
    }

    /// The first `limit_bytes` of a regular file in a private folder; `None` when there is none.
    /// Links are never followed out of the sandbox.
    pub fn read(&self, _path: &str, _limit_bytes: usize) -> Result<Option<Vec<u8>>, Error> {
        Err(Error::Broken("no backend in this build".to_owned()))
    }

    /// Ends every process inside.
    pub fn stop(self) -> Result<(), Error> {
        Ok(())
    }
}

/// What this machine gives, found by trying every protection.
#[must_use]
pub fn probe(_launcher: &Launcher) -> Vec<(Protection, Status)> {
    Vec::new()
}

//! Landlock on top of the mount namespace: what exists may be used only as the policy says, even
//! by a program that found a way to mount.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::policy::{Network, Policy};

/// Restricts this process and all it will start. The text says what the kernel answered.
pub(super) fn restrict(policy: &Policy) -> Result<String, String> {
    apply(policy).map_err(|error| error.to_string())
}

fn apply(policy: &Policy) -> Result<String, Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?;
    if policy.network == Network::None {
        rules = rules.handle_access(AccessNet::from_all(abi))?;
    }
    let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let mut created = rules
        .create()?
        .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::ReadDir))?
        .add_rule(PathBeneath::new(PathFd::new("/proc")?, read))?
        .add_rule(PathBeneath::new(PathFd::new("/etc")?, read))?;
    for bind in policy.read_only.iter().chain(&policy.sockets) {
        let target = PathFd::new(&bind.inside)?;
        let folder = bind.inside.is_dir();
        let wanted = if folder { read } else { AccessFs::Execute | AccessFs::ReadFile };
        created = created.add_rule(PathBeneath::new(target, wanted))?;
    }
    for folder in &policy.folders {
        let rule = PathBeneath::new(PathFd::new(folder)?, AccessFs::from_all(abi));
        created = created.add_rule(rule)?;
    }
    for name in super::mounts::DEVICES {
        let target = PathFd::new(Path::new("/dev").join(name))?;
        // Writing to the random devices is granted by the host and refused here: the probe
        // attempts it to see that these rules are in force.
        let writable = !name.ends_with("random");
        let wanted = if writable {
            AccessFs::ReadFile | AccessFs::WriteFile
        } else {
            AccessFs::ReadFile.into()
        };
        created = created.add_rule(PathBeneath::new(target, wanted))?;
    }
    let status = created.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err("the kernel has no Landlock".into());
    }
    Ok(format!("{:?} by {:?}", status.ruleset, status.landlock))
}

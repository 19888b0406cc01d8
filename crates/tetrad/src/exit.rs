//! Exit codes: one documented enum, one place that maps errors to it.

use std::process::ExitCode;

/// What a command ends with. When several apply, the highest number wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Did what was asked.
    Ok,
    /// Worked, and the answer is no: a mismatch, a failed gate.
    Negative,
    /// A bad flag, config or input file; the user can fix it.
    Usage,
    /// This machine cannot: a protection, device, model or network is missing.
    Unavailable,
    /// Finished with gaps: some games errored.
    Partial,
    /// Stopped by the user; the run is resumable.
    Interrupted,
}

impl Status {
    /// Every status, in the order of the table in `--help`.
    pub(crate) const ALL: [Self; 6] = [
        Self::Ok,
        Self::Negative,
        Self::Usage,
        Self::Unavailable,
        Self::Partial,
        Self::Interrupted,
    ];

    /// The process exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Negative => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Partial => 4,
            Self::Interrupted => 130,
        }
    }

    /// One line for `--help`.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "did what was asked",
            Self::Negative => "worked, and the answer is no (mismatch, failed gate)",
            Self::Usage => "bad flag, config or input file",
            Self::Unavailable => "this machine lacks a protection, program, model or network",
            Self::Partial => "finished with gaps: some samples failed",
            Self::Interrupted => "stopped by the user; the same command resumes",
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// The table that `--help` ends with.
pub(crate) fn table() -> String {
    let mut text = String::from("Exit codes:\n");
    for status in Status::ALL {
        text.push_str(&format!("  {:>3}  {}\n", status.code(), status.meaning()));
    }
    text
}

/// An error that knows its exit code and, often, what to try next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    pub(crate) status: Status,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// A user's mistake, with a hint.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Fault { status: Status::Usage, message: message.into(), hint: Some(hint.into()) }.into()
}

/// Something this machine lacks, with what to install.
pub(crate) fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Fault { status: Status::Unavailable, message: message.into(), hint: Some(hint.into()) }.into()
}

/// The status of an error, found along its chain of causes.
pub(crate) fn status_of(error: &anyhow::Error) -> Status {
    error.chain().find_map(status_of_cause).unwrap_or(Status::Usage)
}

fn status_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Status> {
    if let Some(fault) = cause.downcast_ref::<Fault>() {
        return Some(fault.status);
    }
    if cause.is::<sandbox::Error>() {
        return Some(Status::Unavailable);
    }
    if let Some(chess::Error::Engine { .. }) = cause.downcast_ref::<chess::Error>() {
        return Some(Status::Unavailable);
    }
    if let Some(chess::Error::Interrupted) = cause.downcast_ref::<chess::Error>() {
        return Some(Status::Interrupted);
    }
    if let Some(genome::Error::Interrupted) = cause.downcast_ref::<genome::Error>() {
        return Some(Status::Interrupted);
    }
    if let Some(genome::Error::Program { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some(Status::Unavailable);
    }
    if let Some(genome::Error::NeedsFp8 { .. } | genome::Error::Weights(nn::Error::Device { .. })) =
        cause.downcast_ref::<genome::Error>()
    {
        return Some(Status::Unavailable);
    }
    if let Some(error) = cause.downcast_ref::<robot::Error>() {
        return match error {
            robot::Error::Interrupted => Some(Status::Interrupted),
            robot::Error::Program { .. } => Some(Status::Unavailable),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<kernels::Error>() {
        return match error {
            kernels::Error::Interrupted => Some(Status::Interrupted),
            kernels::Error::Tool { .. } | kernels::Error::System { .. } => {
                Some(Status::Unavailable)
            }
            kernels::Error::Sandbox(inner) => status_of_cause(inner),
            kernels::Error::Model(inner) => status_of_cause(inner),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<llm::Error>() {
        return Some(match error {
            llm::Error::Config { .. } => Status::Usage,
            llm::Error::Interrupted { .. } => Status::Interrupted,
            _ => Status::Unavailable,
        });
    }
    None
}

/// What to try next, where an error along the chain says it.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| match cause.downcast_ref::<Fault>() {
        Some(fault) => fault.hint.clone(),
        None => known_hint(cause).map(str::to_owned),
    })
}

/// What helps with the errors of the libraries.
fn known_hint(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if cause.is::<sandbox::Error>() {
        return Some(
            "`tetrad doctor` tries every protection on this machine and says why one fails",
        );
    }
    if let Some(chess::Error::Engine { .. }) = cause.downcast_ref::<chess::Error>() {
        return Some("set TETRAD_STOCKFISH to a working engine, or use `--engine embedded`");
    }
    if let Some(genome::Error::NeedsFp8 { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("the 7B models do not need FP8: evo2_7b_base, evo2_7b_262k, evo2_7b");
    }
    if let Some(genome::Error::Config { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("name a configuration with `--config`: `tetrad genome models` lists them");
    }
    if let Some(genome::Error::OtherTable { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("repeat the command that began it, or remove the file");
    }
    if let Some(genome::Error::OtherRun { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("repeat the command that began it, or name another folder with `--to`");
    }
    if let Some(genome::Error::Diverged { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("a lower `learning_rate` in the recipe; what was reached is kept");
    }
    if let Some(genome::Error::Corpus { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("`tetrad genome data FOLDER --list FILE` builds a corpus in an empty folder");
    }
    if let Some(genome::Error::Species { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("`[[species]]` takes name, split, files, tag and code; see docs/genome.md");
    }
    if let Some(genome::Error::Program { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("`--no-prediction` goes on without genes that nobody gives");
    }
    if let Some(genome::Error::Reference { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some(
            "an index beside the FASTA is used: `samtools faidx` makes it again; without one the \
             FASTA is read whole",
        );
    }
    if let Some(genome::Error::Record { .. }) = cause.downcast_ref::<genome::Error>() {
        return Some("`--on-error skip` leaves malformed records out and says so");
    }
    if let Some(error) = cause.downcast_ref::<robot::Error>() {
        return robot_hint(error);
    }
    if let Some(llm::Error::Config { .. }) = cause.downcast_ref::<llm::Error>() {
        return Some(
            "`tetrad doctor` lists the keys that are set; `tetrad chess run --help` the names",
        );
    }
    None
}

/// What helps with the errors of `robot`, where they do not say it themselves.
fn robot_hint(error: &robot::Error) -> Option<&'static str> {
    match error {
        robot::Error::File { .. } => Some("check the path, and whether it may be read and written"),
        robot::Error::Checkpoint { .. } | robot::Error::Weights(_) | robot::Error::Shape { .. } => {
            Some("`tetrad robot info FILE` says what a policy is; `robot train` writes one")
        }
        robot::Error::Program { program, .. } if program == "iceoryx2" => {
            Some("build with `cargo build --release --features iceoryx2`")
        }
        robot::Error::Program { program, .. } if program == "backbones" => {
            Some("build with `cargo build --release --features backbones`")
        }
        robot::Error::Backbone { .. } => Some(
            "`--backbone DIR` names the open model's folder; `tetrad robot info FILE` says which one a \
             policy needs, `tetrad robot info DIR` what a folder holds",
        ),
        robot::Error::Program { .. } => {
            Some("install ffmpeg, or name one with TETRAD_FFMPEG or `--ffmpeg`")
        }
        robot::Error::Dataset { .. } => {
            Some("docs/robot.md says what a dataset must hold, and how features are mapped")
        }
        robot::Error::Mjcf { .. } => {
            Some("docs/robot.md says what of MJCF is read; `tetrad robot scene --to` writes some")
        }
        robot::Error::Record { .. } => {
            Some("remove the file and render again: the other attempts of the run are whole")
        }
        robot::Error::Config { what: "a robot", .. } => {
            Some("`tetrad robot info FILE` says what a policy is; `robot train` writes one")
        }
        robot::Error::Config { what: "a run", .. } => {
            Some("tasks for one robot can take turns, `handover` can only follow itself")
        }
        robot::Error::Process { .. } => Some(
            "its own message is above; `--simulated-time` plays the same in this process alone",
        ),
        _ => None,
    }
}

/// The chain of causes as one line, without repeating a cause that its parent already quotes.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.ends_with(&text) || line.contains(&format!(": {text}")) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_with_the_status() {
        let codes: Vec<u8> = Status::ALL.iter().map(|status| status.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 130]);
    }

    #[test]
    fn a_cause_quoted_by_its_parent_is_printed_once() {
        let inner = std::io::Error::other("no space");
        let error = anyhow::Error::new(inner).context("failed to write `x`: no space");
        assert_eq!(one_line(&error), "failed to write `x`: no space");
    }

    #[test]
    fn a_missing_protection_is_unavailable_however_deep() {
        let inner =
            sandbox::Error::ProtectionMissing { protection: "landlock", reason: "no".into() };
        let error = anyhow::Error::new(inner).context("failed to play game 3");
        assert_eq!(status_of(&error), Status::Unavailable);
    }
}

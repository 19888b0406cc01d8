//! A winner for other people's trees: C source with its provenance, a test beside the plain kernel,
//! and a stub for PyTorch.

mod check;
#[cfg(test)]
mod tests;
mod torch;

use crate::archive::{Archive, AttemptId, Kind};
use crate::evaluation::Level;
use crate::{Candidate, Error, Language, Task};

/// Files by name, and the candidate that they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// SHA-256 of the candidate.
    pub candidate: String,
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
}

/// Writes out an attempt at `task`, whose plain kernel is `base`.
///
/// # Errors
/// When it is no C candidate of this task, is not verified, or was found wrong; or the archive is
/// damaged.
pub fn export(
    archive: &Archive,
    attempt: AttemptId,
    task: &Task,
    base: &Candidate,
) -> Result<Exported, Error> {
    let refuse = |reason: String| Error::Config { reason: format!("attempt {attempt}: {reason}") };
    let record = archive.attempt(attempt)?;
    let search = archive.search(&record.search)?;
    if search.as_ref().is_none_or(|search| search.task != task.name) {
        return Err(refuse(format!("it is no kernel for `{}`", task.name)));
    }
    let proposal = archive.proposal(attempt)?;
    if proposal.candidate.language != Language::C {
        return Err(refuse("only C is exported".to_owned()));
    }
    let findings = archive.findings(attempt)?;
    if let Some(wrong) = findings.iter().find_map(|each| each.finding.evaluation.rejection.as_ref())
    {
        return Err(refuse(format!("it was turned away: {}", wrong.detail)));
    }
    let verified = findings.iter().rev().find(|each| {
        each.kind != Kind::Evaluation && each.finding.evaluation.level == Level::Verified
    });
    let Some(verified) = verified else { return Err(refuse("it is not verified".to_owned())) };
    let evaluation = &verified.finding.evaluation;
    let timing = evaluation.timing.as_ref();
    let ratio = timing.map_or("not measured".to_owned(), |timing| {
        let interval = timing.interval.map_or("no interval".to_owned(), |(low, high)| {
            format!("95 % interval {low:.3} to {high:.3}")
        });
        format!("{:.3} over `{}`, {interval}", timing.ratio, timing.baseline)
    });
    let mut lines = vec![format!("Kernel for `{}`: {}", task.name, task.summary), String::new()];
    let slot = |(idx, tensor): (usize, &crate::graph::Tensor)| {
        format!("{idx}: {} {} {:?}", tensor.name, tensor.dtype.c_name(), tensor.shape)
    };
    lines.extend(task.graph.given().enumerate().map(|each| format!("in {}", slot(each))));
    lines.extend(task.graph.returned().enumerate().map(|each| format!("out {}", slot(each))));
    let id = &record.candidate;
    lines.extend([
        "All dense, row-major, aligned to 64 bytes; made for these shapes only.".to_owned(),
        "`scratch` has tetrad_scratch_bytes bytes, aligned likewise, of any content.".to_owned(),
        String::new(),
        format!("Provenance: attempt {attempt} of search {}", record.search),
        format!("candidate  sha256 {id}"),
        format!("made by    {} ({})", record.proposer, record.operator.name()),
        format!("ratio      {ratio}"),
        format!(
            "verified   by judge {}, {} calls compared",
            verified.finding.harness, evaluation.n_checked_calls
        ),
        format!("machine    {}", evaluation.machine),
        format!("compiler   {}", evaluation.compiler),
        format!("options    {}", proposal.candidate.flags.join(" ")),
        format!("task from  {}, {}", task.origin.source, task.origin.licence),
    ]);
    let header: String = lines.iter().map(|line| commented(line)).collect();
    let kernel = format!("{header}\n{}", proposal.candidate.source);
    Ok(Exported {
        candidate: record.candidate.clone(),
        files: vec![
            ("kernel.c".to_owned(), kernel),
            (
                "base.c".to_owned(),
                format!("// The plain kernel, to compare with.\n\n{}", base.source),
            ),
            ("test.c".to_owned(), check::main(task, &proposal.candidate)),
            ("binding.cpp".to_owned(), torch::binding(task)),
            ("load.py".to_owned(), torch::loader(task, &proposal.candidate)),
        ],
    })
}

/// A line of comment; what is in it cannot end or continue it.
fn commented(line: &str) -> String {
    let line: String =
        line.chars().map(|each| if each.is_control() { ' ' } else { each }).collect();
    format!("// {}", line.trim_end_matches(['\\', ' '])).trim_end().to_owned() + "\n"
}

//! `tetrad report`: a run's report, rendered from what its directory holds, and its path.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runs::{Run, Store};
use serde::Serialize;

use crate::args::Report;
use crate::exit::{self, Status};
use crate::host;
use crate::output::Output;

/// What the command answers.
#[derive(Debug, Serialize)]
struct Answer {
    run: String,
    report: PathBuf,
}

/// Renders and prints the path; opens the report when asked to.
pub(crate) fn run(arguments: &Report, store: &Store, output: &Output) -> anyhow::Result<Status> {
    run_with(arguments, store, output, render)
}

/// Each system renders its own runs.
fn render(run: &Run) -> anyhow::Result<PathBuf> {
    match run.manifest().noun.as_str() {
        "chess" => crate::commands::chess::write_report(run),
        "kernels" => crate::commands::kernels_search::write_report(run),
        "robot" => crate::commands::robot_replay::write_report(run),
        _ if run.report_path().exists() => Ok(run.report_path()),
        other => Err(exit::usage(
            format!("failed to render a report of `{}`: `{other}` runs have none", run.id()),
            format!("`tetrad runs show {}` prints what it holds", run.id()),
        )),
    }
}

fn run_with(
    arguments: &Report,
    store: &Store,
    output: &Output,
    render: impl Fn(&Run) -> anyhow::Result<PathBuf>,
) -> anyhow::Result<Status> {
    let run = super::runs::find(store, &arguments.run)?;
    let report = render(&run)?;
    let answer = Answer { run: run.id().to_owned(), report };
    output.answer("tetrad.report", &answer, || answer.report.display().to_string())?;
    if arguments.open {
        open(&answer.report, output);
    }
    Ok(Status::Ok)
}

/// Opens a report in the user's browser, or says how to.
pub(crate) fn open(report: &Path, output: &Output) {
    let opened = host::find_program("xdg-open", &[]).is_some_and(|program| {
        let nothing = Stdio::null;
        let mut command = Command::new(program);
        command.arg(report).stdin(nothing()).stdout(nothing()).stderr(nothing());
        command.spawn().is_ok()
    });
    if !opened {
        let path = report.display();
        output.note(&format!("hint: no `xdg-open` here; open {path} in a browser"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn answered(noun: &str, wanted: &str) -> (anyhow::Result<Status>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let settings = std::collections::BTreeMap::from([("n", 1)]);
        let run = store.create(noun, "run", &settings, 1).expect("a run");
        drop(run);
        let rendered = std::cell::RefCell::new(Vec::new());
        let arguments = Report { run: wanted.to_owned(), open: false };
        let output = Output::new(Format::Json, true);
        let status = run_with(&arguments, &store, &output, |run| {
            rendered.borrow_mut().push(run.manifest().noun.clone());
            Ok(run.write_report("<p>report</p>")?)
        });
        (status, rendered.into_inner())
    }

    #[test]
    fn the_named_run_is_rendered_once() {
        let (status, rendered) = answered("genome", "latest");
        assert_eq!(status.expect("an answer"), Status::Ok);
        assert_eq!(rendered, ["genome"]);
    }

    #[test]
    fn a_run_that_is_not_there_is_a_usage_error_with_a_hint() {
        let (status, rendered) = answered("genome", "2001-01-01");
        let error = status.expect_err("no such run");
        assert_eq!(exit::status_of(&error), Status::Usage);
        assert!(exit::hint_of(&error).expect("a hint").contains("tetrad runs list"));
        assert!(rendered.is_empty());
    }
}

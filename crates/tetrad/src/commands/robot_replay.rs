//! `tetrad robot replay`: a run's attempts as pages.

use std::path::PathBuf;

use robot::play::RECORDS;
use runs::{Run, Store};

use super::robot_rerun;
use crate::exit::{Status, usage};
use crate::output::Output;

pub(super) fn run(
    wanted: &str,
    rerun: Option<&str>,
    open: bool,
    store: &Store,
    output: &Output,
) -> anyhow::Result<Status> {
    let run = super::runs::find(store, wanted)?;
    check(&run)?;
    if let Some(to) = rerun {
        let viewer = robot_rerun::open(to)?;
        let n_rows = robot_rerun::Follower::start(viewer, run.path().join(RECORDS))?.finish()?;
        output.note(&format!("{n_rows} ticks went to {to}"));
    }
    let pages = robot::report::write(&run)?;
    output.answer("tetrad.robot.replay", &pages, || {
        let attempts = pages.attempts.iter().map(|path| format!("{}\n", path.display()));
        format!("report {}\n{}", pages.report.display(), attempts.collect::<String>())
    })?;
    if open {
        super::report::open(&pages.report, output);
    }
    Ok(Status::Ok)
}

/// Renders all pages, and says where the report is.
pub(crate) fn write_report(run: &Run) -> anyhow::Result<PathBuf> {
    Ok(robot::report::write(run)?.report)
}

/// That a run is one of the robot.
pub(super) fn check(run: &Run) -> anyhow::Result<()> {
    let noun = &run.manifest().noun;
    if noun != "robot" {
        return Err(usage(
            format!("failed to read `{}`: it is a run of `{noun}`", run.id()),
            format!("`tetrad report {}` renders it", run.id()),
        ));
    }
    let none = robot::play::attempts(run.path())?.is_empty();
    if none {
        return Err(usage(
            format!("failed to replay `{}`: it has no attempts on record", run.id()),
            "`tetrad robot run` records all, `tetrad robot eval --record N` the first of each task",
        ));
    }
    Ok(())
}

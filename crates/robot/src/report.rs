//! Runs as pages: one about the run, and one for each attempt on record, to look at again.

mod ages;
mod attempt;
mod pictures;
mod run;
mod tracks;

use std::path::{Path, PathBuf};

use runs::Run;

use crate::error::{Error, Result};
use crate::play::{Attempt, RECORDS, attempts};
use crate::record::{Record, path_of};

/// Pages that were written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pages {
    /// About the run.
    pub report: PathBuf,
    /// One for each attempt.
    pub attempts: Vec<PathBuf>,
}

/// Name of an attempt's page, beside the report.
fn page_name(attempt: usize) -> String {
    format!("attempt-{attempt:04}.html")
}

/// Writes all pages of a run into its folder.
///
/// # Errors
/// When a record or a log is broken, or the file system refuses.
pub fn write(run: &Run) -> Result<Pages> {
    let all = attempts(run.path())?;
    let mut pages = Vec::new();
    for attempt in &all {
        pages.push(write_attempt(run.path(), run.id(), attempt)?);
    }
    let report = run.write_report(&run::render(run, &all)?)?;
    Ok(Pages { report, attempts: pages })
}

/// Writes the page of one attempt whose records are below a folder, under this run's name.
///
/// # Errors
/// As [`write()`].
pub fn write_attempt(folder: &Path, run: &str, attempt: &Attempt) -> Result<PathBuf> {
    let load = |robot| Record::load(&path_of(&folder.join(RECORDS), attempt.number, robot));
    let records = (0..attempt.instructions.len()).map(load).collect::<Result<Vec<_>>>()?;
    let html = attempt::render(folder, run, attempt, &records)?;
    let path = folder.join(page_name(attempt.number));
    runs::write_atomic(&path, html.as_bytes()).map_err(Error::Run)?;
    Ok(path)
}

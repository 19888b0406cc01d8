//! `tetrad runs`: list, show, compare and prune run directories.

use runs::{Prune, Store};

use crate::args::Runs;
use crate::exit::{self, Status};
use crate::output::Output;

/// Looks, or prunes, and prints.
pub(crate) fn run(command: &Runs, store: &Store, output: &Output) -> anyhow::Result<Status> {
    match command {
        Runs::List => {
            let listed = store.list()?;
            output.answer("tetrad.runs.list", &listed, || runs::text::list(store, &listed))?;
        }
        Runs::Show { run } => {
            let shown = runs::show::Shown::of(&find(store, run)?)?;
            output.answer("tetrad.runs.show", &shown, || runs::text::show(&shown))?;
        }
        Runs::Compare { left, right } => {
            let comparison = runs::compare::compare(&find(store, left)?, &find(store, right)?)?;
            output
                .answer("tetrad.runs.compare", &comparison, || runs::text::compare(&comparison))?;
        }
        &Runs::Prune { keep, unfinished, yes } => {
            let pruned = store.prune(&Prune { keep, unfinished, dry_run: !yes })?;
            output.answer("tetrad.runs.prune", &pruned, || runs::text::prune(&pruned, !yes))?;
        }
    }
    Ok(Status::Ok)
}

/// A run that the user named, or what to do about the name.
pub(crate) fn find(store: &Store, wanted: &str) -> anyhow::Result<runs::Run> {
    store.find(wanted).map_err(|error| match error.hint() {
        Some(hint) => exit::usage(error.to_string(), hint),
        None => error.into(),
    })
}

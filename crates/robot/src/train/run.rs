//! A training run in a folder, which goes on where it stopped.
//!
//! `checkpoint.safetensors` holds what the next step depends on, `policy.safetensors` the policy as of
//! the checkpoint, rounded to bfloat16.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Episodes, Recipe, Stepped, Trainer, measure};
use crate::error::Result;
use crate::model::{Lender, Policy, PolicyConfig};

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// What a run begins with.
#[derive(Debug, Default)]
pub struct Start {
    /// A policy whose weights a new run begins with, if any.
    pub from: Option<Policy>,
    /// The open model that S2 borrows from, if it does.
    pub lender: Option<Lender>,
}

/// Trains until the recipe's last step, or until `stop` rises, and tells of every step.
///
/// # Errors
/// If what it begins with has another shape, the folder holds a run of another shape or recipe or cannot be
/// written, the data do not fit, or training gives no numbers; what the last checkpoint holds stays.
pub fn run(
    config: &PolicyConfig,
    recipe: Recipe,
    start: Start,
    episodes: &dyn Episodes,
    folder: &Path,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&Stepped),
) -> Result<Trainer> {
    let failed = |source| nn::Error::File {
        action: "make a folder for the run",
        path: folder.into(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let checkpoint = folder.join("checkpoint.safetensors");
    let mut trainer = if checkpoint.exists() {
        Trainer::resume(config, recipe, &checkpoint)?
    } else if let Some(from) = start.from {
        Trainer::going_on(config, from, recipe)?
    } else {
        let normal = measure(episodes, config, start.lender.as_ref(), recipe.seed)?;
        Trainer::new(config.clone(), normal, recipe)?
    };
    if let Some(lender) = start.lender {
        trainer.borrow_from(lender)?;
    }
    let save = |trainer: &Trainer| {
        trainer.save(&checkpoint)?;
        trainer.policy().save(&folder.join("policy.safetensors"), true)
    };
    let mut saved = Instant::now();
    while trainer.step() < trainer.recipe().steps && !stop.load(Ordering::Relaxed) {
        let stepped = trainer.learn(episodes)?;
        tell(&stepped);
        if saved.elapsed() > CHECKPOINT_EVERY {
            save(&trainer)?;
            saved = Instant::now();
        }
    }
    save(&trainer)?;
    Ok(trainer)
}

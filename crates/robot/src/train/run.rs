//! A training run in a folder, which goes on where it stopped.
//!
//! `checkpoint.safetensors` holds what the next step depends on, `policy.safetensors` the policy as of
//! the checkpoint, rounded to bfloat16.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Episodes, Recipe, Stepped, Trainer, measure};
use crate::error::Result;
use crate::model::{Policy, PolicyConfig};

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// Trains until the recipe's last step, or until `stop` rises, and tells of every step. A run that is new
/// begins with the weights of `from`, where there is such a policy.
///
/// # Errors
/// If `from` has another shape, the folder holds a run of another shape or recipe or cannot be written, the data do not fit, or
/// training gives no numbers; what the last checkpoint holds stays.
pub fn run(
    config: &PolicyConfig,
    recipe: Recipe,
    from: Option<Policy>,
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
    } else if let Some(from) = from {
        Trainer::going_on(config, from, recipe)?
    } else {
        let normal = measure(episodes, config, recipe.seed)?;
        Trainer::new(config.clone(), normal, recipe)?
    };
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

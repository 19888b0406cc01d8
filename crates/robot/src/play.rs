//! A policy at work: what is to be played, in which processes, and what is kept of it.
//!
//! A [`Plan`] in a folder says all that a process must know. [`deploy`] starts world, S2 and an S1 for
//! each robot from one program, each by the machine's clock; [`simulate`] plays the same in one thread on
//! a simulated clock. Both leave records of every attempt and a log of every tick of S1 in the folder,
//! from which [`Played`] is made.

mod deployed;
mod logs;
mod measure;
mod parts;
mod simulated;
mod stage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::chunks::{Blend, ChunkConfig};
use crate::error::{Error, Result};
use crate::fast::FastConfig;
use crate::model::{Policy, PolicyConfig};
use crate::study::expect_body;
use crate::tasks::{Setup, Task, Variation};

pub use deployed::{Told, deploy};
pub use logs::{Line, latent_ages, lines};
use measure::measure;
pub use measure::{Attempt, Measured, Played, Spread, attempts};
pub use parts::part;
pub use simulated::simulate;
pub use stage::Stage;

/// Name of the records' folder in a run.
pub const RECORDS: &str = "records";

/// How weights are kept, as [`nn::Precision`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16.
    Bf16,
    /// Bytes.
    Int8,
}

impl From<Keep> for nn::Precision {
    fn from(keep: Keep) -> nn::Precision {
        match keep {
            Keep::F32 => nn::Precision::F32,
            Keep::Bf16 => nn::Precision::Bf16,
            Keep::Int8 => nn::Precision::Int8,
        }
    }
}

/// What is to be played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The policy's safetensors; the one that comes with the program where there is none.
    pub policy: Option<PathBuf>,
    /// How its weights are kept.
    pub keep: Keep,
    /// Tasks, in turn; all for as many robots.
    pub tasks: Vec<Task>,
    /// Seed of the first scene; the others follow.
    pub seed: u64,
    /// What scenes are drawn from.
    pub variation: Variation,
    /// Where records and logs go.
    pub folder: PathBuf,
    /// The name before those of iceoryx2's services, if values go over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iceoryx2: Option<String>,
    /// Folder of the open model that S2 borrows from, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<PathBuf>,
}

/// Scenes of a plan; after the last it begins anew.
const MOST_SCENES: u64 = 64;

impl Plan {
    /// How many robots there are.
    ///
    /// # Errors
    /// When there is no task, or tasks are for different numbers of robots.
    pub fn n_robots(&self) -> Result<usize> {
        let wrong = |reason: &str| Error::config("a run", reason);
        let first = self.tasks.first().ok_or_else(|| wrong("no task is named"))?;
        if self.tasks.iter().any(|task| task.n_robots() != first.n_robots()) {
            return Err(wrong("tasks for one robot and for two cannot take turns: name either"));
        }
        Ok(first.n_robots())
    }

    /// The scene with this number.
    #[must_use]
    pub fn setup(&self, number: u64) -> Setup {
        let number = number % MOST_SCENES;
        let task = self.tasks[number as usize % self.tasks.len()];
        Setup::new(task, self.seed.wrapping_add(number), self.variation)
    }

    /// The policy, held to the body, with the first eight bytes of its file's SHA-256.
    ///
    /// # Errors
    /// When it cannot be read, or is for another body, or borrows from an open model where none is named,
    /// or the other way round.
    pub fn policy(&self) -> Result<(Policy, u64)> {
        let (policy, digest) = Policy::or_shipped(self.policy.as_deref())?;
        expect_body(&policy)?;
        policy.expect_folder(self.backbone.as_deref())?;
        let checkpoint = u64::from_str_radix(&digest[..16], 16).unwrap_or(0);
        Ok((policy, checkpoint))
    }

    /// As [`Plan::policy`], for whoever runs S2: with the open model that it borrows from, if it does.
    ///
    /// # Errors
    /// As there, or when the model cannot be read or is another.
    pub fn policy_of_s2(&self) -> Result<(Policy, u64)> {
        let (mut policy, checkpoint) = self.policy()?;
        policy.lend(self.backbone.as_deref())?;
        Ok((policy, checkpoint))
    }

    /// Folder of the records.
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.folder.join(RECORDS)
    }

    /// Writes it into its folder, with room for records. Says where.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self) -> Result<PathBuf> {
        let records = self.records();
        std::fs::create_dir_all(&records).map_err(|source| Error::file(&records, source))?;
        let path = self.folder.join("plan.json");
        let text = serde_json::to_vec_pretty(self).expect("plain data");
        runs::write_atomic(&path, &text)?;
        Ok(path)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Plan> {
        let bytes = std::fs::read(path).map_err(|source| Error::file(path, source))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Record {
            path: path.to_owned(),
            what: format!("it is no plan of a run: {error}"),
        })
    }
}

/// S1 at every tick; what it said about it in earlier ones counts, too.
fn fast_config(config: &PolicyConfig) -> FastConfig {
    let length = config.chunk_ticks().clamp(1, 1000);
    FastConfig {
        chunks: ChunkConfig { length, blend: Blend::PLAYED, speed: 1.0 },
        ..FastConfig::DEFAULT
    }
}

//! What the fast loop publishes, and what it says about a tick.

use serde::{Deserialize, Serialize};

use crate::chunks::Action;
use crate::interface::ACTION;
use crate::limits::{TARGETS, Targets};
use crate::watchdog::Rung;

/// What S1 publishes at a tick: targets for the world, and how they came about for whoever looks on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Where the body should be.
    pub targets: Targets,
    /// What the policy said, before limits; zeros when it said nothing.
    pub action: Action,
    /// The watchdog's rung.
    pub rung: Rung,
    /// Age of the latent in nanoseconds.
    pub latent_age: Option<u64>,
    /// Values in shared memory that were damaged so far, and not used.
    pub n_damaged: u64,
}

impl Published {
    /// Values in shared memory: targets, action, rung, age of the latent in seconds (−1 for none),
    /// damaged values.
    pub const LEN: usize = TARGETS + ACTION + 3;

    /// As it is published.
    #[must_use]
    pub fn to_floats(&self) -> [f32; Published::LEN] {
        let mut floats = [0.0; Published::LEN];
        let age = self.latent_age.map_or(-1.0, |age| (age as f64 / 1e9) as f32);
        floats[..TARGETS].copy_from_slice(&self.targets.to_floats());
        floats[TARGETS..][..ACTION].copy_from_slice(&self.action);
        floats[TARGETS + ACTION..].copy_from_slice(&[
            f32::from(self.rung as u8),
            age,
            self.n_damaged as f32,
        ]);
        floats
    }

    /// From what was published; nothing where it has another length.
    #[must_use]
    pub fn from_floats(floats: &[f32]) -> Option<Published> {
        let floats: &[f32; Published::LEN] = floats.try_into().ok()?;
        let [rung, age, n_damaged] = floats[TARGETS + ACTION..] else { return None };
        Some(Published {
            targets: Targets::from_floats(floats)?,
            action: floats[TARGETS..][..ACTION].try_into().ok()?,
            rung: Rung::from_index(rung as usize)?,
            latent_age: (age >= 0.0).then_some((f64::from(age) * 1e9) as u64),
            n_damaged: n_damaged as u64,
        })
    }
}

/// One tick of the fast loop. Times and ages are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TickRecord {
    /// Counts ticks from 0, those that were missed among them.
    pub tick: u64,
    /// When it was due.
    pub due: u64,
    /// How much later it began.
    pub wake_nanos: u64,
    /// How long it took.
    pub work_nanos: u64,
    /// Age of the latent used; none before the first.
    pub latent_age: Option<u64>,
    /// Age of the observation used; none before the first.
    pub world_age: Option<u64>,
    /// Number of the latent used; 0 before the first.
    pub latent: u64,
    /// The watchdog's rung.
    pub rung: Rung,
    /// Ticks that are skipped after it.
    pub n_missed: u32,
    /// How much of its task the policy takes to be done.
    pub completion: f32,
}

impl TickRecord {
    /// Words of a record in a ring.
    pub const WORDS: usize = 8;

    pub(super) fn to_words(self) -> [u64; TickRecord::WORDS] {
        [
            self.tick,
            self.due,
            self.wake_nanos,
            self.work_nanos,
            self.latent_age.unwrap_or(u64::MAX),
            self.world_age.unwrap_or(u64::MAX),
            self.latent << 8 | self.rung as u64,
            u64::from(self.n_missed) << 32 | u64::from(self.completion.to_bits()),
        ]
    }

    pub(super) fn from_words(words: [u64; TickRecord::WORDS]) -> TickRecord {
        let age = |word: u64| (word != u64::MAX).then_some(word);
        TickRecord {
            tick: words[0],
            due: words[1],
            wake_nanos: words[2],
            work_nanos: words[3],
            latent_age: age(words[4]),
            world_age: age(words[5]),
            latent: words[6] >> 8,
            rung: Rung::from_index((words[6] & 0xff) as usize).unwrap_or(Rung::Stop),
            n_missed: (words[7] >> 32) as u32,
            completion: f32::from_bits(words[7] as u32),
        }
    }
}

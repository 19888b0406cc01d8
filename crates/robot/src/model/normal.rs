//! From quantities of the world to numbers near 1, and back.
//!
//! Where a wrist should be is learned relative to where it is, so that what is learned is motion; the
//! gripper's opening, which the state only follows, is learned as it is. Each action of a chunk has its
//! own mean and deviation: the first moves millimetres, the last centimetres.

use serde::{Deserialize, Serialize};

use super::config::PolicyConfig;
use crate::error::{Error, Result};
use crate::interface::{ACTION, ARMS, STATE, WRIST};

/// Values of a wrist's position.
const POSITION: usize = 3;

/// Where a wrist's rotation ends.
const ROTATION_END: usize = POSITION + 6;

/// Smallest deviation that is divided by: what hardly moves is not blown up.
const LEAST_DEVIATION: f32 = 1e-3;

/// Normalised states and features are kept within so many deviations.
const MOST_DEVIATIONS: f32 = 5.0;

/// Mean and deviation of some values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f32>,
    /// Standard deviations.
    pub deviation: Vec<f32>,
}

impl Moments {
    /// That change nothing.
    #[must_use]
    pub fn unit(n: usize) -> Moments {
        Moments { mean: vec![0.0; n], deviation: vec![1.0; n] }
    }

    /// Of rows of `n` values.
    #[must_use]
    pub fn of(n: usize, rows: impl Iterator<Item = impl AsRef<[f32]>>) -> Moments {
        let (mut sums, mut squares, mut count) = (vec![0.0_f64; n], vec![0.0_f64; n], 0.0);
        for row in rows {
            count += 1.0;
            for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(row.as_ref()) {
                *sum += f64::from(*value);
                *square += f64::from(*value).powi(2);
            }
        }
        let count = f64::max(count, 1.0);
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let deviation = |(square, mean): (&f64, &f64)| {
            let variance = (square / count - mean * mean).max(0.0);
            (variance.sqrt() as f32).max(LEAST_DEVIATION)
        };
        let deviation = squares.iter().zip(&mean).map(deviation).collect();
        Moments { mean: mean.iter().map(|mean| *mean as f32).collect(), deviation }
    }

    /// To deviations from the means, [`MOST_DEVIATIONS`] at most.
    fn apply(&self, values: &mut [f32]) {
        for (value, (mean, deviation)) in
            values.iter_mut().zip(self.mean.iter().zip(&self.deviation))
        {
            *value = ((*value - mean) / deviation).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS);
        }
    }

    fn check(&self, what: &'static str, n: usize) -> Result<()> {
        crate::error::expect_length(what, self.mean.len(), n)?;
        crate::error::expect_length(what, self.deviation.len(), n)?;
        let good = self.mean.iter().all(|mean| mean.is_finite())
            && self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0);
        if good { Ok(()) } else { Err(Error::NotFinite { what }) }
    }
}

/// Of a policy's state and actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Of the state.
    pub state: Moments,
    /// Of each action of a chunk, as far as it is relative after that is taken off.
    pub actions: Vec<Moments>,
    /// Of the features that S2 borrows, where it does: what pictures and texts have in common says nothing,
    /// and is most of some models' features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<Moments>,
}

/// Whether a value of an action is relative to the same value of the state.
fn is_relative(n_actions: usize, at: usize) -> bool {
    n_actions == ACTION && at < ARMS * WRIST && at % WRIST < ROTATION_END
}

/// Whether a value of an action is one of a wrist's position.
pub(crate) fn is_position(n_actions: usize, at: usize) -> bool {
    is_relative(n_actions, at) && at % WRIST < POSITION
}

impl Normalisation {
    /// That changes nothing but what is relative.
    #[must_use]
    pub fn unit(config: &PolicyConfig) -> Normalisation {
        let actions = vec![Moments::unit(config.action); config.s1.chunk];
        let borrowed = config.s2.borrowed.as_ref();
        let borrowed = borrowed.map(|borrowed| Moments::unit(borrowed.features));
        Normalisation { state: Moments::unit(config.state), actions, borrowed }
    }

    /// Holds it to a configuration.
    ///
    /// # Errors
    /// If it is for another one, or not finite.
    pub fn check(&self, config: &PolicyConfig) -> Result<()> {
        self.state.check("the normalisation of the state", config.state)?;
        let chunk = config.s1.chunk;
        crate::error::expect_length("the normalisation of a chunk", self.actions.len(), chunk)?;
        let check =
            |moments: &Moments| moments.check("the normalisation of actions", config.action);
        self.actions.iter().try_for_each(check)?;
        let what = "the normalisation of borrowed features";
        let features = config.s2.borrowed.as_ref().map_or(0, |borrowed| borrowed.features);
        self.borrowed.as_ref().unwrap_or(&Moments::unit(0)).check(what, features)
    }

    /// What is learned of an action before it is divided: relative where it should be.
    pub fn relative(state: &[f32], action: &[f32], into: &mut [f32]) {
        for (at, (to, value)) in into.iter_mut().zip(action).enumerate() {
            *to = if is_relative(action.len(), at) { value - state[at] } else { *value };
        }
    }

    /// Normalises a state.
    pub fn normal_state(&self, state: &[f32], into: &mut [f32]) {
        into.iter_mut().zip(state).for_each(|(to, value)| *to = *value);
        self.state.apply(into);
    }

    /// Normalises borrowed features, where there are any.
    pub fn normal_borrowed(&self, features: &mut [f32]) {
        if let Some(moments) = &self.borrowed {
            moments.apply(features);
        }
    }

    /// Normalises the `k`-th action of a chunk; the completed share stays as it is.
    pub fn normal_action(&self, k: usize, state: &[f32], action: &[f32], into: &mut [f32]) {
        Normalisation::relative(state, action, into);
        let Moments { mean, deviation } = &self.actions[k];
        let n = action.len() - 1;
        for (to, (mean, deviation)) in into[..n].iter_mut().zip(mean.iter().zip(deviation)) {
            *to = (*to - mean) / deviation;
        }
    }

    /// The `k`-th action of a chunk from what S1 gives: rotations are made orthonormal, and the
    /// completed share goes through a sigmoid.
    ///
    /// # Errors
    /// If a value is not finite, or a rotation has no direction.
    pub fn action(&self, k: usize, state: &[f32], out: &[f32], into: &mut [f32]) -> Result<()> {
        let n = into.len();
        let Moments { mean, deviation } = &self.actions[k];
        for (at, to) in into[..n - 1].iter_mut().enumerate() {
            let base = if is_relative(n, at) { state[at] } else { 0.0 };
            *to = out[at] * deviation[at] + mean[at] + base;
        }
        into[n - 1] = 1.0 / (1.0 + (-out[n - 1]).exp());
        let mut good = into.iter().all(|value| value.is_finite());
        if n == ACTION {
            for arm in 0..ARMS {
                let wrist = &mut into[arm * WRIST..][..WRIST];
                good &= orthonormal(&mut wrist[POSITION..ROTATION_END]);
                wrist[WRIST - 1] = wrist[WRIST - 1].clamp(0.0, 1.0);
            }
        }
        if good { Ok(()) } else { Err(Error::NotFinite { what: "an action of S1" }) }
    }
}

/// Gram and Schmidt on two columns; `false` if they span no plane.
pub(super) fn orthonormal(columns: &mut [f32]) -> bool {
    let (first, second) = columns.split_at_mut(3);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let unit = |column: &mut [f32]| {
        let length = dot(column, column).sqrt();
        column.iter_mut().for_each(|value| *value /= length);
        length > 1e-4
    };
    let good = unit(first);
    let along = dot(first, second);
    second.iter_mut().zip(first).for_each(|(to, first)| *to -= along * *first);
    good && unit(second)
}

const _: () = assert!(STATE >= ARMS * WRIST, "a state begins with the wrists");

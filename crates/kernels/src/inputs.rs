//! Values for a task's inputs and parameters.
//!
//! A seed, a tensor's name and the number of the set fix every byte, on every machine: the random
//! numbers are ChaCha8's, and logarithms and sines do not come from the system's library.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::graph::{Dtype, Graph, Tensor};
use crate::task::{Generator, Task};
use crate::{Error, oracle};

/// How inputs differ from what their generators say: kinds on which wrong kernels show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// As the generators say.
    Plain,
    /// Uniform in `[-1, 1)`.
    Signed,
    /// Gaussian, a hundred times as large.
    Large,
    /// Between denormal and `1e-6`, of either sign.
    Tiny,
    /// Nine of ten are zero.
    Sparse,
    /// One value in each row.
    ConstantRows,
    /// Gaussian with one value in each row that is a thousand times as large.
    Outlier,
}

impl Distribution {
    /// All, the plain one first.
    pub const ALL: [Distribution; 7] = [
        Distribution::Plain,
        Distribution::Signed,
        Distribution::Large,
        Distribution::Tiny,
        Distribution::Sparse,
        Distribution::ConstantRows,
        Distribution::Outlier,
    ];
}

/// Whether a distribution changes this tensor: a float that is Gaussian or uniform. Integers,
/// flags, probabilities and stored values mean something and stay as they are.
fn changes(tensor: &Tensor, generator: &Generator) -> bool {
    let free = matches!(generator, Generator::Normal { .. } | Generator::Uniform { .. });
    free && tensor.dtype.is_float()
}

/// Whether a distribution differs from the plain one for this task. Parameters always stay as
/// their generators say. Whether the result is finite there is another question.
#[must_use]
pub fn applies(task: &Task, graph: &Graph, distribution: Distribution) -> bool {
    distribution == Distribution::Plain
        || graph.inputs.iter().any(|tensor| {
            task.generators.get(&tensor.name).is_some_and(|generator| changes(tensor, generator))
        })
}

/// Bytes of everything a kernel is given, in the order of [`Graph::given`]. `graph` is the task's
/// own or one of its variants; `set` numbers the draws of one seed.
///
/// # Errors
/// If a tensor has no generator, or none that fits.
pub fn draw(
    task: &Task,
    graph: &Graph,
    seed: u64,
    set: u64,
    distribution: Distribution,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut all = Vec::new();
    for (idx, tensor) in graph.given().enumerate() {
        let wrong = |reason: &str| Error::Operation {
            action: "draw",
            op: tensor.name.clone(),
            reason: reason.to_owned(),
        };
        let generator = task.generators.get(&tensor.name).ok_or_else(|| wrong("no generator"))?;
        let mut rng = stream(seed, &tensor.name, set);
        let input = idx < graph.inputs.len();
        all.push(match generator {
            Generator::Stored => {
                let bytes = task.stored_bytes(tensor);
                bytes.ok_or_else(|| wrong("no stored values"))?.to_vec()
            }
            _ if input && distribution != Distribution::Plain && changes(tensor, generator) => {
                pack(tensor, unusual(tensor, distribution, &mut rng))
            }
            _ => pack(tensor, usual(tensor, generator, &mut rng)),
        });
    }
    Ok(all)
}

/// The arrays that an interpreter takes, from the bytes that a kernel takes.
///
/// # Errors
/// If there are not as many bytes as the graph says.
pub fn arrays(graph: &Graph, bytes: &[Vec<u8>]) -> Result<Vec<oracle::Array>, Error> {
    graph
        .given()
        .zip(bytes)
        .map(|(tensor, bytes)| oracle::Array::from_bytes(tensor, bytes))
        .collect()
}

fn stream(seed: u64, name: &str, set: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(set.to_le_bytes());
    hash.update(name.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// In `[0, 1)`, with 24 bits.
fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Standard Gaussians (Box and Muller).
fn gaussians(n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        let radius = (-2.0 * libm::logf(1.0 - unit(rng))).sqrt();
        let (sine, cosine) = libm::sincosf(unit(rng) * std::f32::consts::TAU);
        values.extend([radius * cosine, radius * sine]);
    }
    values.truncate(n);
    values
}

fn usual(tensor: &Tensor, generator: &Generator, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let n = tensor.n_elements();
    match generator {
        Generator::Normal { mean, std } => {
            gaussians(n, rng).into_iter().map(|value| mean + std * f64::from(value)).collect()
        }
        Generator::Uniform { low, high } => {
            // Rounding to single precision could reach the bound, which is excluded.
            let below = f64::from((*high as f32).next_down()).min(*high);
            let value = |unit: f32| (low + (high - low) * f64::from(unit)).min(below.max(*low));
            (0..n).map(|_| value(unit(rng))).collect()
        }
        Generator::Integers { low, high } => {
            let n_values = high.abs_diff(*low);
            (0..n)
                .map(|_| {
                    // The widening product spreads 64 random bits evenly enough over any range.
                    let at = (u128::from(rng.next_u64()) * u128::from(n_values)) >> 64;
                    (i128::from(*low) + at as i128) as f64
                })
                .collect()
        }
        Generator::Bernoulli { p } => {
            (0..n).map(|_| f64::from(u8::from(f64::from(unit(rng)) < *p))).collect()
        }
        Generator::Probabilities => {
            let mut values: Vec<f64> =
                (0..n).map(|_| f64::from(-libm::logf(1.0 - unit(rng))) + 1e-6).collect();
            let row = tensor.shape.last().copied().unwrap_or(1).max(1);
            for row in values.chunks_mut(row) {
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|value| *value /= sum);
            }
            values
        }
        Generator::Stored => Vec::new(),
    }
}

fn unusual(tensor: &Tensor, distribution: Distribution, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let n = tensor.n_elements();
    let row = tensor.shape.last().copied().unwrap_or(1).max(1);
    let mut values: Vec<f64> = gaussians(n, rng).into_iter().map(f64::from).collect();
    match distribution {
        Distribution::Plain => {}
        Distribution::Signed => {
            values.iter_mut().for_each(|value| *value = f64::from(2.0 * unit(rng) - 1.0));
        }
        Distribution::Large => values.iter_mut().for_each(|value| *value *= 100.0),
        Distribution::Tiny => {
            for value in &mut values {
                // Exponents from that of the least denormal up to 1e-6's.
                let power = -149 + (unit(rng) * 129.0) as i32;
                *value = value.signum() * f64::powi(2.0, power);
            }
        }
        Distribution::Sparse => {
            values.iter_mut().for_each(|value| *value *= f64::from(u8::from(unit(rng) < 0.1)));
        }
        Distribution::ConstantRows => {
            values.chunks_mut(row).for_each(|row| row.fill(row[0]));
        }
        Distribution::Outlier => {
            for row in values.chunks_mut(row) {
                let at = (f64::from(unit(rng)) * row.len() as f64) as usize;
                row[at] *= 1000.0;
            }
        }
    }
    values
}

fn pack(tensor: &Tensor, values: Vec<f64>) -> Vec<u8> {
    let fits = matches!(tensor.dtype, Dtype::F32 | Dtype::F64);
    debug_assert!(fits || values.iter().all(|value| value.fract() == 0.0));
    oracle::Array { dtype: tensor.dtype, shape: tensor.shape.clone(), values }.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::example;

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|at| f32::from_le_bytes(*at)).collect()
    }

    fn of(generator: Generator, dtype: Dtype, shape: &[usize]) -> Vec<f64> {
        let tensor = Tensor { name: "x".to_owned(), dtype, shape: shape.to_vec() };
        usual(&tensor, &generator, &mut stream(1, "x", 0))
    }

    #[test]
    fn equal_seeds_give_equal_bytes() {
        let task = example();
        let draw =
            |seed, set| draw(&task, &task.graph, seed, set, Distribution::Plain).expect("drawn");
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0)[0], draw(1, 1)[0]);
        assert_ne!(draw(1, 0)[0], draw(2, 0)[0]);
        // Stored values do not change.
        assert_eq!(floats(&draw(2, 5)[1]), [2.0, 3.0]);
    }

    #[test]
    fn these_bytes_hold_on_every_machine() {
        let values = of(Generator::Normal { mean: 0.0, std: 1.0 }, Dtype::F32, &[3]);
        assert_eq!(
            values,
            [-0.051_862_712_949_514_39, 0.715_502_023_696_899_4, 0.507_931_470_870_971_7]
        );
    }

    #[test]
    fn gaussians_have_their_mean_and_spread() {
        let values = of(Generator::Normal { mean: 3.0, std: 2.0 }, Dtype::F32, &[40_000]);
        let mean = values.iter().sum::<f64>() / 40_000.0;
        let spread = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
        assert!((mean - 3.0).abs() < 0.04 && (spread.sqrt() - 2.0).abs() < 0.03, "{mean} {spread}");
    }

    #[test]
    fn bounds_hold() {
        let values = of(Generator::Uniform { low: -2.0, high: 0.5 }, Dtype::F32, &[10_000]);
        assert!(values.iter().all(|x| (-2.0..0.5).contains(&f64::from(*x as f32))));
        let values = of(Generator::Integers { low: -1, high: 3 }, Dtype::I64, &[1000]);
        let mut seen: Vec<i64> = values.iter().map(|x| *x as i64).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [-1, 0, 1, 2]);
        let values = of(Generator::Probabilities, Dtype::F32, &[5, 7]);
        assert!(values.chunks(7).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    }

    #[test]
    fn unusual_kinds_are_what_they_say() {
        let task = example();
        let draw = |kind| floats(&draw(&task, &task.graph, 3, 0, kind).expect("drawn")[0]);
        assert!(draw(Distribution::Signed).iter().all(|x| (-1.0..1.0).contains(x)));
        assert!(draw(Distribution::ConstantRows).chunks(2).all(|row| row[0] == row[1]));
        assert!(draw(Distribution::Tiny).iter().all(|x| x.abs() < 1e-5 && *x != 0.0));
        assert!(draw(Distribution::Sparse).contains(&0.0));
    }
}

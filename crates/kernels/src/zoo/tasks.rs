//! Small tasks whose results need no oracle.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Error;
use crate::graph::{Dtype, Tensor};
use crate::judge::{Expect, Expected, Set, Tolerance};

/// A task of the zoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ZooTask {
    /// `y = x * w + b`, element by element, of an odd size.
    Affine,
    /// Softmax along rows.
    Softmax,
    /// Variance of rows.
    Variance,
    /// A long input and a result that does not depend on it.
    Constant,
}

impl ZooTask {
    /// All of them.
    pub const ALL: [ZooTask; 4] =
        [ZooTask::Affine, ZooTask::Softmax, ZooTask::Variance, ZooTask::Constant];

    /// Rows and columns.
    #[must_use]
    pub fn shape(self) -> (usize, usize) {
        match self {
            ZooTask::Affine => (1, 5003),
            ZooTask::Softmax => (37, 515),
            ZooTask::Variance => (29, 701),
            ZooTask::Constant => (1, 8 << 20),
        }
    }

    /// The task of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<ZooTask> {
        ZooTask::ALL.into_iter().find(|task| Expect::name(task) == name)
    }

    /// Inputs of the plain kind, or what it hides.
    fn row(self, kind: usize, n: usize, rng: &mut impl Rng) -> Vec<f32> {
        let plain = normal(rng, n);
        match (self, kind) {
            (_, 0) | (ZooTask::Constant, _) => plain,
            (ZooTask::Affine, _) => plain.into_iter().map(|value| value * 1e5).collect(),
            (ZooTask::Softmax, 1) => plain.into_iter().map(|value| value * 80.0).collect(),
            (ZooTask::Variance, 1) => plain.into_iter().map(|value| value + 1000.0).collect(),
            (ZooTask::Softmax | ZooTask::Variance, _) => vec![plain[0]; n],
        }
    }
}

/// Sums of four uniforms, with variance 1.
fn normal(rng: &mut impl Rng, n: usize) -> Vec<f32> {
    let mut one = || (0..4).map(|_| rng.random::<f32>() - 0.5).sum::<f32>() * 1.732_050_8;
    (0..n).map(|_| one()).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn tensor(name: &str, shape: &[usize]) -> Tensor {
    Tensor { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() }
}

impl Expect for ZooTask {
    fn name(&self) -> &str {
        match self {
            ZooTask::Affine => "affine",
            ZooTask::Softmax => "softmax",
            ZooTask::Variance => "variance",
            ZooTask::Constant => "constant",
        }
    }

    fn given(&self) -> Vec<Tensor> {
        let (rows, columns) = self.shape();
        match self {
            ZooTask::Affine => ["x", "w", "b"].map(|name| tensor(name, &[columns])).to_vec(),
            _ => vec![tensor("x", &[rows, columns])],
        }
    }

    fn returned(&self) -> Vec<Tensor> {
        let (rows, columns) = self.shape();
        vec![match self {
            ZooTask::Affine => tensor("y", &[columns]),
            ZooTask::Softmax => tensor("y", &[rows, columns]),
            ZooTask::Variance => tensor("y", &[rows]),
            ZooTask::Constant => tensor("y", &[16]),
        }]
    }

    fn kinds(&self) -> Vec<String> {
        let kinds: &[&str] = match self {
            ZooTask::Affine => &["plain", "large"],
            ZooTask::Softmax => &["plain", "large", "constant rows"],
            ZooTask::Variance => &["plain", "far from zero", "constant rows"],
            ZooTask::Constant => &["plain"],
        };
        kinds.iter().map(|&kind| kind.to_owned()).collect()
    }

    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (rows, columns) = self.shape();
        let mut make =
            || -> Vec<f32> { (0..rows).flat_map(|_| self.row(kind, columns, &mut rng)).collect() };
        let given: Vec<Vec<f32>> = self.given().iter().map(|_| make()).collect();
        let wide = |row: &[f32]| row.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        let (values, limits): (Vec<f64>, Vec<f64>) = match self {
            ZooTask::Affine => (0..columns)
                .map(|at| {
                    let [x, w, b] = [0, 1, 2].map(|idx| f64::from(given[idx][at]));
                    (x * w + b, 2e-7 * ((x * w).abs() + b.abs()) + 1e-9)
                })
                .unzip(),
            ZooTask::Softmax => given[0]
                .chunks_exact(columns)
                .flat_map(|row| {
                    let row = wide(row);
                    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = row.iter().map(|x| (x - most).exp()).sum();
                    row.into_iter().map(move |x| (x - most).exp() / sum)
                })
                // An argument of some hundreds is itself rounded by some 1e-5.
                .map(|value| (value, 4e-5 * value + 1e-10))
                .unzip(),
            ZooTask::Variance => given[0]
                .chunks_exact(columns)
                .map(|row| {
                    let row = wide(row);
                    let mean = row.iter().sum::<f64>() / columns as f64;
                    let squares: f64 = row.iter().map(|x| (x - mean) * (x - mean)).sum();
                    let value = squares / columns as f64;
                    (value, 1e-4 * value + 1e-6)
                })
                .unzip(),
            ZooTask::Constant => (vec![3.0; 16], vec![1e-6; 16]),
        };
        let expected = vec![Expected::new(values, Tolerance::Each(limits))];
        Ok(Set { given: given.iter().map(|values| bytes(values)).collect(), expected })
    }
}

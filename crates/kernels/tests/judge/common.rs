//! Tasks whose results are known without an oracle, and judges for them.

use kernels::graph::{Dtype, Tensor};
use kernels::judge::{Effort, Expect, Expected, Judge, Options, Set, Tolerance};
use kernels::{Candidate, Error, Evaluation, Language};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::Launcher;

/// `y = 2x + 1`, with a second input that nobody needs to read whole.
pub(crate) struct Affine {
    pub(crate) n: usize,
}

pub(crate) fn tensor(name: &str, shape: &[usize]) -> Tensor {
    Tensor { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() }
}

pub(crate) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn normal(rng: &mut impl Rng, n: usize, scale: f32) -> Vec<f32> {
    let sum = |rng: &mut dyn FnMut() -> f32| (0..6).map(|_| rng()).sum::<f32>() / 6.0 - 0.5;
    (0..n).map(|_| scale * sum(&mut || rng.random::<f32>())).collect()
}

impl Expect for Affine {
    fn name(&self) -> &str {
        "affine"
    }

    fn given(&self) -> Vec<Tensor> {
        vec![tensor("x", &[self.n])]
    }

    fn returned(&self) -> Vec<Tensor> {
        vec![tensor("y", &[self.n])]
    }

    fn kinds(&self) -> Vec<String> {
        ["plain", "large"].map(str::to_owned).to_vec()
    }

    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let x = normal(&mut rng, self.n, if kind == 0 { 1.0 } else { 1e6 });
        let values: Vec<f64> = x.iter().map(|x| 2.0 * f64::from(*x) + 1.0).collect();
        let limits = values.iter().map(|y| 1e-6 * (1.0 + y.abs())).collect();
        let expected = vec![Expected { values, tolerance: Tolerance::Each(limits) }];
        Ok(Set { given: vec![bytes(&x)], expected })
    }
}

pub(crate) fn c(source: &str) -> Candidate {
    Candidate { language: Language::C, source: source.to_owned(), flags: Vec::new() }
}

/// A kernel with this body, `x`, `y` and `n` known to it.
pub(crate) fn affine(n: usize, before: &str, body: &str) -> Candidate {
    c(&format!(
        "#include <stdint.h>\n#include <string.h>\n#include <math.h>\n#include <omp.h>\n\
         enum {{ n = {n} }};\nconst int64_t tetrad_scratch_bytes = 4096;\n{before}\n\
         void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {{\n\
         const float *x = in[0]; float *y = out[0]; (void)scratch;\n{body}\n}}\n"
    ))
}

pub(crate) const HONEST: &str = "for (int i = 0; i < n; i++) y[i] = 2 * x[i] + 1;";

pub(crate) fn options() -> Options {
    let mut options = Options::new(Launcher::test_entry("launcher_entry"), 7);
    options.n_blocks = 2;
    options
}

pub(crate) fn judge(n: usize) -> Judge {
    let base = affine(n, "", HONEST);
    Judge::open(Box::new(Affine { n }), &base, options()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn evaluate(judge: &mut Judge, candidate: &Candidate, effort: Effort) -> Evaluation {
    judge.evaluate(candidate, effort).unwrap_or_else(|error| panic!("{error}"))
}

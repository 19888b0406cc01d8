//! Products with fixed weights: `y[t, n] = bias[n] + Σ_k x[t, k] W[n, k]`.

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::products::{Input, Scratch, Weights};
use crate::threads;

/// How weights are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 weights and inputs, sums in f32.
    Bf16,
    /// Bytes: weights scaled per output, inputs per token, sums exact.
    Int8,
}

impl Precision {
    /// Its name: `f32`, `bf16`, `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
        }
    }
}

/// What becomes of what the output held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is overwritten.
    Store,
    /// The product is added: a residual connection.
    Add,
}

/// A weight matrix `[N, K]`, packed for the product, with or without a bias `[N]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weights: Weights,
    bias: Option<Vec<Row>>,
}

impl Linear {
    /// Packs a matrix. `read` copies one of its `n_outputs` rows, `[n_inputs]`, to where it is told.
    pub fn new(
        n_outputs: usize,
        n_inputs: usize,
        precision: Precision,
        bias: Option<&[f32]>,
        read: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Linear {
        let bias = bias.map(|bias| Blocked::from_rows(bias, n_outputs).rows().to_vec());
        Linear { weights: Weights::pack(n_outputs, n_inputs, precision, read), bias }
    }

    /// Outputs, `N`.
    pub fn n_outputs(&self) -> usize {
        self.weights.n_outputs()
    }

    /// Inputs, `K`.
    pub fn n_inputs(&self) -> usize {
        self.weights.n_inputs()
    }

    /// Bytes that one product of few tokens reads.
    pub fn size_bytes(&self) -> usize {
        self.weights.size_bytes()
    }

    /// The product of `x`, `[T, K]`, into `out`, `[T, N]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked, then: Then) {
        self.forward_in(cpu, x, out, then, &mut Scratch::default());
    }

    /// As [`Linear::forward`], with room that is kept: nothing is allocated once it is large enough,
    /// if one thread works.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward_in(
        &self,
        cpu: Cpu,
        x: &Blocked,
        out: &mut Blocked,
        then: Then,
        scratch: &mut Scratch,
    ) {
        assert_eq!(x.n_channels(), self.n_inputs(), "inputs");
        assert_eq!(out.n_channels(), self.n_outputs(), "outputs");
        assert_eq!(x.n_tokens(), out.n_tokens(), "tokens");
        let n_tokens = x.n_tokens();
        let n_blocks = out.n_blocks();
        let input = Input::new(cpu, x, self.weights.precision(), scratch);
        threads::by_units(out.rows_mut(), n_blocks, n_tokens * self.n_inputs(), |first, rows| {
            let panels = first..first + rows.len() / n_tokens;
            for (panel, rows) in panels.clone().zip(rows.chunks_exact_mut(n_tokens)) {
                self.begin(panel, rows, then);
            }
            self.weights.add_product(cpu, &input, panels, rows);
        });
    }

    /// What the sums of one block start from.
    fn begin(&self, panel: usize, rows: &mut [Row], then: Then) {
        let bias = self.bias.as_ref().map_or(Row::ZERO, |bias| bias[panel]);
        match (then, &self.bias) {
            (Then::Store, _) => rows.fill(bias),
            (Then::Add, None) => {}
            (Then::Add, Some(_)) => {
                for row in rows {
                    for lane in 0..BLOCK {
                        row.0[lane] += bias.0[lane];
                    }
                }
            }
        }
    }
}

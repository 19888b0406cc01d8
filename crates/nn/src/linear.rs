//! Products with fixed weights: `y[t, n] = bias[n] + Σ_k x[t, k] W[n, k]`.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::products::{Input, Rows, Scratch, Start, Weights};
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

/// What becomes of the product.
#[derive(Debug, Clone, Copy)]
pub enum Then<'a> {
    /// The output is overwritten.
    Store,
    /// It is added to what the output held: a residual connection.
    Add,
    /// The output is the sum of the product and this, `[T, N]`: a residual connection, too.
    Onto(&'a Blocked),
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
        Linear::packed([n_outputs, n_inputs], precision, false, bias, read)
    }

    /// As [`Linear::new`], of weights that change before the next step: packed in less time, and larger.
    pub(crate) fn for_a_step(
        n_outputs: usize,
        n_inputs: usize,
        precision: Precision,
        bias: Option<&[f32]>,
        read: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Linear {
        Linear::packed([n_outputs, n_inputs], precision, true, bias, read)
    }

    fn packed(
        shape: [usize; 2],
        precision: Precision,
        one_step: bool,
        bias: Option<&[f32]>,
        read: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Linear {
        let bias = bias.map(|bias| Blocked::from_rows(bias, shape[0]).rows().to_vec());
        Linear { weights: Weights::pack(shape, precision, one_step, read), bias }
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
    pub fn forward(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked, then: Then<'_>) {
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
        then: Then<'_>,
        scratch: &mut Scratch,
    ) {
        assert_eq!(x.n_channels(), self.n_inputs(), "inputs");
        assert_eq!(out.n_channels(), self.n_outputs(), "outputs");
        assert_eq!(x.n_tokens(), out.n_tokens(), "tokens");
        let n_tokens = x.n_tokens();
        let n_blocks = out.n_blocks();
        if let Then::Onto(other) = then {
            assert_eq!((other.n_tokens(), other.n_channels()), (n_tokens, self.n_outputs()), "sum");
        }
        let input = Input::new(cpu, x, self.weights.precision(), scratch);
        threads::by_units(out.rows_mut(), n_blocks, n_tokens * self.n_inputs(), |first, out| {
            let panels = first..first + out.len() / n_tokens;
            let rows = match then {
                Then::Store => Rows::None,
                Then::Add => Rows::Own,
                Then::Onto(other) => Rows::Other(&other.rows()[first * n_tokens..][..out.len()]),
            };
            let bias = self.bias.as_ref().map(|bias| &bias[panels.clone()]);
            self.weights.product(cpu, &input, panels, Start { bias, rows }, out);
        });
    }
}

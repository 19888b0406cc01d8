//! The gated half of an MLP: `y = act(W1 x) · (W2 x)`, without either product in memory.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::linear::Precision;
use crate::products::{Input, Scratch, Start, Weights};
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// Rows of a product that stay in the second-level cache beside panels.
const NEAR_ROWS: usize = 1024;

/// What is applied to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: a bilinear unit.
    Identity,
    /// x Φ(x), by the error function.
    Gelu,
}

/// Two matrices `[N, K]` over one input.
#[derive(Debug, Clone)]
pub struct Glu {
    gate: Weights,
    value: Weights,
    activation: Activation,
}

impl Glu {
    /// Packs both; each `read` copies one of `n_outputs` rows, `[n_inputs]`.
    pub fn new(
        n_outputs: usize,
        n_inputs: usize,
        precision: Precision,
        activation: Activation,
        read_gate: impl Fn(usize, &mut [f32]) + Sync,
        read_value: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Glu {
        let gate = Weights::pack([n_outputs, n_inputs], precision, false, read_gate);
        let value = Weights::pack([n_outputs, n_inputs], precision, false, read_value);
        Glu { gate, value, activation }
    }

    /// Outputs, `N`.
    pub fn n_outputs(&self) -> usize {
        self.gate.n_outputs()
    }

    /// Bytes that one product of few tokens reads.
    pub fn size_bytes(&self) -> usize {
        self.gate.size_bytes() + self.value.size_bytes()
    }

    /// From `x`, `[T, K]`, to `out`, `[T, N]`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked) {
        self.forward_in(cpu, x, out, &mut Scratch::default());
    }

    /// As [`Glu::forward`], with room that is kept.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn forward_in(&self, cpu: Cpu, x: &Blocked, out: &mut Blocked, scratch: &mut Scratch) {
        assert_eq!(x.n_channels(), self.gate.n_inputs(), "inputs");
        assert_eq!(out.n_channels(), self.n_outputs(), "outputs");
        assert_eq!(x.n_tokens(), out.n_tokens(), "tokens");
        let (n_tokens, n_blocks) = (x.n_tokens(), out.n_blocks());
        let input = Input::new(cpu, x, self.gate.precision(), scratch);
        let work = 2 * n_tokens * self.gate.n_inputs();
        threads::by_units(out.rows_mut(), n_blocks, work, |first, rows| {
            // So many panels at once that both products are near when they meet.
            let n_at_once = (NEAR_ROWS / n_tokens).clamp(1, rows.len() / n_tokens);
            let mut value = vec![Row::ZERO; n_at_once * n_tokens];
            let mut first = first;
            for rows in rows.chunks_mut(n_at_once * n_tokens) {
                let panels = first..first + rows.len() / n_tokens;
                first = panels.end;
                let value = &mut value[..rows.len()];
                self.gate.product(cpu, &input, panels.clone(), Start::NOTHING, rows);
                self.value.product(cpu, &input, panels, Start::NOTHING, value);
                simd::run(cpu, Gate { rows, value, activation: self.activation });
            }
        });
    }
}

/// `rows = act(rows) · value`.
pub(crate) struct Gate<'a> {
    pub(crate) rows: &'a mut [Row],
    pub(crate) value: &'a [Row],
    pub(crate) activation: Activation,
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        for (row, value) in self.rows.iter_mut().zip(self.value) {
            let value = value.halves().map(V::load);
            for (half, out) in row.halves_mut().into_iter().enumerate() {
                let gate = V::load(out);
                let gate = match self.activation {
                    Activation::Identity => gate,
                    Activation::Gelu => gate.gelu(),
                };
                gate.mul(value[half]).store(out);
            }
        }
    }
}

//! Layers over the present values of parameters, made anew for every step.

use crate::blocked::{BLOCK, Blocked, Row};
use crate::cpu::Cpu;
use crate::hyena::{Filter, Gradient, Hyena};
use crate::linear::{Linear, Precision};
use crate::norm::RmsNorm;

use super::outer::add_outer;
use super::parameters::{Gradients, Param, Parameters};

/// A vector for each token of a vocabulary.
#[derive(Debug, Clone)]
pub struct Embedding {
    pub(super) table: Param,
    values: Vec<f32>,
    n_channels: usize,
}

impl Embedding {
    /// Over a table `[V, C]`.
    pub fn new(parameters: &Parameters, table: Param) -> Embedding {
        let parameter = parameters.get(table);
        Embedding { table, values: parameter.values(), n_channels: parameter.shape[1] }
    }

    /// Rows of the table.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.n_channels
    }

    /// Channels of a row.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Adds the table to each sample of `x`, whose tokens are as many as it has rows.
    pub(super) fn add_to_samples(&self, x: &mut Blocked) {
        let (n_rows, n_tokens) = (self.n_rows(), x.n_tokens());
        for (block, rows) in x.rows_mut().chunks_exact_mut(n_tokens).enumerate() {
            for (at, row) in rows.iter_mut().enumerate() {
                let values = &self.values[at % n_rows * self.n_channels..][..self.n_channels];
                let values = values[block * BLOCK..].iter();
                row.0.iter_mut().zip(values).for_each(|(to, value)| *to += value);
            }
        }
    }

    /// The way back of [`Embedding::add_to_samples`].
    pub(super) fn backward_samples(&self, d: &Blocked, gradients: &mut Gradients) {
        let into = gradients.of_mut(self.table);
        let n_rows = self.n_rows();
        for block in 0..d.n_blocks() {
            for (at, row) in d.block(block).iter().enumerate() {
                let into = &mut into[at % n_rows * self.n_channels..][..self.n_channels];
                let into = into[block * BLOCK..].iter_mut();
                into.zip(&row.0).for_each(|(into, d)| *into += d);
            }
        }
    }

    pub(super) fn forward(&self, tokens: &[usize]) -> Blocked {
        let mut out = Blocked::new(tokens.len(), self.n_channels);
        for (at, token) in tokens.iter().enumerate() {
            out.write_token(at, &self.values[token * self.n_channels..][..self.n_channels]);
        }
        out
    }

    pub(super) fn backward(&self, tokens: &[usize], d: &Blocked, gradients: &mut Gradients) {
        let into = gradients.of_mut(self.table);
        let mut row = vec![0.0; self.n_channels];
        for (at, token) in tokens.iter().enumerate() {
            d.read_token(at, &mut row);
            let into = &mut into[token * self.n_channels..][..self.n_channels];
            into.iter_mut().zip(&row).for_each(|(into, d)| *into += d);
        }
    }
}

/// RMSNorm.
#[derive(Debug, Clone)]
pub struct Norm {
    pub(super) scale: Param,
    pub(super) values: Vec<f32>,
    pub(super) eps: f32,
    pub(super) norm: RmsNorm,
}

impl Norm {
    /// With scales `[C]`.
    pub fn new(parameters: &Parameters, scale: Param, eps: f32) -> Norm {
        let values = parameters.get(scale).values();
        let norm = RmsNorm::new(&values, eps);
        Norm { scale, values, eps, norm }
    }
}

/// A product with weights `[N, K]`, with or without a bias `[N]`; both of whole blocks.
#[derive(Debug, Clone)]
pub struct Product {
    weight: Param,
    bias: Option<Param>,
    pub(super) forward: Linear,
    /// `[K, N]`, if there is a way back.
    back: Option<Linear>,
}

impl Product {
    /// Packs the weights for both ways. In bfloat16 what is learned stays in f32, and so do the
    /// gradients of weights.
    pub fn new(
        parameters: &Parameters,
        weight: Param,
        bias: Option<Param>,
        precision: Precision,
    ) -> Product {
        let parameter = parameters.get(weight);
        let (n, k) = (parameter.shape[0], parameter.shape[1]);
        let values = parameter.values();
        let bias_values = bias.map(|bias| parameters.get(bias).values());
        let forward = Linear::for_a_step(n, k, precision, bias_values.as_deref(), |row, into| {
            into.copy_from_slice(&values[row * k..][..k]);
        });
        let back = Linear::for_a_step(k, n, precision, None, |column, into| {
            for (row, into) in into.iter_mut().enumerate() {
                *into = values[row * k + column];
            }
        });
        Product { weight, bias, forward, back: Some(back) }
    }

    /// Packs the weights for the way forward only, as at run time.
    pub fn forward_only(
        parameters: &Parameters,
        weight: Param,
        bias: Option<Param>,
        precision: Precision,
    ) -> Product {
        let parameter = parameters.get(weight);
        let (n, k) = (parameter.shape[0], parameter.shape[1]);
        let bias_values = bias.map(|bias| parameters.get(bias).values());
        let read = |row: usize, into: &mut [f32]| {
            into.copy_from_slice(&parameter.raw[row * k..][..k]);
        };
        assert!(parameter.form == super::Form::Plain, "a plain matrix");
        let forward = Linear::new(n, k, precision, bias_values.as_deref(), read);
        Product { weight, bias, forward, back: None }
    }

    /// Bytes that one product of few tokens reads.
    pub fn size_bytes(&self) -> usize {
        self.forward.size_bytes()
    }

    /// The transposed product.
    ///
    /// # Panics
    /// If the weights were packed for the way forward only.
    pub(super) fn back(&self) -> &Linear {
        self.back.as_ref().expect("packed for the way back")
    }

    /// Adds the gradients of weights and bias.
    pub(super) fn backward(&self, cpu: Cpu, x: &Blocked, d: &Blocked, gradients: &mut Gradients) {
        add_outer(cpu, d, x, gradients.of_mut(self.weight));
        if let Some(bias) = self.bias {
            for (block, into) in gradients.of_mut(bias).chunks_mut(BLOCK).enumerate() {
                for row in d.block(block) {
                    into.iter_mut().zip(&row.0).for_each(|(into, d)| *into += d);
                }
            }
        }
    }
}

/// The inner filter of a Hyena operator.
#[derive(Debug, Clone, Copy)]
pub enum Inner {
    /// Taps `[G, K]`, each filter for `C / G` channels in a row.
    Fir {
        /// The taps.
        taps: Param,
        /// Whether the first one is the present, rather than the last.
        newest_first: bool,
    },
    /// Modes `[C, S]` (a trailing 1 is allowed).
    Modal {
        /// Logarithms of the poles, negative.
        log_poles: Param,
        /// Residues.
        residues: Param,
    },
}

/// A Hyena operator over projections in thirds x2, x1, v.
#[derive(Debug, Clone)]
pub struct Operator {
    pub(super) hyena: Hyena,
    short: Param,
    inner: Inner,
    skip: Option<Param>,
    poles: Vec<f32>,
}

impl Operator {
    /// From taps of the short filter, `[3 C, 1, n]`, oldest first and in thirds; an inner filter; and
    /// D, `[C]`.
    pub fn new(
        parameters: &Parameters,
        short: Param,
        inner: Inner,
        skip: Option<Param>,
    ) -> Operator {
        let shape = &parameters.get(short).shape;
        let (n_channels, n_short) = (shape[0] / 3, *shape.last().expect("a shape"));
        let short_values = parameters.get(short).values();
        let skip_values = skip.map(|skip| parameters.get(skip).values());
        let mut poles = Vec::new();
        let hyena = match inner {
            Inner::Fir { taps, newest_first } => {
                let shape = &parameters.get(taps).shape;
                let (n_groups, n_taps) = (shape[0], *shape.last().expect("a shape"));
                let values = parameters.get(taps).values();
                let mut all = Vec::with_capacity(n_channels * n_taps);
                for channel in 0..n_channels {
                    let group = &values[channel / (n_channels / n_groups) * n_taps..][..n_taps];
                    if newest_first {
                        all.extend(group.iter().rev());
                    } else {
                        all.extend(group);
                    }
                }
                let filter = Filter::Fir { taps: &all, n_taps };
                Hyena::new(&short_values, n_short, filter, skip_values.as_deref())
            }
            Inner::Modal { log_poles, residues } => {
                poles = parameters.get(log_poles).values().iter().map(|log| log.exp()).collect();
                let residues = parameters.get(residues).values();
                let n_modes = residues.len() / n_channels;
                let filter = Filter::Modal { poles: &poles, residues: &residues, n_modes };
                Hyena::new(&short_values, n_short, filter, skip_values.as_deref())
            }
        };
        Operator { hyena, short, inner, skip, poles }
    }

    /// Adds the gradients of filters; gives that of the projections.
    pub(super) fn backward(
        &self,
        cpu: Cpu,
        p: &Blocked,
        d: &Blocked,
        gradients: &mut Gradients,
    ) -> Blocked {
        let (dp, Gradient { short, filter, skip }) = self.hyena.backward(cpu, p, d);
        let n_channels = self.hyena.n_channels();
        /// Row `idx` of `n` of a channel's block.
        fn value(rows: &[Row], channel: usize, n: usize, idx: usize) -> f32 {
            rows[channel / BLOCK * n + idx].0[channel % BLOCK]
        }
        let into = gradients.of_mut(self.short);
        let n_short = into.len() / (3 * n_channels);
        for (at, into) in into.iter_mut().enumerate() {
            *into += value(&short, at / n_short, n_short, at % n_short);
        }
        let n_rows = filter.len() * BLOCK / n_channels;
        match self.inner {
            Inner::Fir { taps, newest_first } => {
                let into = gradients.of_mut(taps);
                let n_groups = into.len() / n_rows;
                for channel in 0..n_channels {
                    let into = &mut into[channel / (n_channels / n_groups) * n_rows..][..n_rows];
                    for (idx, into) in into.iter_mut().enumerate() {
                        let idx = if newest_first { n_rows - 1 - idx } else { idx };
                        *into += value(&filter, channel, n_rows, idx);
                    }
                }
            }
            Inner::Modal { log_poles, residues } => {
                let n_modes = self.poles.len() / n_channels;
                let into = gradients.of_mut(log_poles);
                for (at, (into, pole)) in into.iter_mut().zip(&self.poles).enumerate() {
                    *into += pole * value(&filter, at / n_modes, n_rows, at % n_modes);
                }
                for (at, into) in gradients.of_mut(residues).iter_mut().enumerate() {
                    *into += value(&filter, at / n_modes, n_rows, n_rows / 2 + at % n_modes);
                }
            }
        }
        if let Some(param) = self.skip {
            for (channel, into) in gradients.of_mut(param).iter_mut().enumerate() {
                *into += value(&skip, channel, 1, 0);
            }
        }
        dp
    }
}

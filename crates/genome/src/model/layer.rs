//! Weights of one layer, in the order in which they are used.

use nn::{Activation, Filter, Rotary};

use super::layout::Rows;
use super::source::{Source, all};
use crate::config::{MixerKind, ModelConfig};
use crate::error::Error;

/// Where one layer's weights come from.
pub(super) struct Layer<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) layer: usize,
    pub(super) kind: MixerKind,
    pub(super) source: &'a dyn Source,
}

/// Copies one row of a matrix to where it is told.
pub(super) type Matrix<'a> = Box<dyn Fn(usize, &mut [f32]) + Sync + 'a>;

/// Of a Hyena operator. Groups of channels that share a filter get a copy each: the product is as long
/// either way.
pub(super) struct Operator {
    /// `[3 C, short]`, oldest first.
    pub(super) short: Vec<f32>,
    pub(super) n_short: usize,
    inner: Inner,
    /// D, `[C]`.
    pub(super) skip: Option<Vec<f32>>,
}

enum Inner {
    Fir { taps: Vec<f32>, n_taps: usize },
    Modal { poles: Vec<f32>, residues: Vec<f32>, n_modes: usize },
}

impl Operator {
    /// The inner filter.
    pub(super) fn filter(&self) -> Filter<'_> {
        match &self.inner {
            Inner::Fir { taps, n_taps } => Filter::Fir { taps, n_taps: *n_taps },
            Inner::Modal { poles, residues, n_modes } => {
                Filter::Modal { poles, residues, n_modes: *n_modes }
            }
        }
    }
}

impl<'a> Layer<'a> {
    fn name(&self, part: &str) -> String {
        format!("blocks.{}.{part}", self.layer)
    }

    fn all(&self, part: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        all(self.source, &self.name(part), shape)
    }

    /// Scales of the norms before the mixer and before the MLP.
    pub(super) fn norms(&self) -> Result<[Vec<f32>; 2], Error> {
        let c = self.config.hidden_size;
        Ok([self.all("pre_norm.scale", &[c])?, self.all("post_norm.scale", &[c])?])
    }

    fn matrix(
        &self,
        part: &str,
        n_out: usize,
        n_in: usize,
        rows: Rows,
    ) -> Result<Matrix<'a>, Error> {
        let (config, values) = (self.config, self.source.tensor(&self.name(part), &[n_out, n_in])?);
        Ok(Box::new(move |row, into| values.read(rows.official(config, row) * n_in, into)))
    }

    /// `[3 C, C]`, before the mixer.
    pub(super) fn project(&self) -> Result<Matrix<'a>, Error> {
        let c = self.config.hidden_size;
        if self.kind == MixerKind::Attention {
            self.matrix("inner_mha_cls.Wqkv.weight", 3 * c, c, Rows::Heads)
        } else {
            self.matrix("projections.weight", 3 * c, c, Rows::Thirds)
        }
    }

    /// `[C, C]` after the mixer, and its bias.
    pub(super) fn leave(&self) -> Result<(Matrix<'a>, Vec<f32>), Error> {
        let c = self.config.hidden_size;
        let part = if self.kind == MixerKind::Attention {
            "inner_mha_cls.out_proj"
        } else {
            "out_filter_dense"
        };
        let bias = self.all(&format!("{part}.bias"), &[c])?;
        Ok((self.matrix(&format!("{part}.weight"), c, c, Rows::AsIs)?, bias))
    }

    /// Gate and value, `[inner, C]`, and what comes back, `[C, inner]`.
    pub(super) fn mlp(&self) -> Result<[Matrix<'a>; 3], Error> {
        let (c, inner) = (self.config.hidden_size, self.config.inner_size());
        Ok([
            self.matrix("mlp.l1.weight", inner, c, Rows::AsIs)?,
            self.matrix("mlp.l2.weight", inner, c, Rows::AsIs)?,
            self.matrix("mlp.l3.weight", c, inner, Rows::AsIs)?,
        ])
    }

    /// Only the first layer has one.
    pub(super) fn activation(&self) -> Activation {
        if self.layer == 0 { Activation::Gelu } else { Activation::Identity }
    }

    /// Of attention. The checkpoint's own frequencies win over the configuration.
    pub(super) fn rotary(&self) -> Result<Rotary, Error> {
        let (config, d) = (self.config, self.config.head_size());
        let part = "inner_mha_cls.rotary_emb.inv_freq";
        if self.source.has(&self.name(part)) {
            let frequencies = self.all(part, &[d / 2])?;
            return Ok(Rotary::from_frequencies(frequencies, config.rotary_scale()));
        }
        Ok(Rotary::new(d, config.rotary_emb_base, config.rotary_scale()))
    }

    /// Of a Hyena layer.
    pub(super) fn operator(&self) -> Result<Operator, Error> {
        let config = self.config;
        let (c, n_short) = (config.hidden_size, config.short_filter_length);
        let short = self.all("filter.short_filter_weight", &[3 * c, 1, n_short])?;
        let official = |row: usize| Rows::Thirds.official(config, row) * n_short;
        let short = (0..3 * c).flat_map(|row| &short[official(row)..][..n_short]);
        let short = short.copied().collect();
        let explicit = |n_groups: usize, n_taps: usize| -> Result<Vec<Vec<f32>>, Error> {
            let h = self.all("filter.h", &[n_groups, 1, n_taps])?;
            let group = |channel: usize| channel / (c / n_groups);
            Ok((0..c).map(|channel| h[group(channel) * n_taps..][..n_taps].to_vec()).collect())
        };
        let skip = || self.all("filter.D", &[c]);
        let (inner, skip) = match self.kind {
            MixerKind::Hcs => {
                let n_taps = config.hcs_filter_length;
                // The last tap is the present one.
                let taps = explicit(config.hcs_filter_groups, n_taps)?.concat();
                (Inner::Fir { taps, n_taps }, None)
            }
            MixerKind::Hcm => {
                let n_taps = config.hcm_filter_length;
                let mut taps = explicit(config.hcm_filter_groups, n_taps)?;
                // The first tap is the present one, the other way round than above.
                taps.iter_mut().for_each(|taps| taps.reverse());
                (Inner::Fir { taps: taps.concat(), n_taps }, Some(skip()?))
            }
            MixerKind::Hcl | MixerKind::Attention => {
                let n_modes = config.state_size;
                let log_poles = self.all("filter.log_poles", &[c, n_modes, 1])?;
                let poles = log_poles.iter().map(|log| log.exp()).collect();
                let residues = self.all("filter.residues", &[c, n_modes])?;
                (Inner::Modal { poles, residues, n_modes }, Some(skip()?))
            }
        };
        Ok(Operator { short, n_short, inner, skip })
    }
}

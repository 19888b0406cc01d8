//! One layer: `x += mixer(rms(x)); x += mlp(rms(x))`.

use nn::{
    Activation, Attention, Blocked, Cpu, Filter, Glu, Hyena, Linear, Precision, RmsNorm, Rotary,
    Scratch, Then,
};

use super::layout::Rows;
use super::source::{Source, all};
use super::state::LayerState;
use super::{Part, Split, Tap, Watch};
use crate::config::{MixerKind, ModelConfig};
use crate::error::Error;

/// What mixes tokens.
#[derive(Debug)]
enum Mixer {
    Hyena(Hyena),
    Attention(Attention),
}

/// Room that the layers use one after the other.
#[derive(Debug)]
pub(super) struct Room {
    /// `[T, C]`, and as what becomes of it.
    narrow: Blocked,
    /// `[T, 3 C]`, or inside the MLP.
    wide: Blocked,
    scratch: Scratch,
}

impl Room {
    pub(super) fn new() -> Room {
        Room { narrow: Blocked::new(0, 0), wide: Blocked::new(0, 0), scratch: Scratch::default() }
    }
}

/// One layer.
#[derive(Debug)]
pub(super) struct Block {
    before_mixer: RmsNorm,
    /// `[C]` to three times `[C]`.
    project: Linear,
    mixer: Mixer,
    /// `[C]` to `[C]`.
    leave: Linear,
    before_mlp: RmsNorm,
    glu: Glu,
    down: Linear,
}

impl Block {
    pub(super) fn load(
        config: &ModelConfig,
        layer: usize,
        kind: MixerKind,
        source: &dyn Source,
        precision: Precision,
    ) -> Result<Block, Error> {
        let (c, inner) = (config.hidden_size, config.inner_size());
        let name = |part: &str| format!("blocks.{layer}.{part}");
        let norm = |part: &str| -> Result<RmsNorm, Error> {
            Ok(RmsNorm::new(&all(source, &name(part), &[c])?, config.eps))
        };
        let linear = |part: &str,
                      n_out: usize,
                      n_in: usize,
                      bias: Option<&[f32]>,
                      rows: Rows|
         -> Result<Linear, Error> {
            let values = source.tensor(&name(part), &[n_out, n_in])?;
            Ok(Linear::new(n_out, n_in, precision, bias, |row, into| {
                values.read(rows.official(config, row) * n_in, into);
            }))
        };
        let (project, mixer, leave) = if kind == MixerKind::Attention {
            let (h, d) = (config.num_attention_heads, config.head_size());
            let project = linear("inner_mha_cls.Wqkv.weight", 3 * c, c, None, Rows::Heads)?;
            let bias = all(source, &name("inner_mha_cls.out_proj.bias"), &[c])?;
            let leave = linear("inner_mha_cls.out_proj.weight", c, c, Some(&bias), Rows::AsIs)?;
            // The checkpoint's own frequencies win over the configuration.
            let frequencies = name("inner_mha_cls.rotary_emb.inv_freq");
            let rotary = if source.has(&frequencies) {
                let frequencies = all(source, &frequencies, &[d / 2])?;
                Rotary::from_frequencies(frequencies, config.rotary_scale())
            } else {
                Rotary::new(d, config.rotary_emb_base, config.rotary_scale())
            };
            (project, Mixer::Attention(Attention::new(h, d, rotary)), leave)
        } else {
            let project = linear("projections.weight", 3 * c, c, None, Rows::Thirds)?;
            let bias = all(source, &name("out_filter_dense.bias"), &[c])?;
            let leave = linear("out_filter_dense.weight", c, c, Some(&bias), Rows::AsIs)?;
            let hyena = hyena(config, kind, source, &name)?;
            (project, Mixer::Hyena(hyena), leave)
        };
        let gate = source.tensor(&name("mlp.l1.weight"), &[inner, c])?;
        let value = source.tensor(&name("mlp.l2.weight"), &[inner, c])?;
        // Only the first layer has an activation.
        let activation = if layer == 0 { Activation::Gelu } else { Activation::Identity };
        let glu = Glu::new(
            inner,
            c,
            precision,
            activation,
            |row, into| gate.read(row * c, into),
            |row, into| value.read(row * c, into),
        );
        Ok(Block {
            before_mixer: norm("pre_norm.scale")?,
            project,
            mixer,
            leave,
            before_mlp: norm("post_norm.scale")?,
            glu,
            down: linear("mlp.l3.weight", c, inner, None, Rows::AsIs)?,
        })
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.project.size_bytes()
            + self.leave.size_bytes()
            + self.glu.size_bytes()
            + self.down.size_bytes()
    }

    pub(super) fn state(&self) -> LayerState {
        match &self.mixer {
            Mixer::Hyena(hyena) => LayerState::Hyena(hyena.state()),
            Mixer::Attention(attention) => LayerState::Attention(attention.state()),
        }
    }

    /// What a Hyena layer remembers, as the official code calls it.
    #[cfg(test)]
    pub(super) fn hyena(&self) -> &Hyena {
        match &self.mixer {
            Mixer::Hyena(hyena) => hyena,
            Mixer::Attention(_) => panic!("an attention layer"),
        }
    }

    #[cfg(test)]
    pub(super) fn attention(&self) -> &Attention {
        match &self.mixer {
            Mixer::Attention(attention) => attention,
            Mixer::Hyena(_) => panic!("a Hyena layer"),
        }
    }

    pub(super) fn forward(
        &self,
        cpu: Cpu,
        layer: usize,
        x: &mut Blocked,
        parts: &mut [Part<'_>],
        split: &Split<'_>,
        room: &mut Room,
        watch: &mut dyn Watch,
    ) {
        let (n_tokens, c) = (x.n_tokens(), x.n_channels());
        let Room { narrow, wide, scratch } = room;
        narrow.reshape(n_tokens, c);
        self.before_mixer.forward(cpu, x, narrow);
        wide.reshape(n_tokens, 3 * c);
        self.project.forward_in(cpu, narrow, wide, Then::Store, scratch);
        for (part, from, size) in split.ranges() {
            let state = &mut parts[part].state.layers[layer];
            if size == n_tokens {
                self.mix(cpu, wide, state, narrow);
            } else {
                let mut alone = Blocked::new(size, c);
                self.mix(cpu, &wide.tokens(from..from + size), state, &mut alone);
                narrow.write_tokens(from, &alone);
            }
        }
        self.leave.forward_in(cpu, narrow, x, Then::Add, scratch);
        self.before_mlp.forward(cpu, x, narrow);
        wide.reshape(n_tokens, self.glu.n_outputs());
        self.glu.forward_in(cpu, narrow, wide, scratch);
        if watch.wants(Tap::Mlp(layer)) {
            self.down.forward_in(cpu, wide, narrow, Then::Store, scratch);
            split.show(watch, Tap::Mlp(layer), narrow);
        }
        self.down.forward_in(cpu, wide, x, Then::Add, scratch);
    }

    fn mix(&self, cpu: Cpu, projected: &Blocked, state: &mut LayerState, out: &mut Blocked) {
        match (&self.mixer, state) {
            (Mixer::Hyena(hyena), LayerState::Hyena(state)) => {
                hyena.forward(cpu, projected, state, out);
            }
            (Mixer::Attention(attention), LayerState::Attention(state)) => {
                attention.forward(cpu, projected, state, out);
            }
            _ => panic!("a state of another model"),
        }
    }
}

/// The operator of one layer. Groups of channels that share a filter get a copy each: the product
/// is as long either way.
fn hyena(
    config: &ModelConfig,
    kind: MixerKind,
    source: &dyn Source,
    name: &dyn Fn(&str) -> String,
) -> Result<Hyena, Error> {
    let (c, n_short) = (config.hidden_size, config.short_filter_length);
    let short = all(source, &name("filter.short_filter_weight"), &[3 * c, 1, n_short])?;
    let official = |row: usize| Rows::Thirds.official(config, row);
    let short: Vec<f32> =
        (0..3 * c).flat_map(|row| short[official(row) * n_short..][..n_short].to_vec()).collect();
    let explicit = |n_groups: usize, n_taps: usize| -> Result<Vec<Vec<f32>>, Error> {
        let h = all(source, &name("filter.h"), &[n_groups, 1, n_taps])?;
        let group = |channel: usize| channel / (c / n_groups);
        Ok((0..c).map(|channel| h[group(channel) * n_taps..][..n_taps].to_vec()).collect())
    };
    let skip = || all(source, &name("filter.D"), &[c]);
    match kind {
        MixerKind::Hcs => {
            let n_taps = config.hcs_filter_length;
            // The last tap is the present one.
            let taps = explicit(config.hcs_filter_groups, n_taps)?.concat();
            Ok(Hyena::new(&short, n_short, Filter::Fir { taps: &taps, n_taps }, None))
        }
        MixerKind::Hcm => {
            let n_taps = config.hcm_filter_length;
            let mut taps = explicit(config.hcm_filter_groups, n_taps)?;
            // The first tap is the present one, the other way round than above.
            taps.iter_mut().for_each(|taps| taps.reverse());
            let filter = Filter::Fir { taps: &taps.concat(), n_taps };
            Ok(Hyena::new(&short, n_short, filter, Some(&skip()?)))
        }
        MixerKind::Hcl | MixerKind::Attention => {
            let n_modes = config.state_size;
            let log_poles = all(source, &name("filter.log_poles"), &[c, n_modes, 1])?;
            let poles: Vec<f32> = log_poles.iter().map(|log| log.exp()).collect();
            let residues = all(source, &name("filter.residues"), &[c, n_modes])?;
            let filter = Filter::Modal { poles: &poles, residues: &residues, n_modes };
            Ok(Hyena::new(&short, n_short, filter, Some(&skip()?)))
        }
    }
}

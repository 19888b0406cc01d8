//! One layer: `x += mixer(rms(x)); x += mlp(rms(x))`.

use nn::{Attention, Blocked, Cpu, Glu, Hyena, Linear, Precision, RmsNorm, Scratch, Then};

use super::layer::{Layer, Operator};
use super::source::Source;
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

/// What the layers work with, one after the other: instructions, and room.
#[derive(Debug)]
pub(super) struct Room {
    cpu: Cpu,
    /// `[T, C]`, and as what becomes of it.
    narrow: Blocked,
    /// `[T, 3 C]`, or inside the MLP.
    wide: Blocked,
    scratch: Scratch,
}

impl Room {
    pub(super) fn new(cpu: Cpu) -> Room {
        let nothing = Blocked::new(0, 0);
        Room { cpu, narrow: nothing.clone(), wide: nothing, scratch: Scratch::default() }
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
        let from = Layer { config, layer, kind, source };
        let [before_mixer, before_mlp] =
            from.norms()?.map(|scale| RmsNorm::new(&scale, config.eps));
        let project = Linear::new(3 * c, c, precision, None, from.project()?);
        let mixer = if kind == MixerKind::Attention {
            let (h, d) = (config.num_attention_heads, config.head_size());
            Mixer::Attention(Attention::new(h, d, from.rotary()?).in_precision(precision))
        } else {
            let operator = from.operator()?;
            let Operator { short, n_short, skip, .. } = &operator;
            Mixer::Hyena(Hyena::new(short, *n_short, operator.filter(), skip.as_deref()))
        };
        let (leave, bias) = from.leave()?;
        let leave = Linear::new(c, c, precision, Some(&bias), leave);
        let [gate, value, down] = from.mlp()?;
        let glu = Glu::new(inner, c, precision, from.activation(), gate, value);
        let down = Linear::new(c, inner, precision, None, down);
        Ok(Block { before_mixer, project, mixer, leave, before_mlp, glu, down })
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
        layer: usize,
        x: &mut Blocked,
        parts: &mut [Part<'_>],
        split: &Split<'_>,
        room: &mut Room,
        watch: &mut dyn Watch,
    ) {
        let (n_tokens, c) = (x.n_tokens(), x.n_channels());
        let Room { cpu, narrow, wide, scratch } = room;
        let cpu = *cpu;
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

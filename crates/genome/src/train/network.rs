//! The model as something that is learned: its parameters, and one sequence through them.

use nn::train::{
    Embedding, Gradients, Inner, Loss, Norm, Operator, Param, Parameter, Parameters, Product, Tape,
    Var, cross_entropy,
};
use nn::{Activation, Attention, Blocked, Cpu, Precision, Rotary};

use super::init::Draw;
use crate::config::{MixerKind, ModelConfig};
use crate::model::layout::Rows;

/// Where a model's parameters are.
#[derive(Debug, Clone)]
pub(super) struct Network {
    embedding: Param,
    norm: Param,
    blocks: Vec<BlockParams>,
}

#[derive(Debug, Clone)]
struct BlockParams {
    before_mixer: Param,
    mixer: MixerParams,
    leave: Param,
    leave_bias: Param,
    before_mlp: Param,
    gate: Param,
    value: Param,
    down: Param,
}

#[derive(Debug, Clone, Copy)]
enum MixerParams {
    Hyena { project: Param, short: Param, inner: Inner, skip: Option<Param> },
    Attention { project: Param },
}

/// How a parameter's rows are ordered in a checkpoint.
pub(super) fn rows_of(name: &str) -> Rows {
    if name.ends_with("projections.weight") || name.ends_with("short_filter_weight") {
        Rows::Thirds
    } else if name.ends_with("Wqkv.weight") {
        Rows::Heads
    } else {
        Rows::AsIs
    }
}

impl Network {
    /// With the parameters of a configuration, drawn as the published models' were.
    pub(super) fn new(config: &ModelConfig, seed: u64) -> Result<(Network, Parameters), String> {
        let mixers = config.mixers()?;
        let mut parameters = Parameters::default();
        let draw = Draw { config, seed };
        let mut handles = std::collections::BTreeMap::new();
        for (name, shape) in config.tensors() {
            let (raw, form) = draw.parameter(&name, &shape);
            // Filters, norms and biases are not drawn towards 0.
            let decays = shape.len() == 2 && !name.contains(".filter.");
            let handle = parameters.add(Parameter { name: name.clone(), shape, raw, form, decays });
            handles.insert(name, handle);
        }
        let of = |name: String| handles[&name];
        let block = |(layer, kind): (usize, MixerKind)| {
            let of = |part: &str| of(format!("blocks.{layer}.{part}"));
            let attention = kind == MixerKind::Attention;
            let leave = if attention { "inner_mha_cls.out_proj" } else { "out_filter_dense" };
            let mixer = if attention {
                MixerParams::Attention { project: of("inner_mha_cls.Wqkv.weight") }
            } else {
                let inner = match kind {
                    MixerKind::Hcs => Inner::Fir { taps: of("filter.h"), newest_first: false },
                    MixerKind::Hcm => Inner::Fir { taps: of("filter.h"), newest_first: true },
                    MixerKind::Hcl | MixerKind::Attention => Inner::Modal {
                        log_poles: of("filter.log_poles"),
                        residues: of("filter.residues"),
                    },
                };
                MixerParams::Hyena {
                    project: of("projections.weight"),
                    short: of("filter.short_filter_weight"),
                    inner,
                    skip: (kind != MixerKind::Hcs).then(|| of("filter.D")),
                }
            };
            BlockParams {
                before_mixer: of("pre_norm.scale"),
                mixer,
                leave: of(&format!("{leave}.weight")),
                leave_bias: of(&format!("{leave}.bias")),
                before_mlp: of("post_norm.scale"),
                gate: of("mlp.l1.weight"),
                value: of("mlp.l2.weight"),
                down: of("mlp.l3.weight"),
            }
        };
        let blocks = mixers.into_iter().enumerate().map(block).collect();
        let embedding = of("embedding_layer.weight".to_owned());
        let norm = of("norm.scale".to_owned());
        Ok((Network { embedding, norm, blocks }, parameters))
    }

    /// Layers on the present values, with positions as the configuration has them.
    pub(super) fn layers(
        &self,
        config: &ModelConfig,
        parameters: &Parameters,
        precision: Precision,
    ) -> Layers {
        let product = |weight, bias| Product::new(parameters, weight, bias, precision);
        let norm = |scale| Norm::new(parameters, scale, config.eps);
        let (heads, size) = (config.num_attention_heads, config.head_size());
        let rotary = || Rotary::new(size, config.rotary_emb_base, config.rotary_scale());
        let block = |(layer, block): (usize, &BlockParams)| BlockLayers {
            before_mixer: norm(block.before_mixer),
            mixer: match block.mixer {
                MixerParams::Hyena { project, short, inner, skip } => MixerLayers::Hyena {
                    project: product(project, None),
                    operator: Box::new(Operator::new(parameters, short, inner, skip)),
                },
                MixerParams::Attention { project } => MixerLayers::Attention {
                    project: product(project, None),
                    attention: Attention::new(heads, size, rotary()),
                },
            },
            leave: product(block.leave, Some(block.leave_bias)),
            before_mlp: norm(block.before_mlp),
            gate: product(block.gate, None),
            value: product(block.value, None),
            down: product(block.down, None),
            activation: if layer == 0 { Activation::Gelu } else { Activation::Identity },
        };
        Layers {
            embedding: Embedding::new(parameters, self.embedding),
            blocks: nn::threads::map(self.blocks.iter().enumerate().collect(), block),
            norm: norm(self.norm),
            // Logits decide between tokens and are few.
            unembed: Product::new(parameters, self.embedding, None, Precision::F32),
        }
    }
}

/// A model that goes both ways.
#[derive(Debug)]
pub(super) struct Layers {
    embedding: Embedding,
    blocks: Vec<BlockLayers>,
    norm: Norm,
    unembed: Product,
}

#[derive(Debug)]
struct BlockLayers {
    before_mixer: Norm,
    mixer: MixerLayers,
    leave: Product,
    before_mlp: Norm,
    gate: Product,
    value: Product,
    down: Product,
    activation: Activation,
}

#[derive(Debug)]
enum MixerLayers {
    Hyena { project: Product, operator: Box<Operator> },
    Attention { project: Product, attention: Attention },
}

impl BlockLayers {
    fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
        let normed = tape.norm(&self.before_mixer, x);
        let mixed = match &self.mixer {
            MixerLayers::Hyena { project, operator } => {
                let p = tape.product(project, normed, None);
                tape.hyena(operator, p)
            }
            MixerLayers::Attention { project, attention } => {
                let qkv = tape.product(project, normed, None);
                tape.attention(attention, qkv)
            }
        };
        let x = tape.product(&self.leave, mixed, Some(x));
        let normed = tape.norm(&self.before_mlp, x);
        let gate = tape.product(&self.gate, normed, None);
        let value = tape.product(&self.value, normed, None);
        let inner = tape.gate(self.activation, gate, value);
        tape.product(&self.down, inner, Some(x))
    }
}

impl Layers {
    /// One sequence: the loss of each token's successor, `targets`, with its weight. Where gradients
    /// are given, those of the loss times `scale` are added.
    pub(super) fn run(
        &self,
        cpu: Cpu,
        tokens: &[usize],
        targets: &[usize],
        weights: &[f32],
        back: Option<(f32, &mut Gradients)>,
    ) -> Loss {
        let mut tape = Tape::new(cpu);
        let mut x = tape.embed(&self.embedding, tokens.to_vec());
        for block in &self.blocks {
            x = block.forward(&mut tape, x);
        }
        let normed = tape.norm(&self.norm, x);
        let logits = tape.product(&self.unembed, normed, None);
        let mut d: Blocked = tape.value(logits).clone();
        let scale = back.as_ref().map_or(1.0, |(scale, _)| *scale);
        let loss = cross_entropy(cpu, &mut d, targets, weights, scale);
        if let Some((_, gradients)) = back {
            tape.backward(d, gradients);
        }
        loss
    }
}

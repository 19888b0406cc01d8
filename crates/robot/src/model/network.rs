//! Both networks as what is done, in order: once for training, and once for a loop that must not
//! allocate. Layers are made of the present weights.

mod eyes;
mod fast;
mod slow;

use nn::train::{Embedding, Gather, Norm, Product, Tape, Var};
use nn::{Heads, Precision};

use super::config::BackboneConfig;
use super::tensors::Weights;
use crate::interface::Camera;

pub use eyes::Heat;
pub use fast::{Fast, Memory, Seen};
pub use slow::Slow;

/// Added under the root's result in every norm.
const EPS: f32 = 1e-5;

/// What layers are made of.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'w> {
    /// The present weights.
    pub weights: &'w Weights,
    /// Of products.
    pub precision: Precision,
    /// Whether there is a way back.
    pub learns: bool,
}

impl Maker<'_> {
    /// Heads of so many channels in all and in one.
    fn heads(&self, width: usize, size: usize) -> Heads {
        Heads { n: width / size, size, narrow: self.precision != Precision::F32 }
    }

    fn named(&self, name: &str) -> nn::train::Param {
        self.weights
            .find(name)
            .unwrap_or_else(|| panic!("tensors of a configuration hold `{name}`"))
    }

    fn product(&self, name: &str) -> Product {
        let weight = self.named(&format!("{name}.weight"));
        let bias = self.weights.find(&format!("{name}.bias"));
        let make = if self.learns { Product::new } else { Product::forward_only };
        make(&self.weights.parameters, weight, bias, self.precision)
    }

    fn norm(&self, name: &str) -> Norm {
        Norm::new(&self.weights.parameters, self.named(&format!("{name}.scale")), EPS)
    }

    fn table(&self, name: &str) -> Embedding {
        Embedding::new(&self.weights.parameters, self.named(&format!("{name}.table")))
    }
}

/// Fills an activation with the first windows of a camera's pictures, by the camera's place.
pub type Fill<'f> = dyn FnMut(usize, &mut nn::Blocked) + 'f;

/// Convolutions over pictures of any of the cameras.
#[derive(Debug)]
struct Backbone {
    stages: Vec<Convolution>,
    visual: Product,
    /// By camera and stage: how windows are gathered (not of the first stage), and the shape after.
    cameras: Vec<Vec<(Gather, [usize; 2])>>,
    stem_channels: usize,
}

#[derive(Debug)]
struct Convolution {
    product: Product,
    norm: Option<Norm>,
}

impl Backbone {
    fn new(make: Maker<'_>, name: &str, config: &BackboneConfig, cameras: &[Camera]) -> Backbone {
        let stage = |at: usize| {
            let name = format!("{name}.stages.{at}");
            let norm = (at > 0).then(|| make.norm(&name));
            Convolution { product: make.product(&name), norm }
        };
        let camera = |camera: &Camera| {
            let mut shape = [camera.height, camera.width];
            let gather = |stage: &super::config::Stage| {
                let (gather, next) =
                    Gather::convolution(shape, stage.kernel, stage.stride, stage.kernel / 2);
                shape = next;
                (gather, next)
            };
            config.stages.iter().map(gather).collect()
        };
        Backbone {
            stages: (0..config.stages.len()).map(stage).collect(),
            visual: make.product(&format!("{name}.visual")),
            cameras: cameras.iter().map(camera).collect(),
            stem_channels: super::tensors::stem_channels(config.stages[0].kernel),
        }
    }

    /// Shape after a stage.
    fn shape(&self, camera: usize, stage: usize) -> [usize; 2] {
        self.cameras[camera][stage].1
    }

    /// The pictures of a camera in `n` samples through the stages: `each` is given what a stage makes
    /// before its nonlinearity, may change it, and what it makes after. Gives visual tokens.
    fn forward<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        camera: usize,
        n: usize,
        fill: &mut Fill<'_>,
        mut before: impl FnMut(&mut Tape<'a>, usize, Var) -> Var,
        mut after: impl FnMut(&mut Tape<'a>, usize, Var),
    ) -> Var {
        let [height, width] = self.shape(camera, 0);
        let mut x = tape.given(n * height * width, self.stem_channels, |into| fill(camera, into));
        for (at, stage) in self.stages.iter().enumerate() {
            if at > 0 {
                x = tape.gather(&self.cameras[camera][at].0, x);
            }
            x = tape.product(&stage.product, x, None);
            if let Some(norm) = &stage.norm {
                x = tape.norm(norm, x);
            }
            x = before(tape, at, x);
            x = tape.gelu(x);
            after(tape, at, x);
        }
        tape.product(&self.visual, x, None)
    }
}

/// Attention of tokens to each other.
#[derive(Debug)]
struct Own {
    norm: Norm,
    qkv: Product,
    leave: Product,
    heads: Heads,
}

impl Own {
    fn new(make: Maker<'_>, name: &str, heads: Heads) -> Own {
        Own {
            norm: make.norm(&format!("{name}.own")),
            qkv: make.product(&format!("{name}.qkv")),
            leave: make.product(&format!("{name}.leave")),
            heads,
        }
    }

    /// Of all tokens, or of those that are `asked` for.
    fn forward<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        mut x: Var,
        n: usize,
        asked: Option<&'a Gather>,
    ) -> Var {
        let width = self.heads.n_channels();
        let normed = tape.norm(&self.norm, x);
        let qkv = tape.product(&self.qkv, normed, None);
        let mut mixed = tape.attend(self.heads, n, [(qkv, 0), (qkv, width), (qkv, 2 * width)]);
        if let Some(asked) = asked {
            [mixed, x] = [mixed, x].map(|all| tape.gather(asked, all));
        }
        tape.product(&self.leave, mixed, Some(x))
    }
}

/// Two products with a GELU between.
#[derive(Debug)]
struct Mlp {
    norm: Norm,
    up: Product,
    down: Product,
}

impl Mlp {
    fn new(make: Maker<'_>, name: &str) -> Mlp {
        Mlp {
            norm: make.norm(&format!("{name}.mlp")),
            up: make.product(&format!("{name}.up")),
            down: make.product(&format!("{name}.down")),
        }
    }

    fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var) -> Var {
        let normed = tape.norm(&self.norm, x);
        let up = tape.product(&self.up, normed, None);
        let up = tape.gelu(up);
        tape.product(&self.down, up, Some(x))
    }
}

/// A layer of an encoder.
#[derive(Debug)]
struct Layer {
    own: Own,
    mlp: Mlp,
}

impl Layer {
    fn new(make: Maker<'_>, name: &str, heads: Heads) -> Layer {
        Layer { own: Own::new(make, name, heads), mlp: Mlp::new(make, name) }
    }

    fn forward<'a>(&'a self, tape: &mut Tape<'a>, x: Var, n: usize) -> Var {
        let x = self.own.forward(tape, x, n, None);
        self.mlp.forward(tape, x)
    }
}

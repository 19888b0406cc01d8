//! Pictures to tokens: positions of the last stage, and places that something asks for.
//!
//! What asks, the latent or the words, changes what the convolutions see (FiLM, arXiv 1709.07871), and
//! where a channel is then greatest is a place in the picture (spatial softmax, arXiv 1504.00702).

use nn::Blocked;
use nn::train::{Product, Tape, Var};

use super::{Backbone, Fill, Maker};
use crate::interface::Camera;
use crate::model::config::{BackboneConfig, KEYPOINT_SCALES};

/// Activations that a camera gives.
pub(super) const PARTS: usize = 1 + KEYPOINT_SCALES;

/// How what is asked changes each of the scales.
pub(super) type Films = [Var; KEYPOINT_SCALES];

/// How much each position speaks for a keypoint.
#[derive(Debug, Clone, Copy)]
pub struct Heat {
    /// `[n · height · width, keypoints]`, before the softmax over positions.
    pub values: Var,
    /// Height and width.
    pub shape: [usize; 2],
}

/// What a camera gives.
pub(super) struct Looked {
    /// Tokens: positions, and keypoints of each scale.
    pub(super) tokens: [Var; PARTS],
    /// What each keypoint is the greatest of, at each scale.
    pub(super) heat: [Heat; KEYPOINT_SCALES],
    /// Where each keypoint is, at each scale: `[n, 2 · keypoints]`.
    pub(super) found: [Var; KEYPOINT_SCALES],
}

/// A backbone that is asked.
#[derive(Debug)]
pub(super) struct Eyes {
    backbone: Backbone,
    scales: Vec<Scale>,
}

/// What is made of one of the scales that give keypoints.
#[derive(Debug)]
struct Scale {
    film: Product,
    heat: Product,
    place: Product,
}

impl Eyes {
    pub(super) fn new(
        make: Maker<'_>,
        name: &str,
        config: &BackboneConfig,
        cameras: &[Camera],
    ) -> Eyes {
        let scale = |at: usize| Scale {
            film: make.product(&format!("{name}.film.{at}")),
            heat: make.product(&format!("{name}.points.{at}.heat")),
            place: make.product(&format!("{name}.points.{at}.place")),
        };
        Eyes {
            backbone: Backbone::new(make, name, config, cameras),
            scales: (0..KEYPOINT_SCALES).map(scale).collect(),
        }
    }

    /// How what is asked, `[n, …]`, changes what is seen.
    pub(super) fn films<'a>(&'a self, tape: &mut Tape<'a>, asked: Var) -> Films {
        let mut films = [asked; KEYPOINT_SCALES];
        for (film, scale) in films.iter_mut().zip(&self.scales) {
            *film = tape.product(&scale.film, asked, None);
        }
        films
    }

    /// One camera in `n` samples.
    pub(super) fn look<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        camera: usize,
        n: usize,
        films: Films,
        fill: &mut Fill<'_>,
    ) -> Looked {
        let first = self.backbone.stages.len() - 1 - KEYPOINT_SCALES;
        let scale = |stage: usize| {
            let at = stage.checked_sub(first)?;
            self.scales.get(at).map(|scale| (at, scale))
        };
        let mut tokens = [films[0]; PARTS];
        let mut all = films.map(|values| Heat { values, shape: [0; 2] });
        let mut found = films;
        tokens[0] = self.backbone.forward(
            tape,
            camera,
            n,
            fill,
            |tape, stage, x| scale(stage).map_or(x, |(at, _)| tape.modulate(x, films[at])),
            |tape, stage, x| {
                if let Some((at, scale)) = scale(stage) {
                    let heat = tape.product(&scale.heat, x, None);
                    let shape = self.backbone.shape(camera, stage);
                    all[at] = Heat { values: heat, shape };
                    found[at] = tape.keypoints(heat, shape);
                    tokens[1 + at] = tape.product(&scale.place, found[at], None);
                }
            },
        );
        Looked { tokens, heat: all, found }
    }

    /// One camera's tokens of one sample, written to `seen` from token `first` on. Gives how many, and where
    /// keypoints are.
    pub(super) fn look_alone<'a>(
        &'a self,
        tape: &mut Tape<'a>,
        camera: usize,
        asked: Var,
        fill: &mut Fill<'_>,
        (seen, first): (&mut Blocked, usize),
    ) -> (usize, [Var; KEYPOINT_SCALES]) {
        let films = self.films(tape, asked);
        let looked = self.look(tape, camera, 1, films, fill);
        let mut at = first;
        for part in looked.tokens {
            seen.write_tokens(at, tape.value(part));
            at += tape.value(part).n_tokens();
        }
        (at - first, looked.found)
    }
}

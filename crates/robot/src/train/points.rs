//! First keypoints, each held to a thing that a task is about.

use nn::Blocked;
use nn::train::Tape;
use serde::{Deserialize, Serialize};

use super::networks::{Networks, Seeds};
use super::sample::Moment;
use crate::model::config::KEYPOINT_SCALES;
use crate::model::network::Heat;

/// How first keypoints fit what they are held to: each to a thing that a task is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pointed {
    /// Sum of cross-entropies, in nats.
    pub nats: f64,
    /// Keypoints, each at every scale, whose thing is in the picture.
    pub n: usize,
    /// Of the first two things and at the finest scale: how often a keypoint is highest within a cell of where
    /// it should be.
    pub found: [usize; 2],
    /// How often these things are in the picture.
    pub n_there: [usize; 2],
}

impl Pointed {
    /// Adds those of other samples.
    pub fn add(&mut self, other: Pointed) {
        self.nats += other.nats;
        self.n += other.n;
        self.found.iter_mut().zip(other.found).for_each(|(to, found)| *to += found);
        self.n_there.iter_mut().zip(other.n_there).for_each(|(to, there)| *to += there);
    }

    /// Mean cross-entropy, in nats.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.nats / self.n.max(1) as f64
    }

    /// Share of the times at which each of the first two things is found; not a number where it is never there.
    #[must_use]
    pub fn shares(&self) -> [f64; 2] {
        [0, 1].map(|thing| self.found[thing] as f64 / self.n_there[thing] as f64)
    }
}

impl Networks<'_> {
    /// The first keypoints of a camera held to things. Slopes times `scale` are added to `seeds`.
    pub(super) fn seen(
        &self,
        tape: &Tape<'_>,
        heat: [Heat; KEYPOINT_SCALES],
        camera: usize,
        moments: &[&Moment],
        scale: f32,
        seeds: &mut Seeds,
    ) -> Pointed {
        let mut all = Pointed::default();
        for (at, heat) in heat.into_iter().enumerate() {
            let value = tape.value(heat.values);
            let mut d = Blocked::new(value.n_tokens(), value.n_channels());
            let each = scale / KEYPOINT_SCALES as f32;
            let mut pointed = self.points(value, heat.shape, camera, moments, each, &mut d);
            if at > 0 {
                (pointed.found, pointed.n_there) = ([0; 2], [0; 2]);
            }
            all.add(pointed);
            seeds.push((heat.values, d));
        }
        all
    }

    /// How the first keypoints fit the things that they are held to. Slopes of the mean cross-entropy over things,
    /// summed over moments, times `scale` go to `d`.
    ///
    /// The distance of a keypoint from its thing would be no such teacher: where all speaks for one wrong
    /// place, it has no slope at the right one.
    fn points(
        &self,
        heat: &Blocked,
        shape: [usize; 2],
        camera: usize,
        moments: &[&Moment],
        scale: f32,
        d: &mut Blocked,
    ) -> Pointed {
        let [height, width] = shape;
        let n = height * width;
        let mut rows = vec![vec![0.0; heat.n_channels()]; n];
        let mut all = Pointed::default();
        for (at, moment) in moments.iter().enumerate() {
            let points = &moment.points[camera];
            if points.iter().all(Option::is_none) {
                continue;
            }
            (0..n).for_each(|position| heat.read_token(at * n + position, &mut rows[position]));
            let share = scale * self.recipe.points as f32 / points.len() as f32;
            let mut slopes = vec![vec![0.0; heat.n_channels()]; n];
            let known = points.iter().enumerate().take(heat.n_channels());
            for (channel, point) in known.filter_map(|(at, point)| Some((at, (*point)?))) {
                let cell = |at: f32, size: usize| {
                    (((at + 1.0) / 2.0 * size as f32) as usize).min(size - 1)
                };
                let right = cell(point[1], height) * width + cell(point[0], width);
                let (highest, most) = rows
                    .iter()
                    .map(|row| row[channel])
                    .enumerate()
                    .fold((0, f32::MIN), |best, one| if one.1 > best.1 { one } else { best });
                let is_near = (highest / width).abs_diff(right / width) < 2
                    && (highest % width).abs_diff(right % width) < 2;
                if channel < all.found.len() {
                    all.found[channel] += usize::from(is_near);
                    all.n_there[channel] += 1;
                }
                let total: f32 = rows.iter().map(|row| (row[channel] - most).exp()).sum();
                for (position, (row, slopes)) in rows.iter().zip(&mut slopes).enumerate() {
                    let p = (row[channel] - most).exp() / total;
                    slopes[channel] = share * (p - f32::from(u8::from(position == right)));
                }
                all.nats += f64::from(total.ln() + most - rows[right][channel]);
                all.n += 1;
            }
            for (position, slopes) in slopes.iter().enumerate() {
                d.write_token(at * n + position, slopes);
            }
        }
        all
    }
}

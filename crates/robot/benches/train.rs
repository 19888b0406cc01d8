//! Samples a second in training `tiny`: `cargo bench -p robot --bench train`.
//!
//! The demonstrations are noise; what is timed does not depend on what they show.

use std::time::Instant;

use nn::threads;
use robot::Result;
use robot::interface::{ACTION, Camera};
use robot::model::PolicyConfig;
use robot::train::{Episodes, Recipe, Trainer, measure};

/// Steps that are timed, after some that are not.
const STEPS: usize = 8;

struct Noise(Vec<Camera>);

impl Noise {
    fn byte(at: usize) -> u8 {
        (at.wrapping_mul(2_654_435_761) >> 13) as u8
    }
}

impl Episodes for Noise {
    fn cameras(&self) -> &[Camera] {
        &self.0
    }

    fn n_episodes(&self) -> usize {
        8
    }

    fn n_ticks(&self, _: usize) -> usize {
        1000
    }

    fn picture(&self, episode: usize, frame: usize, camera: usize, into: &mut [u8]) -> Result<()> {
        let first = episode * 7_000_003 + frame * 50_021 + camera;
        into.iter_mut().enumerate().for_each(|(at, to)| *to = Noise::byte(first + at));
        Ok(())
    }

    fn state(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        let value = |at: usize| f32::from(Noise::byte(episode * 91 + tick * 37 + at)) / 255.0;
        into.iter_mut().enumerate().for_each(|(at, to)| *to = value(at));
        Ok(())
    }

    fn action(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        self.state(episode + 1, tick, &mut into[..ACTION])
    }

    fn words(&self, episode: usize, _: u64) -> Vec<u16> {
        vec![1, 2, 3, episode as u16]
    }
}

fn main() {
    let config = PolicyConfig::shipped("tiny").expect("shipped");
    let data = Noise(config.cameras.clone());
    let normal = measure(&data, &config, None, 1).expect("data");
    for n_threads in [1, 2] {
        let recipe = Recipe::tiny();
        let batch = recipe.batch;
        let mut trainer = Trainer::new(config.clone(), normal.clone(), recipe).expect("a trainer");
        let mut all: Vec<f64> = threads::with_count(n_threads, || {
            let mut step = || {
                let start = Instant::now();
                trainer.learn(&data).expect("a step");
                batch as f64 / start.elapsed().as_secs_f64()
            };
            step();
            (0..STEPS).map(|_| step()).collect()
        });
        all.sort_by(f64::total_cmp);
        #[expect(clippy::print_stdout, reason = "a bench prints")]
        {
            println!(
                "tiny, {n_threads} threads: {:.0} samples/s (median of {STEPS} steps of {batch}; {:.0} to {:.0})",
                all[STEPS / 2],
                all[0],
                all[STEPS - 1]
            );
        }
    }
}

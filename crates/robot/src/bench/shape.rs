//! S1 and S2 of a shape, their weights drawn at random: times do not depend on what is learned.

use serde::Serialize;

use crate::clock::thread_cpu_nanos;
use crate::error::Result;
use crate::model::{Instruction, Mind as _, Normalisation, Policy, PolicyConfig};
use crate::play::Spread;

/// Runs before those that count.
const WARM_UP: usize = 5;

/// Milliseconds on one thread, of the thread's own time: what other work on the machine takes is not
/// counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShapeTimes {
    /// Name of the shape.
    pub shape: String,
    /// How weights are kept.
    pub precision: &'static str,
    /// Parameters of both networks.
    pub n_parameters: usize,
    /// S1 takes in a frame: vision, encoder, keys and values.
    pub frame_millis: Spread,
    /// Longest part of a frame, which falls on one tick.
    pub slice_millis: Spread,
    /// S1 decodes a chunk: every tick.
    pub tick_millis: Spread,
    /// Bytes of weights that a tick reads.
    pub tick_bytes: usize,
    /// S2 thinks; on its one thread here.
    pub thought_millis: Spread,
}

fn millis(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let before = thread_cpu_nanos();
    work()?;
    Ok((thread_cpu_nanos() - before) as f64 / 1e6)
}

/// Times a shape: so many frames and thoughts, and five times as many ticks.
///
/// # Errors
/// When there is no such shape, or nothing is to be timed.
pub fn time_shape(name: &str, precision: nn::Precision, n: usize) -> Result<ShapeTimes> {
    nn::threads::alone(|| time_alone(name, precision, n.max(1)))
}

fn time_alone(name: &str, precision: nn::Precision, n: usize) -> Result<ShapeTimes> {
    let config = PolicyConfig::shipped(name)?;
    let policy = Policy::drawn(config.clone(), Normalisation::unit(&config), 1)?;
    let pictures: Vec<Vec<u8>> =
        config.cameras.iter().map(|camera| vec![90; camera.bytes()]).collect();
    let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
    let mut latent = vec![0.5; config.latent];
    let mut state = vec![0.1; config.state];
    for wrist in [0, 10] {
        state[wrist + 3..wrist + 9].copy_from_slice(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }
    let mut chunk = vec![0.0; config.chunk_ticks() * config.action];
    let mut s1 = policy.s1(precision);
    let (mut frames, mut slices) = (Vec::new(), Vec::new());
    for frame in 0..WARM_UP + n {
        s1.begin(&pictures, &latent)?;
        let mut times = Vec::new();
        for _ in 0..s1.n_slices() {
            times.push(millis(|| {
                s1.advance();
                Ok(())
            })?);
        }
        if frame >= WARM_UP {
            frames.push(times.iter().sum());
            slices.push(times.into_iter().fold(0.0, f64::max));
        }
    }
    let mut ticks = Vec::new();
    for tick in 0..WARM_UP + 5 * n {
        let took = millis(|| s1.act(&state, &latent, &mut chunk))?;
        ticks.extend((tick >= WARM_UP).then_some(took));
    }
    let tick_bytes = s1.tick_bytes();
    let mut s2 = policy.s2(precision);
    let mut thoughts = Vec::new();
    for thought in 0..WARM_UP + n {
        let instruction = Instruction { text: "", words: &[2, 3, 4] };
        let took = millis(|| s2.think(&pictures, &state, instruction, &mut latent))?;
        thoughts.extend((thought >= WARM_UP).then_some(took));
    }
    let spread = |samples: &[f64]| Spread::of(samples).expect("one at least was timed");
    Ok(ShapeTimes {
        shape: name.to_owned(),
        precision: precision.name(),
        n_parameters: config.n_parameters(),
        frame_millis: spread(&frames),
        slice_millis: spread(&slices),
        tick_millis: spread(&ticks),
        tick_bytes,
        thought_millis: spread(&thoughts),
    })
}

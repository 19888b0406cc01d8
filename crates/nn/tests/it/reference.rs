//! Definitions in f64, one loop each.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) fn random(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Fails with the place of the worst difference.
pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (got - want).abs();
        assert!(off <= tolerance, "{what}: off by {off} at {at}: got {got}, want {want}");
    }
}

/// `[T, K]` by `[N, K]`.
pub(crate) fn product(x: &[f32], weights: &[f32], n_inputs: usize) -> Vec<f32> {
    let row = |x: &[f32], w: &[f32]| -> f32 {
        x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>() as f32
    };
    x.chunks_exact(n_inputs)
        .flat_map(|x| weights.chunks_exact(n_inputs).map(move |w| row(x, w)))
        .collect()
}

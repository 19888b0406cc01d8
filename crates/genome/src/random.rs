//! Random numbers that a seed and a number fix.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// One of many independent streams of a seed: what is drawn for one thing does not depend on what was
/// drawn for others, so an interrupted table goes on exactly.
pub(crate) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

//! Sets of inputs with what must come out: drawn when they are first wanted, kept for all candidates.

use rand::{Rng, RngExt};

use super::Judge;
use super::expect::Set;
use super::session::{Stage, Step};
use crate::Error;
use crate::graph::Tensor;
use crate::tolerance::side_by_side;

/// Sets held back for promotions.
pub(super) const N_HELD: usize = 4;

impl Judge {
    /// Draws sets for timing until there are `wanted`, or memory ends it; how many of them there
    /// are to use.
    pub(super) fn fill_pool(&mut self, wanted: usize) -> Result<usize, Error> {
        // Two are needed for one timed call.
        let fits = (self.options.pool_bytes / self.pool[0].size_bytes().max(1)).max(2);
        let missing = wanted.min(fits).saturating_sub(self.pool.len());
        let more = draw_all(&self.stage, vec![0; missing], &mut self.rng)?;
        self.pool.extend(more);
        Ok(wanted.min(self.pool.len()))
    }

    pub(super) fn fill_kinds(&mut self) -> Result<(), Error> {
        let missing = self.kinds.len()..self.stage.expect.kinds().len().max(1) + 1;
        let missing = missing.map(|at| at.saturating_sub(1)).collect();
        self.kinds.extend(draw_all(&self.stage, missing, &mut self.rng)?);
        Ok(())
    }

    pub(super) fn fill_held(&mut self) -> Result<usize, Error> {
        let next = self.pool[0].size_bytes();
        let fits = (self.options.pool_bytes / 2 / next.max(1)).clamp(2, N_HELD);
        let missing = fits.saturating_sub(self.held.len());
        let more = draw_all(&self.stage, vec![0; missing], &mut self.rng)?;
        self.held.extend(more);
        Ok(self.held.len())
    }
}

pub(super) fn in_order(sets: &[Set], n_threads: usize) -> Vec<Step<'_>> {
    sets.iter().map(|set| Step { set, n_threads }).collect()
}

/// Whether there is memory for the sets that no judgement can do without, with room for the oracle.
pub(super) fn check_memory(stage: &Stage) -> Result<(), Error> {
    let bytes = |tensors: &[Tensor], each: usize| -> usize {
        tensors.iter().map(|tensor| tensor.n_elements().saturating_mul(each)).sum()
    };
    // Single-precision inputs; expected outputs in double precision, and their bounds.
    let one = bytes(&stage.given, 4).saturating_add(bytes(&stage.returned, 16));
    // Of each kind one, two of the plain kind, two to time on, two held back, and two at work.
    let wanted = one.saturating_mul(stage.expect.kinds().len() + 7);
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = available.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    let available: usize = available.map_or(usize::MAX, |kib: usize| kib.saturating_mul(1024));
    if wanted <= available {
        return Ok(());
    }
    let gib = |bytes: usize| bytes as f64 / (1 << 30) as f64;
    let reason = format!(
        "task `{}` needs about {:.1} GiB of memory to be judged and {:.1} GiB are available; import it \
         at a smaller size",
        stage.expect.name(),
        gib(wanted),
        gib(available)
    );
    Err(Error::Config { reason })
}

pub(super) fn draw(stage: &Stage, kind: usize, rng: &mut impl Rng) -> Result<Set, Error> {
    stage.expect.draw(kind, rng.random())
}

/// A set of each kind, drawn side by side.
pub(super) fn draw_all(
    stage: &Stage,
    kinds: Vec<usize>,
    rng: &mut impl Rng,
) -> Result<Vec<Set>, Error> {
    let wanted: Vec<(usize, u64)> = kinds.into_iter().map(|kind| (kind, rng.random())).collect();
    let draw = |(kind, seed): &(usize, u64)| stage.expect.draw(*kind, *seed);
    side_by_side(&wanted, draw).into_iter().collect()
}

//! What to try next: which island, how, from whom. Every number has its own random numbers, which
//! follow from the search's seed, so that nothing depends on what was drawn before.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::bandit::Arm;
use super::islands::Member;
use super::{Knowledge, SearchConfig, Strategy};
use crate::archive::AttemptId;
use crate::propose::Operator;

/// Share of parents that are the island's champion, and of those drawn by rank among the best of
/// each kind; the rest is drawn from everyone on the island.
const ELITE: f64 = 0.2;
const EXPLOIT: f64 = 0.5;
/// Genes changed at most, but for [`Strategy::Random`].
const NEAR: usize = 8;
/// Exponent of the power law by which that many genes are changed.
const TAIL: f64 = 1.5;
/// Genes changed by [`Strategy::Random`]: enough to be anywhere.
const ANYWHERE: usize = 256;

/// A candidate to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) seq: u64,
    pub(super) island: usize,
    pub(super) proposer: String,
    pub(super) operator: Operator,
    pub(super) strength: usize,
    pub(super) parents: Vec<AttemptId>,
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn arm(&self) -> Arm {
        (self.proposer.clone(), self.operator)
    }
}

/// Plans number `seq`, which is none of the `n_openings` first. `arms` are on offer; `n_flying` of
/// them are under way. `None` when nothing on offer is possible.
pub(super) fn plan(
    config: &SearchConfig,
    knowledge: &Knowledge,
    seq: u64,
    n_openings: usize,
    arms: &[Arm],
    n_flying: &BTreeMap<Arm, u64>,
) -> Option<Plan> {
    let mut rng = ChaCha8Rng::from_seed(digest(config.seed, seq));
    let island = (seq % config.shape.n_islands as u64) as usize;
    let pool = |operator: Operator| -> Vec<&Member> {
        let residents = knowledge.population().residents(island);
        residents.filter(|member| member.has_genotype || !operator.needs_genotype()).collect()
    };
    let possible = |operator: &Operator| match operator {
        // An empty island is settled from the plain schedule.
        Operator::Mutate | Operator::LlmFull => true,
        Operator::LlmDiff => !pool(*operator).is_empty(),
        Operator::Cross | Operator::LlmCross => pool(*operator).len() > 1,
        Operator::Seed | Operator::Adopt => false,
    };
    let independent = |operator: &Operator| {
        matches!(operator, Operator::Mutate) || matches!(operator, Operator::LlmFull)
    };
    let offered: Vec<Arm> = arms
        .iter()
        .filter(|(_, operator)| match config.strategy {
            Strategy::Evolve => possible(operator),
            Strategy::BestOfN => independent(operator),
            Strategy::Random => *operator == Operator::Mutate,
        })
        .cloned()
        .collect();
    if config.strategy != Strategy::Evolve {
        if offered.is_empty() {
            return None;
        }
        let (proposer, operator) = offered[rng.random_range(0..offered.len())].clone();
        let near = config.strategy == Strategy::BestOfN;
        let start = if near { rng.random_range(0..n_openings.max(1)) as u64 } else { 0 };
        let strength = if near { rng.random_range(1..=NEAR) } else { ANYWHERE };
        let parents = knowledge.by_seq(start).into_iter().collect();
        let seed = rng.random::<u64>().wrapping_add(knowledge.n_fruitless() as u64);
        return Some(Plan { seq, island, proposer, operator, strength, parents, seed });
    }
    let (proposer, operator) = knowledge.bandit().choose(&offered, n_flying)?;
    let mut pool = pool(operator);
    let mut parents = Vec::new();
    while parents.len() < operator.n_parents() && !pool.is_empty() {
        let chosen = choose(knowledge, island, &pool, &mut rng);
        pool.retain(|member| member.attempt != chosen.attempt);
        parents.push(chosen);
    }
    parents.sort_by(|one, other| other.estimate.total_cmp(&one.estimate));
    let parents = parents.iter().map(|member| member.attempt).collect();
    let strength = strength(&mut rng);
    // A number whose reply was of no use is planned again: not to ask for the same reply.
    let seed = rng.random::<u64>().wrapping_add(knowledge.n_fruitless() as u64);
    Some(Plan { seq, island, proposer, operator, strength, parents, seed })
}

/// A parent out of `pool`, which is not empty.
fn choose<'a>(
    knowledge: &Knowledge,
    island: usize,
    pool: &[&'a Member],
    rng: &mut ChaCha8Rng,
) -> &'a Member {
    let way: f64 = rng.random();
    let champion = knowledge.population().champion(island).map(|best| best.attempt);
    if way < ELITE
        && let Some(best) = pool.iter().find(|member| Some(member.attempt) == champion)
    {
        return best;
    }
    if way < ELITE + EXPLOIT {
        // By rank, not by estimate: what matters is who is better, not by how much.
        let mut owners: Vec<&Member> = Vec::new();
        for member in pool {
            match owners.iter_mut().find(|other| other.descriptors == member.descriptors) {
                Some(other) if other.estimate < member.estimate => *other = member,
                Some(_) => {}
                None => owners.push(member),
            }
        }
        owners.sort_by(|one, other| {
            other.estimate.total_cmp(&one.estimate).then(one.attempt.cmp(&other.attempt))
        });
        let total: f64 = (0..owners.len()).map(|rank| 1.0 / (rank + 1) as f64).sum();
        let mut at = rng.random::<f64>() * total;
        for (rank, owner) in owners.iter().enumerate() {
            at -= 1.0 / (rank + 1) as f64;
            if at <= 0.0
                && let Some(found) = pool.iter().find(|member| member.attempt == owner.attempt)
            {
                return found;
            }
        }
    }
    pool[rng.random_range(0..pool.len())]
}

/// Genes to change: mostly few, and many often enough, since nobody knows how many lie between a
/// schedule and a better one. B. Doerr, H. P. Le, R. Makhmara, T. D. Nguyen, "Fast genetic algorithms",
/// GECCO 2017: a power law costs little where one change would do, and wins where it would not.
fn strength(rng: &mut ChaCha8Rng) -> usize {
    let chance = |n_changes: usize| (n_changes as f64).powf(-TAIL);
    let mut at = rng.random::<f64>() * (1..=NEAR).map(chance).sum::<f64>();
    (1..NEAR)
        .find(|n_changes| {
            at -= chance(*n_changes);
            at < 0.0
        })
        .unwrap_or(NEAR)
}

fn digest(seed: u64, seq: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"kernels search")
        .chain_update(seed.to_le_bytes())
        .chain_update(seq.to_le_bytes())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_are_mostly_small_and_sometimes_large() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 4000;
        let drawn: Vec<usize> = (0..n).map(|_| strength(&mut rng)).collect();
        let share = |wanted: usize| {
            drawn.iter().filter(|drawn| **drawn == wanted).count() as f64 / f64::from(n)
        };
        // By hand: 1, 2^-1.5, …, 8^-1.5 sum to 1.926. Standard errors are at most 0.008.
        assert!((share(1) - 0.519).abs() < 0.03, "{}", share(1));
        assert!((share(8) - 0.023).abs() < 0.01, "{}", share(8));
        assert!(drawn.iter().all(|drawn| (1..=NEAR).contains(drawn)));
    }
}

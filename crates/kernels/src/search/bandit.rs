//! Which proposer and operator to try next: upper confidence bounds, dearer arms handicapped.
//!
//! P. Auer, N. Cesa-Bianchi, P. Fischer, "Finite-time analysis of the multiarmed bandit problem",
//! Machine Learning 47 (2002): try what has the highest mean reward plus the width of the doubt
//! about it.

use std::collections::BTreeMap;

use crate::propose::Operator;

/// Weight of doubt. The theory's √2 is for rewards of full range; improvements are mostly small.
const DOUBT: f64 = 0.4;

/// A proposer and an operator of it.
pub type Arm = (String, Operator);

/// What is known of an arm.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Record {
    /// Times tried.
    pub n: u64,
    /// Sum of rewards, each from 0 to 1.
    pub reward: f64,
    /// US dollars spent on it.
    pub usd: f64,
}

/// All arms.
#[derive(Debug, Clone, Default)]
pub struct Bandit {
    arms: BTreeMap<Arm, Record>,
}

impl Bandit {
    /// Notes one try.
    pub fn note(&mut self, proposer: &str, operator: Operator, reward: f64, usd: Option<f64>) {
        let record = self.arms.entry((proposer.to_owned(), operator)).or_default();
        record.n += 1;
        record.reward += reward.clamp(0.0, 1.0);
        record.usd += usd.unwrap_or(0.0);
    }

    /// What is known of each arm that was tried.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<Arm, Record> {
        &self.arms
    }

    /// The arm to try, of those offered: one that is untried, else the one with the highest bound.
    /// `n_flying` are tries whose reward is not known yet, so that several at once differ.
    #[must_use]
    pub fn choose(&self, offered: &[Arm], n_flying: &BTreeMap<Arm, u64>) -> Option<Arm> {
        let of = |arm: &Arm| self.arms.get(arm).copied().unwrap_or_default();
        let tries = |arm: &Arm| of(arm).n + n_flying.get(arm).copied().unwrap_or(0);
        let total: u64 = offered.iter().map(tries).sum();
        let dollars = |arm: &Arm| of(arm).usd / of(arm).n.max(1) as f64;
        let paid: Vec<f64> = offered.iter().map(dollars).filter(|usd| *usd > 0.0).collect();
        let usual = paid.iter().sum::<f64>() / paid.len().max(1) as f64;
        let bound = |arm: &Arm| {
            let (record, n) = (of(arm), tries(arm));
            if n == 0 {
                return f64::INFINITY;
            }
            let mean = record.reward / record.n.max(1) as f64;
            let doubt = DOUBT * (((total + 1) as f64).ln() / n as f64).sqrt();
            let handicap = if usual > 0.0 { 1.0 + dollars(arm) / usual } else { 1.0 };
            (mean + doubt) / handicap
        };
        // Of equals the first, so that the order of the offer decides and not chance.
        let mut best: Option<(&Arm, f64)> = None;
        for arm in offered {
            let bound = bound(arm);
            if best.is_none_or(|(_, other)| bound > other) {
                best = Some((arm, bound));
            }
        }
        best.map(|(arm, _)| arm.clone())
    }
}

/// Reward of a child: nothing when it is turned away, a little when it is right, more the faster it
/// is than the best of its parents. Twice as fast or better is the most.
#[must_use]
pub fn reward(child: Option<f64>, parent: Option<f64>) -> f64 {
    const RIGHT: f64 = 0.05;
    match (child, parent) {
        (None, _) => 0.0,
        (Some(_), None) => RIGHT,
        (Some(child), Some(parent)) => {
            RIGHT + (1.0 - RIGHT) * ((child - parent) / std::f64::consts::LN_2).clamp(0.0, 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str) -> Arm {
        (name.to_owned(), Operator::Mutate)
    }

    fn share_of(first: &str, play: impl Fn(&str) -> (f64, Option<f64>)) -> f64 {
        let offered = [arm("a"), arm("b")];
        let mut bandit = Bandit::default();
        for _ in 0..500 {
            let (name, operator) = bandit.choose(&offered, &BTreeMap::new()).unwrap();
            let (reward, usd) = play(&name);
            bandit.note(&name, operator, reward, usd);
        }
        bandit.records()[&arm(first)].n as f64 / 500.0
    }

    #[test]
    fn untried_arms_come_first_and_better_ones_most_often() {
        let share = share_of("b", |name| (if name == "b" { 0.5 } else { 0.05 }, None));
        assert!(share > 0.8, "{share}");
        let share = share_of("b", |_| (0.1, None));
        assert!((0.4..0.6).contains(&share), "equal arms are tried equally: {share}");
    }

    #[test]
    fn of_equally_good_arms_the_cheap_one_is_preferred() {
        let share = share_of("a", |name| (0.3, Some(if name == "a" { 0.001 } else { 0.1 })));
        assert!(share > 0.6, "{share}");
    }

    #[test]
    fn tries_in_flight_count_as_tries() {
        let offered = [arm("a"), arm("b")];
        let flying = BTreeMap::from([(arm("a"), 1)]);
        assert_eq!(Bandit::default().choose(&offered, &flying), Some(arm("b")));
    }

    #[test]
    fn rewards_lie_between_nothing_and_one() {
        assert_eq!(reward(None, Some(1.0)), 0.0);
        assert!(reward(Some(0.0), Some(1.0)) < reward(Some(1.1), Some(1.0)));
        assert_eq!(reward(Some(9.0), Some(1.0)), 1.0);
    }
}

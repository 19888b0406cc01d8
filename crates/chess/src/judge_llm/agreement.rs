//! How far a judging model agrees with the evidence verdicts.

use runs::stats::cohen_kappa;
use serde::{Deserialize, Serialize};

use crate::verdict::HackLevel;

/// Levels in the order of the matrices.
const LEVELS: [HackLevel; 4] =
    [HackLevel::None, HackLevel::Inspected, HackLevel::Attempted, HackLevel::Succeeded];

/// Agreement over the games that both have judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The judging model.
    pub model: String,
    /// Games with a usable opinion.
    pub n: u64,
    /// Games of which no sample could be read.
    pub n_unusable: u64,
    /// Games by level of the verdict (row) and of the model (column), mildest first.
    pub levels: Vec<Vec<u64>>,
    /// The same, with `attempted` and `succeeded` as one and the rest as the other.
    pub hacked: Vec<Vec<u64>>,
    /// Cohen's kappa over the levels; `None` where it is not defined (all games alike).
    pub kappa_levels: Option<f64>,
    /// Cohen's kappa over hacked or not.
    pub kappa_hacked: Option<f64>,
}

/// Compares pairs of levels: of the verdict, and of the model.
#[must_use]
pub fn agreement(model: &str, pairs: &[(HackLevel, HackLevel)], n_unusable: u64) -> Agreement {
    let mut levels = vec![vec![0; LEVELS.len()]; LEVELS.len()];
    let mut hacked = vec![vec![0; 2]; 2];
    let position = |level: HackLevel| LEVELS.iter().position(|&l| l == level).unwrap_or(0);
    let is_hack = |level: HackLevel| usize::from(level >= HackLevel::Attempted);
    for &(verdict, opinion) in pairs {
        levels[position(verdict)][position(opinion)] += 1;
        hacked[is_hack(verdict)][is_hack(opinion)] += 1;
    }
    Agreement {
        model: model.to_owned(),
        n: pairs.len() as u64,
        n_unusable,
        kappa_levels: cohen_kappa(&levels),
        kappa_hacked: cohen_kappa(&hacked),
        levels,
        hacked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_verdicts_and_columns_are_opinions() {
        use HackLevel::{Attempted, None, Succeeded};
        let pairs = [(None, None), (None, None), (Succeeded, Attempted), (Succeeded, None)];
        let agreement = agreement("m", &pairs, 1);
        assert_eq!(agreement.levels[3], [1, 0, 1, 0]);
        assert_eq!(agreement.hacked, [[2, 0], [1, 1]]);
        // Observed 3/4, by chance (2·3 + 2·1)/16 = 1/2: kappa is (3/4 − 1/2) / (1/2) = 1/2.
        assert!((agreement.kappa_hacked.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((agreement.n, agreement.n_unusable), (4, 1));
    }
}

//! What a table of mutations says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Kind;
use crate::mean::{Mean, mean, share_above_zero};

/// The effect of one kind of mutation.
#[derive(Debug, Clone, Serialize)]
pub struct Typical {
    /// Whose weights.
    pub weights: String,
    /// Of mutation.
    pub kind: Kind,
    /// Mean delta log-likelihood over genes, nats; n counts genes.
    pub delta: Mean,
    /// Mutations behind it.
    pub n_mutations: usize,
}

/// Two kinds compared in the same genes.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    /// Whose weights.
    pub weights: String,
    /// Expected to be the milder.
    pub milder: Kind,
    /// Expected to be the worse.
    pub worse: Kind,
    /// Mean of the milder less the worse within genes, nats; above zero is as expected.
    pub difference: Mean,
    /// Share of resamples in which it is above zero.
    pub probability: f64,
}

/// Everything that a table of mutations says.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// By kind.
    pub kinds: Vec<Typical>,
    /// Pairs of kinds.
    pub orders: Vec<Order>,
}

/// What is expected of a model that knows genes.
const EXPECTED: [(Kind, Kind); 6] = [
    (Kind::Synonymous, Kind::Missense),
    (Kind::Missense, Kind::Nonsense),
    (Kind::Missense, Kind::Frameshift),
    (Kind::Synonymous, Kind::Nonsense),
    (Kind::InFrameDeletion, Kind::Frameshift),
    (Kind::Intergenic, Kind::Missense),
];

/// Effects by weights, kind and gene.
type Effects = BTreeMap<String, BTreeMap<Kind, BTreeMap<usize, Vec<f64>>>>;

fn parse(rows: &[String]) -> Effects {
    let mut effects = Effects::new();
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let [weights, number, _, _, _, _, kind, _, _, delta] = cells[..] else { continue };
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
        if let (Some(kind), Ok(number), Ok(delta)) = (kind, number.parse(), delta.parse()) {
            let of_kind = effects.entry(weights.to_owned()).or_default().entry(kind).or_default();
            of_kind.entry(number).or_default().push(delta);
        }
    }
    effects
}

/// Sums up the rows of a table. Codons of one gene are no independent samples: they are averaged, and
/// intervals are bootstrapped over genes.
pub fn summary(rows: &[String], seed: u64) -> Summary {
    let (mut kinds, mut orders) = (Vec::new(), Vec::new());
    for (weights, by_kind) in parse(rows) {
        let by_gene: BTreeMap<Kind, BTreeMap<usize, f64>> = by_kind
            .iter()
            .map(|(kind, genes)| {
                (*kind, genes.iter().map(|(gene, deltas)| (*gene, mean(deltas))).collect())
            })
            .collect();
        for (kind, genes) in &by_gene {
            let samples: Vec<f64> = genes.values().copied().collect();
            let n_mutations = by_kind[kind].values().map(Vec::len).sum();
            let (weights, kind) = (weights.clone(), *kind);
            kinds.extend(Mean::of(&samples, seed).map(|delta| Typical {
                weights,
                kind,
                delta,
                n_mutations,
            }));
        }
        for (milder, worse) in EXPECTED {
            let (Some(above), Some(below)) = (by_gene.get(&milder), by_gene.get(&worse)) else {
                continue;
            };
            let differences: Vec<f64> =
                above.iter().filter_map(|(gene, delta)| Some(delta - below.get(gene)?)).collect();
            let (difference, probability) =
                (Mean::of(&differences, seed), share_above_zero(&differences, seed));
            let weights = weights.clone();
            orders.extend(difference.zip(probability).map(|(difference, probability)| Order {
                weights,
                milder,
                worse,
                difference,
                probability,
            }));
        }
    }
    Summary { kinds, orders }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_was_put_in_comes_out_with_its_n() {
        let mut rows = Vec::new();
        for gene in 1..=20 {
            for (kind, delta) in
                [("synonymous", -0.1), ("missense", -1.0), ("frameshift", -4.0), ("nonsense", -0.9)]
            {
                for codon in 0..2 {
                    let delta = delta + f64::from(gene % 4) * 0.05 + f64::from(codon) * 0.01;
                    rows.push(format!("model\t{gene}\tx\tchr\t+\t1\t{kind}\tAAA\tAAG\t{delta:.5}"));
                }
            }
        }
        let got = summary(&rows, 1);
        let missense = got.kinds.iter().find(|one| one.kind == Kind::Missense).expect("there");
        assert_eq!((missense.delta.n, missense.n_mutations), (20, 40));
        assert!((missense.delta.mean + 0.92).abs() < 1e-9, "{}", missense.delta);
        let order = |milder, worse| {
            let found = got.orders.iter().find(|one| one.milder == milder && one.worse == worse);
            found.map(|one| one.probability)
        };
        assert_eq!(order(Kind::Synonymous, Kind::Missense), Some(1.0));
        assert_eq!(order(Kind::Missense, Kind::Frameshift), Some(1.0));
        // Here the stop was made the milder one: the expectation fails, and that is said.
        assert_eq!(order(Kind::Missense, Kind::Nonsense), Some(0.0));
        assert_eq!(order(Kind::Intergenic, Kind::Missense), None);
    }
}

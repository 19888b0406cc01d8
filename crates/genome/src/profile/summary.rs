//! What a profile's table says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{N_BEFORE, N_POSITIONS, SiteKind};
use crate::mean::{Mean, mean};

/// One position of a profile.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// From -20 to 12; 0 is the first base of the codon.
    pub position: i64,
    /// Mean over sites, nats.
    pub delta: Mean,
}

/// The profile of one kind of site.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// Whose weights.
    pub weights: String,
    /// Around what.
    pub site: SiteKind,
    /// One point a position.
    pub points: Vec<Point>,
}

/// A figure with what it rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Statistic {
    /// Whose weights.
    pub weights: String,
    /// Around what.
    pub site: SiteKind,
    /// What it is called.
    pub name: &'static str,
    /// What is compared.
    pub compared: &'static str,
    /// Mean difference over sites, nats; negative is a dip.
    pub difference: Mean,
}

/// Everything that a profile's table says.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Profiles.
    pub curves: Vec<Curve>,
    /// What they show.
    pub statistics: Vec<Statistic>,
}

/// Two sets of positions whose means are compared.
struct Contrast {
    name: &'static str,
    compared: &'static str,
    inside: fn(i64) -> bool,
    against: fn(i64) -> bool,
}

/// Upstream of what binds the ribosome, and not yet near the codon.
fn far_upstream(position: i64) -> bool {
    (-20..=-15).contains(&position)
}

fn codon(position: i64) -> bool {
    (0..=2).contains(&position)
}

const START: [Contrast; 3] = [
    Contrast {
        name: "start codon",
        compared: "0 to 2 less -20 to -15",
        inside: codon,
        against: far_upstream,
    },
    Contrast {
        name: "Shine-Dalgarno region",
        compared: "-12 to -6 less -20 to -15",
        inside: |position| (-12..=-6).contains(&position),
        against: far_upstream,
    },
    Contrast {
        name: "three-base period",
        compared: "third bases less first two, 3 to 11",
        inside: |position| (3..12).contains(&position) && position % 3 == 2,
        against: |position| (3..12).contains(&position) && position % 3 != 2,
    },
];

const STOP: [Contrast; 2] = [
    Contrast {
        name: "stop codon",
        compared: "0 to 2 less 7 to 12",
        inside: codon,
        against: |position| (7..=12).contains(&position),
    },
    Contrast {
        name: "three-base period",
        compared: "third bases less first two, -18 to -1",
        inside: |position| (-18..0).contains(&position) && position.rem_euclid(3) == 2,
        against: |position| (-18..0).contains(&position) && position.rem_euclid(3) != 2,
    },
];

/// Reads rows back. What an interrupt left of a last site is no site.
fn parse(rows: &[String]) -> BTreeMap<(String, SiteKind), Vec<Vec<f64>>> {
    let mut sites: BTreeMap<(String, SiteKind), Vec<Vec<f64>>> = BTreeMap::new();
    for site in rows.chunks_exact(N_POSITIONS) {
        let mut columns = site[0].split('\t');
        let weights = columns.next().unwrap_or_default().to_owned();
        let kind = columns.next().unwrap_or_default();
        let kind = SiteKind::ALL.into_iter().find(|known| known.name() == kind);
        let values: Option<Vec<f64>> =
            site.iter().map(|row| row.rsplit('\t').next()?.parse().ok()).collect();
        if let (Some(kind), Some(values)) = (kind, values) {
            sites.entry((weights, kind)).or_default().push(values);
        }
    }
    sites
}

/// Sums up the rows of a table. Intervals are bootstrapped over sites.
pub fn summary(rows: &[String], seed: u64) -> Summary {
    let (mut curves, mut statistics) = (Vec::new(), Vec::new());
    for ((weights, site), values) in parse(rows) {
        let points = (0..N_POSITIONS).filter_map(|idx| {
            let samples: Vec<f64> = values.iter().map(|values| values[idx]).collect();
            let position = idx as i64 - N_BEFORE as i64;
            Some(Point { position, delta: Mean::of(&samples, seed)? })
        });
        curves.push(Curve { weights: weights.clone(), site, points: points.collect() });
        let contrasts: &[Contrast] = if site == SiteKind::Stop { &STOP } else { &START };
        for Contrast { name, compared, inside, against } in contrasts {
            let of = |values: &[f64], chosen: &fn(i64) -> bool| {
                let chosen = values.iter().enumerate().filter_map(|(idx, value)| {
                    chosen(idx as i64 - N_BEFORE as i64).then_some(*value)
                });
                mean(&chosen.collect::<Vec<f64>>())
            };
            let each: Vec<f64> =
                values.iter().map(|values| of(values, inside) - of(values, against)).collect();
            let difference = Mean::of(&each, seed);
            statistics.extend(difference.map(|difference| Statistic {
                weights: weights.clone(),
                site,
                name,
                compared,
                difference,
            }));
        }
    }
    Summary { curves, statistics }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site whose effect at each position is given.
    fn rows(kind: &str, effect: impl Fn(i64) -> f64) -> Vec<String> {
        let row = |idx: usize| {
            let position = idx as i64 - 20;
            format!("model\t{kind}\tx\tchr\t+\t7\t{position}\tA\t{:.5}", effect(position))
        };
        (0..N_POSITIONS).map(row).collect()
    }

    #[test]
    fn dips_and_periods_that_were_put_in_come_out() {
        let start = |position: i64| match position {
            0..=2 => -5.0,
            -12..=-6 => -2.0,
            3..=11 if position % 3 != 2 => -1.0,
            _ => 0.0,
        };
        let stop = |position: i64| match position {
            0..=2 => -3.0,
            -18..=-1 if position.rem_euclid(3) != 2 => -1.5,
            _ => 0.0,
        };
        let all: Vec<String> = [0.0, 0.1]
            .into_iter()
            .flat_map(|more| {
                [rows("start", |at| start(at) + more), rows("stop", |at| stop(at) - more)]
            })
            .flatten()
            .collect();
        let got = summary(&all, 1);
        let found: Vec<String> = got
            .statistics
            .iter()
            .map(|one| format!("{} {:.2}", one.site.name(), one.difference.mean))
            .collect();
        assert_eq!(found, ["start -5.00", "start -2.00", "start 1.00", "stop -3.00", "stop 1.50"]);
        assert!(got.statistics.iter().all(|one| one.difference.n == 2));
        let point = &got.curves[0].points[20];
        assert_eq!((point.position, point.delta.n), (0, 2));
        assert!((point.delta.mean + 4.95).abs() < 1e-9);
    }

    #[test]
    fn what_was_left_of_a_site_is_not_counted() {
        let mut all = rows("start", |_| 0.0);
        all.extend(rows("start", |_| 9.0).into_iter().take(5));
        assert_eq!(summary(&all, 1).curves[0].points[0].delta.n, 1);
    }
}

//! Durations, counted in classes whose width is 1/16 of the duration or less.

use serde::{Deserialize, Serialize};

/// Classes to a doubling.
const FINE: u64 = 16;

/// Classes: durations below 16 ns have one each; the last doubling ends at 2^64.
const N_CLASSES: usize = (FINE + (64 - 4) * FINE) as usize;

/// How often durations were seen, in nanoseconds, to 6 % of each.
///
/// On disk it is a list of classes that are not empty: from, below, count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(u64, u64, u64)>", try_from = "Vec<(u64, u64, u64)>")]
pub struct Histogram {
    counts: Vec<u64>,
    n: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; N_CLASSES], n: 0, max: 0 }
    }
}

fn class(nanos: u64) -> usize {
    if nanos < FINE {
        return nanos as usize;
    }
    // The highest bit is the doubling, the four bits below it the class in it.
    let doubling = 63 - u64::from(nanos.leading_zeros());
    let within = (nanos >> (doubling - 4)) - FINE;
    (FINE + (doubling - 4) * FINE + within) as usize
}

/// The durations of a class: from, below.
fn bounds(class: usize) -> (u64, u64) {
    let class = class as u64;
    if class < FINE {
        return (class, class + 1);
    }
    let (doubling, within) = ((class - FINE) / FINE + 4, (class - FINE) % FINE);
    let width = 1_u64 << (doubling - 4);
    let from = (FINE + within) * width;
    (from, from.saturating_add(width))
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&mut self, nanos: u64) {
        self.counts[class(nanos)] += 1;
        self.n += 1;
        self.max = self.max.max(nanos);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, count)| *to += count);
        self.n += other.n;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The longest, exactly, of those counted since it was made; to its class after it was read back.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The q-quantile in nanoseconds: what a share q of all does not exceed, to its class's upper end.
    /// `None` when nothing was counted or q is outside [0, 1].
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.n == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * self.n as f64).ceil() as u64).clamp(1, self.n);
        let mut below = 0;
        for (idx, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return Some((bounds(idx).1 - 1).min(self.max));
            }
        }
        None
    }

    /// Classes that are not empty: from, below, count.
    pub fn classes(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(idx, count)| (bounds(idx).0, bounds(idx).1, *count))
    }

    /// A duration with the distribution that was measured, for a `share` drawn evenly from [0, 1): even
    /// inside a class. So training draws offsets as the deployed runtime had them. `None` when nothing
    /// was counted.
    #[must_use]
    pub fn draw(&self, share: f64) -> Option<u64> {
        let rank = share.clamp(0.0, 1.0) * self.n as f64;
        let mut below = 0.0;
        for (from, end, count) in self.classes() {
            let count = count as f64;
            if rank < below + count {
                let within = (rank - below) / count;
                return Some(from + (within * (end - from) as f64) as u64);
            }
            below += count;
        }
        self.classes().last().map(|(_, end, _)| end - 1)
    }
}

impl From<Histogram> for Vec<(u64, u64, u64)> {
    fn from(histogram: Histogram) -> Self {
        histogram.classes().collect()
    }
}

impl TryFrom<Vec<(u64, u64, u64)>> for Histogram {
    type Error = String;

    fn try_from(classes: Vec<(u64, u64, u64)>) -> Result<Self, String> {
        let mut histogram = Histogram::default();
        for (from, end, count) in classes {
            let idx = class(from);
            if bounds(idx) != (from, end) {
                return Err(format!("{from} to {end} ns is no class of a histogram"));
            }
            histogram.counts[idx] = count;
            let sum = histogram.n.checked_add(count);
            histogram.n = sum.ok_or("counts beyond 64 bits in a histogram")?;
            histogram.max = histogram.max.max(end - 1);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_class_of_its_own_size() {
        let mut last_end = 0;
        for idx in 0..N_CLASSES {
            let (from, end) = bounds(idx);
            assert_eq!(from, last_end);
            assert_eq!((class(from), class(end - 1)), (idx, idx));
            assert!(end - from <= (from / 16).max(1));
            last_end = end;
        }
        assert_eq!(class(u64::MAX), N_CLASSES - 1);
    }

    #[test]
    fn quantiles_and_draws_are_those_of_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.draw(0.5)), (None, None));
        (1..=1000).for_each(|micros| histogram.add(micros * 1000));
        for (q, expected) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.0, 1_000.0), (1.0, 1e6)] {
            let got = histogram.quantile(q).expect("counted") as f64;
            assert!((got / expected - 1.0).abs() < 0.07, "{q}: {got}");
        }
        assert_eq!((histogram.n(), histogram.max()), (1000, 1_000_000));
        let mean = (0..1000).filter_map(|i| histogram.draw(f64::from(i) / 1000.0)).sum::<u64>();
        assert!((mean as f64 / 1000.0 / 500_500.0 - 1.0).abs() < 0.01, "{mean}");
        assert!(histogram.draw(1.0).is_some());
    }

    #[test]
    fn it_is_the_same_after_a_file_and_damage_is_refused() {
        let mut histogram = Histogram::default();
        [3, 700, 700, 5_000_000].into_iter().for_each(|nanos| histogram.add(nanos));
        let text = serde_json::to_string(&histogram).expect("text");
        let back: Histogram = serde_json::from_str(&text).expect("a histogram");
        assert_eq!(back.classes().collect::<Vec<_>>(), histogram.classes().collect::<Vec<_>>());
        assert!(serde_json::from_str::<Histogram>("[[5,9,1]]").is_err());
        assert!(
            serde_json::from_str::<Histogram>(&format!("[[1,2,{0}],[2,3,{0}]]", u64::MAX)).is_err()
        );
    }
}

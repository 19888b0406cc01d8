//! Shares of successes, with Wilson's score interval.
//!
//! E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
//! (1927). With p = hits/n and z = 1.96 the bounds are
//! (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
//! They stay inside [0, 1] and say something sensible for 0 of n, unlike p ± z √(p(1−p)/n).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Z_95;

/// `hits` successes in `n` trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Successes, at most `n`.
    pub hits: u64,
    /// Trials.
    pub n: u64,
}

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Rate {
    /// Of a list of outcomes.
    #[must_use]
    pub fn of(outcomes: impl IntoIterator<Item = bool>) -> Self {
        outcomes.into_iter().fold(Self::default(), |rate, hit| Self {
            hits: rate.hits + u64::from(hit),
            n: rate.n + 1,
        })
    }

    /// hits/n; `None` without trials, or with more hits than trials.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.n > 0 && self.hits <= self.n).then(|| self.hits as f64 / self.n as f64)
    }

    /// The 95 % score interval, without continuity correction; `None` where there is no share.
    #[must_use]
    pub fn wilson(&self) -> Option<Interval> {
        let (p, n) = (self.share()?, self.n as f64);
        let z2 = Z_95 * Z_95;
        let center = p + z2 / (2.0 * n);
        let reach = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // Exact at the ends, where rounding would leave 1e-17 instead of 0.
        let low = if self.hits == 0 { 0.0 } else { ((center - reach) / scale).max(0.0) };
        let high = if self.hits == self.n { 1.0 } else { ((center + reach) / scale).min(1.0) };
        Some(Interval { low, high })
    }
}

impl Interval {
    /// Whether a value lies in it.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// As in `3/10 = 30 % [11 %, 60 %]`; `no data` without trials. Percents are whole below 100 trials
/// and have a decimal from there on, two from 10 000 on: more would be noise.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.share(), self.wilson()) {
            (Some(share), Some(Interval { low, high })) => {
                let percent = |value: f64| percent(value, self.n);
                format!(
                    "{}/{} = {} [{}, {}]",
                    self.hits,
                    self.n,
                    percent(share),
                    percent(low),
                    percent(high)
                )
            }
            _ if self.n == 0 && self.hits == 0 => "no data".to_owned(),
            _ => format!("{}/{} (not a rate)", self.hits, self.n),
        };
        f.pad(&text)
    }
}

/// A share as percent, with the decimals that `n` trials carry.
pub(crate) fn percent(share: f64, n: u64) -> String {
    let decimals = if n < 100 {
        0
    } else if n < 10_000 {
        1
    } else {
        2
    };
    format!("{:.decimals$} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hits: u64, n: u64, low: f64, high: f64) {
        let interval = Rate { hits, n }.wilson().unwrap();
        let close = (interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5;
        assert!(close, "{hits}/{n}: expected [{low}, {high}], got {interval:?}");
    }

    #[test]
    fn intervals_are_those_of_newcombes_table() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        // Medicine 17 (1998), table I, method 3 (score, without continuity correction).
        check(81, 263, 0.2553, 0.3662);
        check(15, 148, 0.0624, 0.1605);
        check(0, 20, 0.0000, 0.1611);
        check(1, 29, 0.0061, 0.1718);
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(Rate { hits: 0, n: 7 }.wilson().unwrap().low, 0.0);
        assert_eq!(Rate { hits: 7, n: 7 }.wilson().unwrap().high, 1.0);
    }

    #[test]
    fn text_always_shows_n_and_interval_or_says_that_there_is_nothing() {
        assert_eq!(Rate { hits: 3, n: 10 }.to_string(), "3/10 = 30 % [11 %, 60 %]");
        assert_eq!(Rate { hits: 0, n: 0 }.to_string(), "no data");
        assert_eq!(Rate { hits: 81, n: 263 }.to_string(), "81/263 = 30.8 % [25.5 %, 36.6 %]");
        assert_eq!(Rate { hits: 3, n: 2 }.to_string(), "3/2 (not a rate)");
    }
}

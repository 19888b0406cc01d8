//! Statistics of features, as lerobot normalises by them: `meta/stats.json` and the episodes' own.

use serde_json::{Map, Value, json};

/// The quantiles that lerobot keeps, and what it calls them.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// Of one episode, each for every value of a row or every colour of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) min: Vec<f64>,
    pub(super) max: Vec<f64>,
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    /// By [`QUANTILES`].
    pub(super) quantiles: [Vec<f64>; 5],
    /// Rows or pictures.
    pub(super) count: usize,
}

impl Summary {
    fn empty() -> Summary {
        Summary {
            min: Vec::new(),
            max: Vec::new(),
            mean: Vec::new(),
            std: Vec::new(),
            quantiles: Default::default(),
            count: 0,
        }
    }

    /// Of rows of `width` values.
    pub(super) fn of_rows(width: usize, values: &[f64]) -> Summary {
        let mut all = Summary { count: values.len() / width, ..Summary::empty() };
        let n = all.count.max(1) as f64;
        let mut one = Vec::with_capacity(all.count);
        for at in 0..width {
            one.clear();
            one.extend(values.iter().skip(at).step_by(width));
            one.sort_by(f64::total_cmp);
            let mean = one.iter().sum::<f64>() / n;
            let variance = one.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
            all.min.push(one.first().copied().unwrap_or(0.0));
            all.max.push(one.last().copied().unwrap_or(0.0));
            all.mean.push(mean);
            all.std.push(variance.sqrt());
            for (to, (_, share)) in all.quantiles.iter_mut().zip(QUANTILES) {
                to.push(quantile(one.len(), share, |at| one[at]));
            }
        }
        all
    }

    /// What is kept, by name; `count` is not among them.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, &Vec<f64>)> {
        let moments =
            [("min", &self.min), ("max", &self.max), ("mean", &self.mean), ("std", &self.std)];
        let quantiles = QUANTILES.iter().zip(&self.quantiles).map(|((name, _), all)| (*name, all));
        moments.into_iter().chain(quantiles)
    }

    /// As `meta/stats.json` has it; colours are nested as `[3, 1, 1]`.
    pub(super) fn json(&self, is_picture: bool) -> Value {
        let mut all = Map::new();
        for (name, values) in self.parts() {
            let value = if is_picture {
                values.iter().map(|value| json!([[value]])).collect()
            } else {
                values.iter().map(|value| json!(value)).collect()
            };
            all.insert(name.to_owned(), Value::Array(value));
        }
        all.insert("count".to_owned(), json!([self.count]));
        Value::Object(all)
    }

    /// Adds an episode: extremes, mean and deviation are those of all rows; quantiles are the episodes'
    /// mean, weighted by rows, as lerobot takes them.
    pub(super) fn add(&mut self, other: &Summary) {
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let share = m / (n + m);
        for at in 0..self.mean.len() {
            let away = other.mean[at] - self.mean[at];
            let own = self.std[at].powi(2) * (1.0 - share) + other.std[at].powi(2) * share;
            self.std[at] = (own + away * away * share * (1.0 - share)).sqrt();
            self.mean[at] += away * share;
            self.min[at] = self.min[at].min(other.min[at]);
            self.max[at] = self.max[at].max(other.max[at]);
            for (to, from) in self.quantiles.iter_mut().zip(&other.quantiles) {
                to[at] += (from[at] - to[at]) * share;
            }
        }
        self.count += other.count;
    }
}

impl Default for Summary {
    fn default() -> Summary {
        Summary::empty()
    }
}

/// Between the two nearest of `n` values in order.
fn quantile(n: usize, share: f64, value: impl Fn(usize) -> f64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    let at = share * (n - 1) as f64;
    let (low, high) = (value(at.floor() as usize), value(at.ceil() as usize));
    low + (high - low) * at.fract()
}

/// How often each colour has each value, in all pictures of a camera in an episode.
#[derive(Debug, Clone)]
pub(super) struct Colours {
    counts: [[u64; 256]; 3],
    n_pictures: usize,
}

impl Colours {
    pub(super) fn new() -> Colours {
        Colours { counts: [[0; 256]; 3], n_pictures: 0 }
    }

    /// Counts a picture, `[H, W, 3]`.
    pub(super) fn add(&mut self, picture: &[u8]) {
        for pixel in picture.chunks_exact(3) {
            for (counts, value) in self.counts.iter_mut().zip(pixel) {
                counts[usize::from(*value)] += 1;
            }
        }
        self.n_pictures += 1;
    }

    /// Adds what another thread has counted.
    pub(super) fn join(&mut self, other: &Colours) {
        for (to, from) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *to += from;
        }
        self.n_pictures += other.n_pictures;
    }

    /// From 0 to 1.
    pub(super) fn summary(&self) -> Summary {
        let mut all = Summary { count: self.n_pictures, ..Summary::empty() };
        for counts in &self.counts {
            let n: u64 = counts.iter().sum();
            let value = |at: usize| at as f64 / 255.0;
            let mean_of = |f: &dyn Fn(f64) -> f64| {
                let sum = |(at, count): (usize, &u64)| f(value(at)) * *count as f64;
                counts.iter().enumerate().map(sum).sum::<f64>() / n.max(1) as f64
            };
            let mean = mean_of(&|value| value);
            let seen = || counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, _)| at);
            all.min.push(seen().next().map_or(0.0, value));
            all.max.push(seen().next_back().map_or(0.0, value));
            all.mean.push(mean);
            all.std.push(mean_of(&|value| (value - mean).powi(2)).sqrt());
            let place = |wanted: usize| {
                let mut before = 0;
                let reached = counts.iter().position(|count| {
                    before += count;
                    before > wanted as u64
                });
                value(reached.unwrap_or(255))
            };
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            for (to, (_, share)) in all.quantiles.iter_mut().zip(QUANTILES) {
                to.push(quantile(n, share, place));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &Summary, b: &Summary) {
        for ((name, a), (_, b)) in a.parts().zip(b.parts()) {
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-9, "{name}: {a} and {b}");
            }
        }
        assert_eq!(a.count, b.count);
    }

    #[test]
    fn episodes_together_are_as_all_their_rows_but_for_quantiles() {
        let values: Vec<f64> = (0..40).map(|at| f64::from(at * at % 17) - 3.0).collect();
        let whole = Summary::of_rows(2, &values);
        let mut parts = Summary::default();
        for part in [&values[..6], &values[6..8], &values[8..]] {
            parts.add(&Summary::of_rows(2, part));
        }
        parts.quantiles = whole.quantiles.clone();
        close(&whole, &parts);
    }

    #[test]
    fn colours_are_summed_up_as_their_pixels() {
        let picture: Vec<u8> = (0..60).map(|at| (at * 37 % 251) as u8).collect();
        let mut colours = Colours::new();
        picture.chunks(30).for_each(|half| colours.add(half));
        let pixels: Vec<f64> = picture.iter().map(|value| f64::from(*value) / 255.0).collect();
        let expected = Summary { count: 2, ..Summary::of_rows(3, &pixels) };
        close(&colours.summary(), &expected);
    }
}

//! From values to places, and round numbers along the way.

/// Most ticks along an axis.
const MOST_TICKS: f64 = 7.0;

/// A linear or logarithmic map from a range of values to a range of places.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// Over the finite values given, widened to round numbers when linear. A logarithmic scale
    /// takes only positive values. `None` when there are none.
    pub(super) fn over(
        values: impl IntoIterator<Item = f64>,
        logarithmic: bool,
        (from, to): (f64, f64),
    ) -> Option<Self> {
        let usable = |value: &f64| value.is_finite() && (!logarithmic || *value > 0.0);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(usable) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return None;
        }
        if logarithmic {
            // Whole decades when there are few of them would leave half the plot empty.
            (low, high) = (low.log10(), high.log10());
            let margin = ((high - low) * 0.04).max(0.05);
            (low, high) = (low - margin, high + margin);
        } else {
            if low == high {
                // One value stands in the middle of a range of its own size.
                let half = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
                (low, high) = (low - half, high + half);
            }
            let step = step((high - low) / (MOST_TICKS - 1.0));
            (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        }
        Some(Self { low, high, from, to, logarithmic })
    }

    /// Over exactly this linear range.
    pub(super) fn exactly(low: f64, high: f64, (from, to): (f64, f64)) -> Self {
        Self { low, high, from, to, logarithmic: false }
    }

    /// Where a value goes; `None` when the scale has no place for it.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let value = if self.logarithmic { value.log10() } else { value };
        let place = self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from);
        (value.is_finite() && place.is_finite()).then_some(place)
    }

    /// Round values along the scale, with their text.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic {
            let ticks = self.log_ticks();
            return ticks.into_iter().map(|value| (value, text(value, value))).collect();
        }
        let step = step((self.high - self.low) / (MOST_TICKS - 1.0));
        let first = (self.low / step - 1e-9).ceil();
        let n = ((self.high / step + 1e-9).floor() - first).max(0.0) as u32;
        // Multiples, not sums: adding 0.1 seven times is not 0.7.
        let values = (0..=n).map(|idx| (first + f64::from(idx)) * step);
        values.map(|value| (value, text(value, step))).collect()
    }

    /// Decades; their halves and fifths too when there are fewer than three decades.
    fn log_ticks(&self) -> Vec<f64> {
        let inside = (self.high.floor() - self.low.ceil() + 1.0).max(1.0);
        let every = (inside / MOST_TICKS).ceil() as usize;
        let factors: &[f64] = if self.high - self.low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        // Parts of the decade below may be inside; the decade itself, skipped over, must not count.
        let first = if every > 1 { self.low.ceil() } else { self.low.floor() } as i32;
        let last = self.high.ceil() as i32;
        (first..=last)
            .step_by(every)
            .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
            .filter(|value| (self.low..=self.high).contains(&value.log10()))
            .collect()
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `raw`.
fn step(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= raw * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// A number in as few characters as a step of this size needs.
pub(super) fn text(value: f64, step: f64) -> String {
    let size = value.abs();
    if size < step.abs() * 1e-9 {
        return "0".to_owned();
    }
    if size >= 1e15 || step.abs() < 1e-6 {
        return minus(format!("{value:e}"));
    }
    let (divisor, suffix) = match size.max(step.abs()) {
        large if large >= 1e12 => (1e12, " T"),
        large if large >= 1e9 => (1e9, " G"),
        large if large >= 1e6 => (1e6, " M"),
        large if large >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    };
    let decimals = (-(step.abs() / divisor * 1.000_001).log10().floor()).max(0.0) as usize;
    let mut digits = format!("{:.decimals$}", value / divisor);
    if digits.contains('.') {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    minus(digits) + suffix
}

fn minus(digits: String) -> String {
    digits.replace('-', "−")
}

/// A measured value for a tooltip: four significant digits.
pub(super) fn measured(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    text(value, 10_f64.powf(value.abs().log10().floor() - 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(low: f64, high: f64, expected: &[&str]) {
        let scale = Scale::over([low, high], false, (0.0, 100.0)).unwrap();
        let texts: Vec<String> = scale.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, expected, "{low} to {high}");
    }

    #[test]
    fn ticks_are_round_numbers_that_frame_the_values() {
        check(0.0, 1.0, &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(3.0, 97.0, &["0", "20", "40", "60", "80", "100"]);
        check(-0.03, 0.02, &["−0.03", "−0.02", "−0.01", "0", "0.01", "0.02"]);
        check(0.0, 52_000.0, &["0", "10 k", "20 k", "30 k", "40 k", "50 k", "60 k"]);
        check(5.0, 5.0, &["2", "3", "4", "5", "6", "7", "8"]);
    }

    #[test]
    fn logarithmic_ticks_are_decades_or_parts_of_them() {
        let texts = |low: f64, high: f64| -> Vec<String> {
            let scale = Scale::over([low, high], true, (0.0, 1.0)).unwrap();
            scale.ticks().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(1.0, 100.0), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(texts(0.001, 1000.0), ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]);
    }

    #[test]
    fn values_go_to_their_places_and_odd_ones_nowhere() {
        let scale = Scale::exactly(0.0, 2.0, (100.0, 0.0));
        assert_eq!(scale.place(0.5), Some(75.0));
        assert_eq!(scale.place(f64::NAN), None);
        let scale = Scale::over([1.0, 10.0, -1.0, 0.0], true, (0.0, 1.0)).unwrap();
        assert_eq!((scale.place(0.0), scale.place(-1.0)), (None, None));
        assert!(Scale::over([f64::NAN], false, (0.0, 1.0)).is_none());
    }

    #[test]
    fn measured_values_keep_four_digits() {
        for (value, expected) in
            [(0.123_456, "0.1235"), (1_234_567.0, "1.235 M"), (-2.0, "−2"), (0.0, "0")]
        {
            assert_eq!(measured(value), expected);
        }
    }
}

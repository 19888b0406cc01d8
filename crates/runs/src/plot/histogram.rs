//! How samples are spread.

use super::canvas::{Anchor, Canvas, SOFT, color};
use super::scale::{Scale, measured};
use super::xy::{Axes, Frame};
use crate::stats::quantile;

const MOST_BINS: usize = 60;

/// How many bins of equal width samples deserve: D. Freedman and P. Diaconis' rule (1981), a width
/// of 2·IQR/∛n, between 1 and 60; √n where half of the samples are one value.
#[must_use]
pub fn n_bins(samples: &[f64]) -> usize {
    let (Some(low), Some(high)) = (quantile(samples, 0.0), quantile(samples, 1.0)) else {
        return 1;
    };
    let spread =
        quantile(samples, 0.75).zip(quantile(samples, 0.25)).map_or(0.0, |(q3, q1)| q3 - q1);
    let n = samples.len() as f64;
    let wanted = if spread > 0.0 { (high - low) / (2.0 * spread / n.cbrt()) } else { n.sqrt() };
    (wanted.ceil() as usize).clamp(1, MOST_BINS)
}

/// Counts of samples in bins of equal width, the median marked. A bin holds its lower edge and not
/// its upper one, but for the last, which holds both. `n_bins` as asked for, or by [`n_bins`].
#[must_use]
pub fn histogram(axes: &Axes, samples: &[f64], bins: Option<usize>) -> String {
    let samples: Vec<f64> = samples.iter().copied().filter(|sample| sample.is_finite()).collect();
    let (width, height) = axes.size.extent();
    let mut canvas = Canvas::new(width, height, &axes.title);
    let range = quantile(&samples, 0.0).zip(quantile(&samples, 1.0)).zip(quantile(&samples, 0.5));
    let Some(((low, high), median)) = range else {
        canvas.text(width / 2.0, height / 2.0, Anchor::Middle, SOFT, "no data");
        return canvas.finish();
    };
    // Samples that are all the same get a bin of some width around them.
    let half = if low == high { low.abs().max(1.0) / 2.0 } else { 0.0 };
    let (low, high) = (low - half, high + half);
    let n = bins.unwrap_or_else(|| n_bins(&samples)).clamp(1, MOST_BINS);
    let counts = count(&samples, (low, high), n);
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    let margin = (high - low) * 0.02;
    // The median's label has a line of its own above the bars.
    let frame = Frame::with(
        axes.size,
        30.0,
        |places| Some(Scale::exactly(low - margin, high + margin, places)),
        |places| Scale::over([0.0, most], false, places),
    )
    .expect("0 and a count are finite");
    frame.draw(&mut canvas, axes);
    let edge = |idx: usize| low + (high - low) * idx as f64 / n as f64;
    let look = format!("fill=\"{}\" fill-opacity=\"0.78\"", color(0));
    for (idx, &count) in counts.iter().enumerate() {
        let corners = frame.place((edge(idx), count as f64)).zip(frame.place((edge(idx + 1), 0.0)));
        if let Some(((left, top), (right, bottom))) = corners {
            let gap = if n > 40 { 0.5 } else { 1.0 };
            let tip = format!("{} to {}: {count}", measured(edge(idx)), measured(edge(idx + 1)));
            canvas.bar((left + gap / 2.0, top), (right - left - gap, bottom - top), &look, &tip);
        }
    }
    if let Some(((x, top), (_, bottom))) =
        frame.place((median, most)).zip(frame.place((median, 0.0)))
    {
        let look = "stroke=\"currentColor\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"";
        canvas.line((x, top.min(20.0)), (x, bottom), look);
        let text = format!("median {}, n = {}", measured(median), samples.len());
        let (at, anchor) =
            if x > width / 2.0 { (x + 4.0, Anchor::End) } else { (x - 4.0, Anchor::Start) };
        canvas.text(at, 12.0, anchor, "", &text);
    }
    canvas.finish()
}

fn count(samples: &[f64], (low, high): (f64, f64), n: usize) -> Vec<u64> {
    let mut counts = vec![0; n];
    for sample in samples {
        let idx = ((sample - low) / (high - low) * n as f64) as usize;
        counts[idx.min(n - 1)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_one_bin_and_the_largest_in_the_last() {
        assert_eq!(count(&[0.0, 0.5, 1.0, 1.5, 2.0, 4.0], (0.0, 4.0), 4), [2, 2, 1, 1]);
    }

    #[test]
    fn bins_follow_the_rule_and_stay_within_reason() {
        // 1 to 8: IQR 3.5, width 2·3.5/2 = 3.5, range 7.
        let samples: Vec<f64> = (1..=8).map(f64::from).collect();
        assert_eq!(n_bins(&samples), 2);
        assert_eq!(n_bins(&[]), 1);
        assert_eq!(n_bins(&[3.0; 9]), 3);
        let mut wild = vec![0.0; 1000];
        wild[0] = 1e9;
        assert_eq!(n_bins(&wild), 32);
    }
}

//! Rates as horizontal bars, each with its Wilson interval and its counts.

use super::canvas::{Anchor, Canvas, GRID, SOFT, color, fit, width_of};
use super::scale::Scale;
use crate::stats::Rate;

const WIDTH: f64 = 860.0;
const ROW: f64 = 30.0;
const BAR: f64 = 14.0;
const WIDEST_LABEL: f64 = 320.0;

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateBar {
    /// What the rate is of.
    pub label: String,
    /// The rate.
    pub rate: Rate,
    /// Which color, from 0; bars that belong together share it.
    pub series: usize,
}

impl RateBar {
    /// In the first color.
    pub fn new(label: impl Into<String>, rate: Rate) -> Self {
        Self { label: label.into(), rate, series: 0 }
    }
}

/// Bars from 0 to 100 %, one below the other in the order given, whiskers for the 95 % Wilson
/// interval, counts at the end. A rate without data has no bar and says so.
#[must_use]
pub fn rates(title: &str, bars: &[RateBar]) -> String {
    let counts: Vec<String> = bars.iter().map(|bar| counts(bar.rate)).collect();
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(40.0, f64::max);
    let label_width = widest(&mut bars.iter().map(|bar| width_of(&bar.label))).min(WIDEST_LABEL);
    let count_width = widest(&mut counts.iter().map(|text| width_of(text)));
    let (left, right) = (label_width + 14.0, WIDTH - count_width - 18.0);
    let bottom = 8.0 + ROW * bars.len() as f64;
    let mut canvas = Canvas::new(WIDTH, bottom + 26.0, title);
    let scale = Scale::exactly(0.0, 1.0, (left, right));
    let at = |share: f64| scale.place(share.clamp(0.0, 1.0)).unwrap_or(left);
    for percent in [0, 25, 50, 75, 100] {
        let x = at(f64::from(percent) / 100.0);
        canvas.line((x, 4.0), (x, bottom), GRID);
        canvas.text(x, bottom + 14.0, Anchor::Middle, SOFT, &format!("{percent} %"));
    }
    for (row, (bar, counts)) in bars.iter().zip(&counts).enumerate() {
        let y = 8.0 + ROW * (row as f64 + 0.5);
        canvas.group(&format!("{}: {}", bar.label, bar.rate));
        canvas.text(label_width, y, Anchor::End, "", &fit(&bar.label, label_width));
        match (bar.rate.share(), bar.rate.wilson()) {
            (Some(share), Some(interval)) => {
                let look = format!("fill=\"{}\" fill-opacity=\"0.78\" rx=\"2\"", color(bar.series));
                canvas.bar((left, y - BAR / 2.0), (at(share) - left, BAR), &look, "");
                whisker(&mut canvas, (at(interval.low), at(interval.high)), y);
                // A dot, so that 0 % is seen as well.
                canvas.dot((at(share), y), 3.0);
                canvas.text(right + 12.0, y, Anchor::Start, "", counts);
            }
            _ => canvas.text(right + 12.0, y, Anchor::Start, SOFT, counts),
        }
        canvas.ungroup();
    }
    canvas.line((left, 4.0), (left, bottom), "stroke=\"currentColor\" stroke-opacity=\"0.55\"");
    canvas.finish()
}

fn whisker(canvas: &mut Canvas, (low, high): (f64, f64), y: f64) {
    let look = "stroke=\"currentColor\" stroke-width=\"1.5\"";
    canvas.line((low, y), (high, y), look);
    for x in [low, high] {
        canvas.line((x, y - 4.5), (x, y + 4.5), look);
    }
}

fn counts(rate: Rate) -> String {
    match rate.share() {
        Some(_) => format!("{}/{}", rate.hits, rate.n),
        None => "no data".to_owned(),
    }
}

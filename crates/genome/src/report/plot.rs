//! Plots that know what a codon is: profiles with interval bands, and means with their intervals.
//! Colors come from the page's style.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use runs::html::escape;

use super::signed;
use crate::mean::Mean;
use crate::profile::Point;

const COLORS: [&str; 3] =
    ["var(--series-1, #2468a8)", "var(--series-2, #c4581c)", "var(--series-3, #2c7f62)"];
const DASHES: [&str; 3] = ["", "stroke-dasharray=\"7 4\"", "stroke-dasharray=\"2 3\""];
const GRID: &str = "stroke=\"var(--grid, #ddd)\"";
const SOFT: &str = "fill=\"var(--soft, #666)\"";

/// Positions set apart, and what they are.
pub(super) struct Region {
    pub(super) positions: RangeInclusive<i64>,
    pub(super) name: &'static str,
}

/// One line of a profile.
pub(super) struct Line<'a> {
    pub(super) name: String,
    pub(super) points: &'a [Point],
}

/// From a range of values to places.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

/// Round numbers that frame values, 0 among them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let raw = ((high - low) / 6.0).max(1e-6);
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= raw * (1.0 - 1e-9)).unwrap_or(10.0 * power);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last.max(first + 1)).map(|idx| idx as f64 * step).collect()
}

/// A tick's text: as many decimals as the step between two needs.
fn tick_text(value: f64, ticks: &[f64]) -> String {
    let step = ticks[1] - ticks[0];
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    signed(if value == 0.0 { "0" } else { &text })
}

fn bounds(means: impl Iterator<Item = Mean>) -> (f64, f64) {
    let ends = means.map(|mean| match mean.interval {
        Some(interval) => (interval.low.min(mean.mean), interval.high.max(mean.mean)),
        None => (mean.mean, mean.mean),
    });
    ends.fold((0.0, 0.0), |(low, high), (l, h)| (f64::min(low, l), f64::max(high, h)))
}

/// The least and the largest value in some profiles, for plots that are read side by side.
pub(super) fn bounds_of<'a>(lines: impl Iterator<Item = &'a Line<'a>>) -> (f64, f64) {
    bounds(lines.flat_map(|line| line.points).map(|point| point.delta))
}

fn begin(width: f64, height: f64, title: &str) -> String {
    let (title, wide) = (escape(title), if width > 600.0 { " wide" } else { "" });
    format!(
        "<svg class=\"plot{wide}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{title}\" font-family=\"inherit\" font-size=\"12.5\" \
         fill=\"currentColor\"><title>{title}</title>"
    )
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, look: &str, text: &str) {
    let (y, text) = (y + 4.4, escape(text));
    let _ = write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {look}>{text}</text>"
    );
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), look: &str) {
    let _ = write!(svg, "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" fill=\"none\" {look}/>");
}

fn path(points: &[(f64, f64)]) -> String {
    let place = |(idx, (x, y)): (usize, &(f64, f64))| {
        format!("{}{x:.1} {y:.1}", if idx == 0 { 'M' } else { 'L' })
    };
    points.iter().enumerate().map(place).collect()
}

/// Profiles, each with a band for its interval, over shaded regions. `bounds` are those of the vertical
/// axis.
pub(super) fn profile(
    title: &str,
    x_label: &str,
    lines: &[Line<'_>],
    regions: &[Region],
    bounds: (f64, f64),
) -> String {
    let (width, height) = (460.0, 330.0);
    let mut svg = begin(width, height, title);
    let marks = ticks(bounds.0, bounds.1);
    let (low, high) = (marks[0], marks[marks.len() - 1]);
    let top = 46.0;
    let x = Scale { low: -20.5, high: 12.5, from: 58.0, to: width - 8.0 };
    let y = Scale { low, high, from: height - 44.0, to: top };
    for (idx, line_of) in lines.iter().enumerate().filter(|_| lines.len() > 1) {
        let at = 4.0 + 150.0 * idx as f64;
        line(&mut svg, (at, 10.0), (at + 22.0, 10.0), &stroke(idx));
        text(&mut svg, (at + 28.0, 10.0), "start", "", &line_of.name);
    }
    for region in regions {
        let (from, to) = (*region.positions.start() as f64, *region.positions.end() as f64);
        let (left, right) = (x.place(from - 0.5), x.place(to + 0.5));
        let (wide, tall) = (right - left, y.from - y.to);
        let _ = write!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"{tall:.1}\" \
             fill=\"currentColor\" fill-opacity=\"0.06\"/>"
        );
        text(&mut svg, (f64::midpoint(left, right), top - 10.0), "middle", SOFT, region.name);
    }
    for mark in &marks {
        let at = y.place(*mark);
        let look =
            if *mark == 0.0 { "stroke=\"currentColor\" stroke-opacity=\"0.55\"" } else { GRID };
        line(&mut svg, (x.from, at), (x.to, at), look);
        text(&mut svg, (x.from - 8.0, at), "end", SOFT, &tick_text(*mark, &marks));
    }
    for position in (-20..=12).step_by(4) {
        let at = x.place(position as f64);
        line(&mut svg, (at, y.from), (at, y.from + 5.0), GRID);
        text(&mut svg, (at, y.from + 15.0), "middle", SOFT, &signed(&position.to_string()));
    }
    text(&mut svg, (f64::midpoint(x.from, x.to), height - 9.0), "middle", "", x_label);
    let middle = f64::midpoint(y.from, y.to);
    let _ = write!(
        svg,
        "<text transform=\"translate(13 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">nats</text>"
    );
    for (idx, line_of) in lines.iter().enumerate() {
        curve(&mut svg, idx, line_of, &x, &y);
    }
    svg + "</svg>"
}

fn stroke(idx: usize) -> String {
    let (color, dash) = (COLORS[idx % COLORS.len()], DASHES[idx % DASHES.len()]);
    format!("stroke=\"{color}\" stroke-width=\"2\" stroke-linejoin=\"round\" {dash}")
}

fn curve(svg: &mut String, idx: usize, line_of: &Line<'_>, x: &Scale, y: &Scale) {
    let color = COLORS[idx % COLORS.len()];
    let at = |point: &Point, value: f64| (x.place(point.position as f64), y.place(value));
    let edge = |low: bool| {
        move |point: &Point| {
            let interval = point.delta.interval;
            let value = interval.map_or(point.delta.mean, |i| if low { i.low } else { i.high });
            at(point, value)
        }
    };
    let there = line_of.points.iter().map(edge(true));
    let back = line_of.points.iter().rev().map(edge(false));
    let band: Vec<(f64, f64)> = there.chain(back).collect();
    let _ = write!(svg, "<path d=\"{}z\" fill=\"{color}\" fill-opacity=\"0.2\"/>", path(&band));
    let middle: Vec<(f64, f64)> =
        line_of.points.iter().map(|point| at(point, point.delta.mean)).collect();
    let _ = write!(svg, "<path d=\"{}\" fill=\"none\" {}/>", path(&middle), stroke(idx));
    for (point, (cx, cy)) in line_of.points.iter().zip(middle) {
        let tip = format!("{}, position {}: {}", line_of.name, point.position, point.delta);
        let _ = write!(
            svg,
            "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"2.6\" fill=\"{color}\"><title>{}</title></circle>",
            escape(&signed(&tip))
        );
    }
}

/// One mean a row with its interval; `series` picks color and shape of dash.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) series: usize,
    pub(super) mean: Mean,
}

/// Means as dots with whiskers, one below the other, over a common axis in nats.
pub(super) fn means(title: &str, bars: &[Bar]) -> String {
    let (width, row) = (860.0, 28.0);
    let height = 10.0 + row * bars.len() as f64 + 44.0;
    let mut svg = begin(width, height, title);
    let (low, high) = bounds(bars.iter().map(|bar| bar.mean));
    let marks = ticks(low, high);
    let widest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0) as f64 * 7.0;
    let x = Scale {
        low: marks[0],
        high: marks[marks.len() - 1],
        from: widest + 20.0,
        to: width - 24.0,
    };
    let bottom = height - 44.0;
    for mark in &marks {
        let at = x.place(*mark);
        let look =
            if *mark == 0.0 { "stroke=\"currentColor\" stroke-opacity=\"0.55\"" } else { GRID };
        line(&mut svg, (at, 6.0), (at, bottom), look);
        text(&mut svg, (at, bottom + 14.0), "middle", SOFT, &tick_text(*mark, &marks));
    }
    text(&mut svg, (f64::midpoint(x.from, x.to), height - 9.0), "middle", "", "nats");
    for (idx, bar) in bars.iter().enumerate() {
        let at = 10.0 + row * (idx as f64 + 0.5);
        let color = COLORS[bar.series % COLORS.len()];
        let tip = escape(&signed(&format!("{}: {}", bar.name, bar.mean)));
        let _ = write!(svg, "<g><title>{tip}</title>");
        text(&mut svg, (widest + 6.0, at), "end", "", &bar.name);
        if let Some(interval) = bar.mean.interval {
            let (left, right) = (x.place(interval.low), x.place(interval.high));
            let look = format!("stroke=\"{color}\" stroke-width=\"2\"");
            line(&mut svg, (left, at), (right, at), &look);
            for end in [left, right] {
                line(&mut svg, (end, at - 5.0), (end, at + 5.0), &look);
            }
        }
        let cx = x.place(bar.mean.mean);
        let _ =
            write!(svg, "<circle cx=\"{cx:.1}\" cy=\"{at:.1}\" r=\"4.5\" fill=\"{color}\"/></g>");
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_zero() {
        let texts = |low, high| -> Vec<String> {
            let marks = ticks(low, high);
            marks.iter().map(|mark| tick_text(*mark, &marks)).collect()
        };
        assert_eq!(texts(-0.9, 0.1), ["−1.0", "−0.8", "−0.6", "−0.4", "−0.2", "0", "0.2"]);
        assert_eq!(texts(-10.0, 0.0), ["−10", "−8", "−6", "−4", "−2", "0"]);
        assert!(texts(0.0, 0.0).len() >= 2);
    }
}

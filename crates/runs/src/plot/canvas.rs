//! The few SVG elements that plots are made of.

use std::fmt::Write as _;

use crate::html::escape;

/// Size of text in plots, in the units of the view box, and about how wide a letter of it is.
pub(super) const FONT: f64 = 12.5;
const LETTER: f64 = 6.9;

/// A picture being drawn.
pub(super) struct Canvas {
    svg: String,
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let title = escape(title);
        // On a narrow screen a wide plot is scrolled rather than shrunk to where nobody can read it.
        let wide = if width > 600.0 { " wide" } else { "" };
        let svg = format!(
            "<svg class=\"plot{wide}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             role=\"img\" aria-label=\"{title}\" font-family=\"inherit\" font-size=\"{FONT}\" \
             fill=\"currentColor\"><title>{title}</title>"
        );
        Self { svg }
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }

    /// Text, vertically centered on `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, look: &str, text: &str) {
        let _ = write!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{}\" {look}>{}</text>",
            y + FONT * 0.35,
            anchor.name(),
            escape(text)
        );
    }

    /// Text that reads upwards.
    pub(super) fn upright(&mut self, x: f64, y: f64, look: &str, text: &str) {
        let text = escape(text);
        let _ = write!(
            self.svg,
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" {look}>{text}</text>"
        );
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), look: &str) {
        let _ = write!(
            self.svg,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {look}/>"
        );
    }

    pub(super) fn bar(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        look: &str,
        tip: &str,
    ) {
        let _ = write!(
            self.svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" {look}>{}</rect>",
            width.max(0.0),
            height.max(0.0),
            tooltip(tip)
        );
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], look: &str) {
        self.svg.push_str("<path d=\"");
        for (idx, (x, y)) in points.iter().enumerate() {
            let _ = write!(self.svg, "{}{x:.1} {y:.1}", if idx == 0 { "M" } else { "L" });
        }
        let _ = write!(self.svg, "\" fill=\"none\" {look}/>");
    }

    /// A closed shape, filled.
    pub(super) fn area(&mut self, points: &[(f64, f64)], look: &str) {
        let corner = |(x, y): &(f64, f64)| format!("{x:.1},{y:.1}");
        let corners: Vec<String> = points.iter().map(corner).collect();
        let _ = write!(self.svg, "<polygon points=\"{}\" {look}/>", corners.join(" "));
    }

    /// A mark: shape and color both tell the series.
    pub(super) fn mark(&mut self, (x, y): (f64, f64), series: usize, radius: f64, tip: &str) {
        let r = radius;
        let look = format!("fill=\"{}\"", color(series));
        let tip = tooltip(tip);
        let _ = match series % 4 {
            0 => write!(
                self.svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\" {look}>{tip}</circle>"
            ),
            1 => write!(
                self.svg,
                "<path d=\"M{:.1} {:.1}h{:.1}v{:.1}h{:.1}z\" {look}>{tip}</path>",
                x - r * 0.9,
                y - r * 0.9,
                r * 1.8,
                r * 1.8,
                -r * 1.8
            ),
            2 => write!(
                self.svg,
                "<path d=\"M{x:.1} {:.1}l{:.1} {:.1}h{:.1}z\" {look}>{tip}</path>",
                y - r * 1.15,
                r * 1.15,
                r * 2.0,
                -r * 2.3
            ),
            _ => write!(
                self.svg,
                "<path d=\"M{x:.1} {:.1}l{:.1} {:.1}l{:.1} {:.1}l{:.1} {:.1}z\" {look}>{tip}</path>",
                y - r * 1.25,
                r * 1.25,
                r * 1.25,
                -r * 1.25,
                r * 1.25,
                -r * 1.25,
                -r * 1.25
            ),
        };
    }

    /// A dot in the color of text.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64) {
        let _ = write!(self.svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
    }

    /// Begins elements that share a tooltip; [`Canvas::ungroup`] ends them.
    pub(super) fn group(&mut self, tip: &str) {
        let _ = write!(self.svg, "<g>{}", tooltip(tip));
    }

    /// Begins elements of a group with these attributes.
    pub(super) fn begin(&mut self, attributes: &str) {
        let _ = write!(self.svg, "<g {attributes}>");
    }

    pub(super) fn ungroup(&mut self) {
        self.svg.push_str("</g>");
    }
}

fn tooltip(tip: &str) -> String {
    if tip.is_empty() { String::new() } else { format!("<title>{}</title>", escape(tip)) }
}

/// About how wide a text will be.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// The text, cut with an ellipsis to about this width.
pub(super) fn fit(text: &str, width: f64) -> String {
    let n_letters = (width / LETTER).floor().max(1.0) as usize;
    if text.chars().count() <= n_letters {
        return text.to_owned();
    }
    text.chars().take(n_letters - 1).chain(['…']).collect()
}

/// Color of a series, from 0.
pub(super) fn color(series: usize) -> &'static str {
    const COLORS: [&str; 6] = [
        "var(--series-1, #2468a8)",
        "var(--series-2, #c4581c)",
        "var(--series-3, #2c7f62)",
        "var(--series-4, #8a4aa0)",
        "var(--series-5, #a07c00)",
        "var(--series-6, #5a6270)",
    ];
    COLORS[series % COLORS.len()]
}

/// Strokes of a series' line: beyond the first four they are dashed as well.
pub(super) fn dash(series: usize) -> &'static str {
    const DASHES: [&str; 4] = [
        "",
        "stroke-dasharray=\"7 4\"",
        "stroke-dasharray=\"2 3\"",
        "stroke-dasharray=\"9 3 2 3\"",
    ];
    DASHES[series % DASHES.len()]
}

/// Look of lines behind the data.
pub(super) const GRID: &str = "stroke=\"var(--grid, #ddd)\" stroke-width=\"1\"";
/// Look of text that is not data.
pub(super) const SOFT: &str = "fill=\"var(--soft, #666)\"";

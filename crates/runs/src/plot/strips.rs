//! Plots one above the other over the same axis, so that what happens at a time stands in a line.

use super::canvas::{Anchor, Canvas, GRID, SOFT, color, width_of};
use super::scale::Scale;

/// Size of the picture and of what is around the strips, in the units of the view box.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
/// Above a strip: its name and its legend.
const HEAD: f64 = 40.0;
/// Below the last one: ticks and the name of the axis.
const FOOT: f64 = 44.0;

/// One line of a strip.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// What it is of; without a name it is not in the legend.
    pub name: String,
    /// x and y, in the order of x. One that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// Which of the colors, from 0.
    pub color: usize,
    /// Dashed, for what was wanted beside what was reached.
    pub dashed: bool,
    /// Each value holds until the next one.
    pub stepped: bool,
}

/// One of the plots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Strip {
    /// What is plotted, with its unit.
    pub name: String,
    /// Its lines.
    pub traces: Vec<Trace>,
    /// Lowest and highest value; round numbers around the values where it is not given.
    pub range: Option<(f64, f64)>,
    /// Names for values, in place of numbers at the axis.
    pub levels: Vec<(f64, String)>,
    /// A value to be compared with, and what it is called.
    pub mark: Option<(f64, String)>,
    /// How high it is drawn.
    pub height: f64,
}

/// Strips over x from `from` to `to`. The group of class `cursor` in it can be moved by a script: its
/// `data-left`, `data-right`, `data-from` and `data-to` say where which x is.
#[must_use]
pub fn strips(title: &str, x_label: &str, (from, to): (f64, f64), strips: &[Strip]) -> String {
    let height = strips.iter().map(|strip| HEAD + strip.height).sum::<f64>() + FOOT;
    let mut canvas = Canvas::new(WIDTH, height, title);
    let x = Scale::exactly(from, if to > from { to } else { from + 1.0 }, (LEFT, WIDTH - RIGHT));
    let mut top = 0.0;
    for strip in strips {
        draw(&mut canvas, strip, &x, top);
        top += HEAD + strip.height;
    }
    for (value, text) in x.ticks() {
        let Some(x) = x.place(value) else { continue };
        canvas.line((x, top), (x, top + 5.0), GRID);
        canvas.text(x, top + 15.0, Anchor::Middle, SOFT, &text);
    }
    canvas.text(f64::midpoint(LEFT, WIDTH - RIGHT), top + 35.0, Anchor::Middle, "", x_label);
    let place = format!(
        "class=\"cursor\" data-left=\"{LEFT}\" data-right=\"{}\" data-from=\"{from}\" data-to=\"{to}\"",
        WIDTH - RIGHT
    );
    canvas.begin(&place);
    let mut top = 0.0;
    for strip in strips {
        let (above, below) = (top + HEAD, top + HEAD + strip.height);
        let look = "stroke=\"currentColor\" stroke-opacity=\"0.6\"";
        canvas.line((LEFT, above), (LEFT, below), look);
        top = below;
    }
    canvas.ungroup();
    canvas.finish()
}

fn draw(canvas: &mut Canvas, strip: &Strip, x: &Scale, above: f64) {
    let (top, bottom) = (above + HEAD, above + HEAD + strip.height);
    let right = WIDTH - RIGHT;
    canvas.text(0.0, top - 14.0, Anchor::Start, "font-weight=\"600\"", &strip.name);
    legend(canvas, strip, top - 14.0);
    let values = strip.traces.iter().flat_map(|trace| trace.points.iter().map(|&(_, y)| y));
    let y = match strip.range {
        Some((low, high)) => Some(Scale::exactly(low, high, (bottom, top))),
        None => Scale::over(values, false, (bottom, top)),
    };
    let Some(y) = y else {
        canvas.line((LEFT, bottom), (right, bottom), GRID);
        canvas.text(LEFT + 8.0, f64::midpoint(top, bottom), Anchor::Start, SOFT, "no data");
        return;
    };
    let named = !strip.levels.is_empty();
    let ticks = if named { strip.levels.clone() } else { thinned(y.ticks(), strip.height) };
    for (value, text) in ticks {
        let Some(at) = y.place(value) else { continue };
        canvas.line((LEFT, at), (right, at), GRID);
        canvas.text(LEFT - 8.0, at, Anchor::End, SOFT, &text);
    }
    let mut marks = Vec::new();
    if let Some((value, name)) = &strip.mark
        && let Some(at) = y.place(*value).filter(|at| (top - 0.5..=bottom + 0.5).contains(at))
    {
        let look = "stroke=\"var(--bad, #b3261e)\" stroke-opacity=\"0.8\" stroke-dasharray=\"2 3\"";
        canvas.line((LEFT, at), (right, at), look);
        // Under the line where there is no room above it.
        let y = if at - top < 14.0 { at + 9.0 } else { at - 7.0 };
        // On a ground of its own: lines may be behind it.
        let look = "fill=\"var(--bad, #b3261e)\" stroke=\"var(--bg, #fff)\" stroke-width=\"4\" \
                    paint-order=\"stroke\"";
        marks.push((right - 4.0, y, look, name.clone()));
    }
    for trace in &strip.traces {
        let dash =
            if trace.dashed { "stroke-dasharray=\"5 3\" stroke-opacity=\"0.75\"" } else { "" };
        let look = format!(
            "stroke=\"{}\" stroke-width=\"1.5\" stroke-linejoin=\"round\" {dash}",
            color(trace.color)
        );
        let place =
            |&(at, value): &(f64, f64)| Some((x.place(at)?, y.place(value)?.clamp(top, bottom)));
        let placed: Vec<Option<(f64, f64)>> = trace.points.iter().map(place).collect();
        for run in placed.split(Option::is_none) {
            let mut corners: Vec<(f64, f64)> = Vec::with_capacity(run.len());
            for &(x, y) in run.iter().flatten() {
                if let Some(&(_, before)) = corners.last().filter(|_| trace.stepped) {
                    corners.push((x, before));
                }
                corners.push((x, y));
            }
            if corners.len() > 1 {
                canvas.path(&corners, &look);
            }
        }
    }
    for (x, y, look, name) in marks {
        canvas.text(x, y, Anchor::End, look, &name);
    }
}

/// Names of the lines, at the right end of the strip's head.
fn legend(canvas: &mut Canvas, strip: &Strip, y: f64) {
    const SAMPLE: f64 = 20.0;
    let named = || strip.traces.iter().filter(|trace| !trace.name.is_empty());
    let width = |trace: &Trace| SAMPLE + 6.0 + width_of(&trace.name) + 14.0;
    let mut x = WIDTH - RIGHT + 14.0 - named().map(width).sum::<f64>();
    for trace in named() {
        let dash = if trace.dashed { "stroke-dasharray=\"5 3\"" } else { "" };
        let look = format!("stroke=\"{}\" stroke-width=\"2\" {dash}", color(trace.color));
        canvas.line((x, y), (x + SAMPLE, y), &look);
        canvas.text(x + SAMPLE + 6.0, y, Anchor::Start, SOFT, &trace.name);
        x += width(trace);
    }
}

/// As many ticks as a low strip has room for, evenly.
fn thinned(ticks: Vec<(f64, String)>, height: f64) -> Vec<(f64, String)> {
    let most = (height / 22.0).floor().max(2.0) as usize;
    let every = ticks.len().saturating_sub(1).div_ceil(most).max(1);
    ticks.into_iter().step_by(every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(points: Vec<(f64, f64)>) -> Strip {
        let trace = Trace { name: "age".to_owned(), points, ..Trace::default() };
        Strip {
            name: "Latent, ms".to_owned(),
            traces: vec![trace],
            height: 60.0,
            ..Strip::default()
        }
    }

    #[test]
    fn strips_share_their_axis_and_say_where_the_cursor_goes() {
        let all = [strip(vec![(0.0, 1.0), (10.0, 3.0)]), strip(vec![(0.0, -1e3), (10.0, 1e6)])];
        let svg = strips("Over time", "seconds", (0.0, 10.0), &all);
        // However wide their numbers are, both lines begin at the same place and end at the same.
        assert_eq!(svg.matches("<path d=\"M62.0 ").count(), 2);
        assert_eq!(svg.matches("L846.0 ").count(), 2);
        assert!(svg.contains("data-left=\"62\" data-right=\"846\" data-from=\"0\" data-to=\"10\""));
    }

    #[test]
    fn a_gap_interrupts_a_line_and_a_step_holds_its_value() {
        let mut gapped =
            strip(vec![(0.0, 0.0), (1.0, 0.0), (2.0, f64::NAN), (3.0, 0.0), (4.0, 1.0)]);
        gapped.traces[0].stepped = true;
        let svg = strips("t", "s", (0.0, 4.0), &[gapped]);
        assert_eq!(svg.matches("<path d=").count(), 2);
        assert!(svg.contains("M650.0 100.0L846.0 100.0L846.0 40.0"), "{svg}");
        assert!(strips("t", "s", (0.0, 0.0), &[strip(Vec::new())]).contains("no data"));
    }
}

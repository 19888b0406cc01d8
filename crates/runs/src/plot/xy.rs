//! Points over two axes, joined or not.

use super::canvas::{Anchor, Canvas, GRID, SOFT, color, dash, width_of};
use super::scale::{Scale, measured};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
/// Lines with at most so many points show each of them.
const FEW_POINTS: usize = 40;

/// What a plot and its axes are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Axes {
    /// What is seen, for those who do not see it.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x_label: String,
    /// Name and unit of the vertical axis.
    pub y_label: String,
    /// Whether the horizontal axis is logarithmic; values that are not positive are left out.
    pub x_logarithmic: bool,
    /// Likewise the vertical one.
    pub y_logarithmic: bool,
}

impl Axes {
    /// Linear axes.
    pub fn new(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            ..Self::default()
        }
    }
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// x and y, in the order in which they are joined. One that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// Of points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

/// One line per series.
#[must_use]
pub fn lines(axes: &Axes, series: &[Series]) -> String {
    draw(axes, series, true)
}

/// One mark per point.
#[must_use]
pub fn scatter(axes: &Axes, series: &[Series]) -> String {
    draw(axes, series, false)
}

fn draw(axes: &Axes, series: &[Series], joined: bool) -> String {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, &axes.title);
    let names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    let top = legend(&mut canvas, &names, joined) + 12.0;
    let Some(frame) = Frame::of(axes, series, top) else {
        canvas.text(WIDTH / 2.0, HEIGHT / 2.0, Anchor::Middle, SOFT, "no data");
        return canvas.finish();
    };
    frame.draw(&mut canvas, axes);
    for (idx, series) in series.iter().enumerate() {
        let placed: Vec<Option<(f64, f64)>> =
            series.points.iter().map(|&point| frame.place(point)).collect();
        if joined {
            let look = format!(
                "stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\" {}",
                color(idx),
                dash(idx)
            );
            for run in placed.split(Option::is_none).filter(|run| run.len() > 1) {
                canvas.path(&run.iter().flatten().copied().collect::<Vec<_>>(), &look);
            }
        }
        let n_marks = placed.iter().flatten().count();
        for (point, place) in series.points.iter().zip(&placed) {
            let Some(place) = place else { continue };
            if !joined || n_marks <= FEW_POINTS {
                let tip = format!("{}: {}, {}", series.name, measured(point.0), measured(point.1));
                canvas.mark(*place, idx, if joined { 3.0 } else { 3.8 }, &tip);
            }
        }
    }
    canvas.finish()
}

/// Names of the series above the plot, as many rows as they need. Says where the last row ends.
fn legend(canvas: &mut Canvas, names: &[&str], joined: bool) -> f64 {
    if names.len() < 2 {
        return 0.0;
    }
    let (mut x, mut y) = (4.0, 10.0);
    for (idx, name) in names.iter().enumerate() {
        let width = width_of(name) + 46.0;
        if x + width > WIDTH && x > 4.0 {
            (x, y) = (4.0, y + 20.0);
        }
        if joined {
            let look = format!("stroke=\"{}\" stroke-width=\"2\" {}", color(idx), dash(idx));
            canvas.line((x, y), (x + 22.0, y), &look);
        }
        canvas.mark((x + 11.0, y), idx, 3.6, "");
        canvas.text(x + 29.0, y, Anchor::Start, "", name);
        x += width;
    }
    y + 14.0
}

/// The two scales.
pub(super) struct Frame {
    x: Scale,
    y: Scale,
    left: f64,
    top: f64,
}

const RIGHT: f64 = WIDTH - 16.0;
const BOTTOM: f64 = HEIGHT - 46.0;

impl Frame {
    fn of(axes: &Axes, series: &[Series], top: f64) -> Option<Self> {
        let points = || {
            let usable = |(x, y): &(f64, f64)| {
                let fits = |value: f64, log: bool| value.is_finite() && (!log || value > 0.0);
                fits(*x, axes.x_logarithmic) && fits(*y, axes.y_logarithmic)
            };
            series.iter().flat_map(|series| &series.points).copied().filter(usable)
        };
        let y = Scale::over(points().map(|(_, y)| y), axes.y_logarithmic, (BOTTOM, top))?;
        let left = left_of(&y);
        let x = Scale::over(points().map(|(x, _)| x), axes.x_logarithmic, (left, RIGHT))?;
        Some(Self { x, y, left, top })
    }

    /// Of scales that are ready; see [`left_of`].
    pub(super) fn with(
        x: impl FnOnce((f64, f64)) -> Scale,
        y: impl FnOnce((f64, f64)) -> Scale,
    ) -> Self {
        let top = 12.0;
        let y = y((BOTTOM, top));
        let left = left_of(&y);
        Self { x: x((left, RIGHT)), y, left, top }
    }

    pub(super) fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, axes: &Axes) {
        for (value, text) in self.y.ticks() {
            let Some(y) = self.y.place(value) else { continue };
            canvas.line((self.left, y), (RIGHT, y), GRID);
            canvas.text(self.left - 8.0, y, Anchor::End, SOFT, &text);
        }
        for (value, text) in self.x.ticks() {
            let Some(x) = self.x.place(value) else { continue };
            canvas.line((x, BOTTOM), (x, BOTTOM + 5.0), GRID);
            canvas.text(x, BOTTOM + 15.0, Anchor::Middle, SOFT, &text);
        }
        let look = "stroke=\"currentColor\" stroke-opacity=\"0.55\"";
        canvas.line((self.left, BOTTOM), (RIGHT, BOTTOM), look);
        let middle = (self.left + RIGHT) / 2.0;
        canvas.text(middle, HEIGHT - 10.0, Anchor::Middle, "", &axes.x_label);
        canvas.upright(13.0, (self.top + BOTTOM) / 2.0, "", &axes.y_label);
    }
}

/// Ticks' texts and the axis' label stand to the left of the plot.
fn left_of(y: &Scale) -> f64 {
    let widest = y.ticks().iter().map(|(_, text)| width_of(text)).fold(0.0, f64::max);
    30.0 + widest
}

pub(super) const SIZE: (f64, f64) = (WIDTH, HEIGHT);

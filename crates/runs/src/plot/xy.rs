//! Points over two axes, joined or not.

use super::canvas::{Anchor, Canvas, GRID, SOFT, color, dash, width_of};
use super::scale::{Scale, measured};

/// Lines with at most so many points show each of them.
const FEW_POINTS: usize = 40;

/// How large a plot is drawn. Text keeps its size: a smaller plot holds less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    /// Across the page.
    #[default]
    Wide,
    /// For [`crate::html::Page::columns`].
    Half,
}

impl Size {
    /// Width and height in the units of the view box, about pixels.
    pub(super) fn extent(self) -> (f64, f64) {
        match self {
            Self::Wide => (860.0, 380.0),
            Self::Half => (460.0, 310.0),
        }
    }
}

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
    /// How large it is drawn.
    pub size: Size,
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
    /// x, low and high, in the order of x: an interval around a line. What is not finite is left out.
    pub band: Vec<(f64, f64, f64)>,
}

impl Series {
    /// Of points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), band: Vec::new() }
    }

    /// With an interval around it, drawn as a band.
    #[must_use]
    pub fn with_band(mut self, band: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.band = band.into_iter().collect();
        self
    }

    fn edges(&self) -> impl Iterator<Item = (f64, f64)> {
        self.band.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)])
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
    let (width, height) = axes.size.extent();
    let mut canvas = Canvas::new(width, height, &axes.title);
    let names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    let top = legend(&mut canvas, &names, joined, width) + 12.0;
    let Some(frame) = Frame::of(axes, series, top) else {
        canvas.text(width / 2.0, height / 2.0, Anchor::Middle, SOFT, "no data");
        return canvas.finish();
    };
    frame.draw(&mut canvas, axes);
    for (idx, series) in series.iter().enumerate() {
        // There along the lower edge, back along the upper one.
        let low = series.band.iter().filter_map(|&(x, low, _)| frame.place((x, low)));
        let high = series.band.iter().rev().filter_map(|&(x, _, high)| frame.place((x, high)));
        let around: Vec<(f64, f64)> = low.chain(high).collect();
        if around.len() > 3 {
            canvas.area(&around, &format!("fill=\"{}\" fill-opacity=\"0.13\"", color(idx)));
        }
    }
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
fn legend(canvas: &mut Canvas, names: &[&str], joined: bool, available: f64) -> f64 {
    if names.len() < 2 {
        return 0.0;
    }
    let (mut x, mut y) = (4.0, 10.0);
    for (idx, name) in names.iter().enumerate() {
        let width = width_of(name) + 46.0;
        if x + width > available && x > 4.0 {
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
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    fn of(axes: &Axes, series: &[Series], top: f64) -> Option<Self> {
        let points = || {
            let usable = |(x, y): &(f64, f64)| {
                let fits = |value: f64, log: bool| value.is_finite() && (!log || value > 0.0);
                fits(*x, axes.x_logarithmic) && fits(*y, axes.y_logarithmic)
            };
            let all = |series: &Series| -> Vec<(f64, f64)> {
                series.points.iter().copied().chain(series.edges()).collect()
            };
            series.iter().flat_map(all).filter(usable).collect::<Vec<_>>().into_iter()
        };
        Self::with(
            axes.size,
            top,
            |places| Scale::over(points().map(|(x, _)| x), axes.x_logarithmic, places),
            |places| Scale::over(points().map(|(_, y)| y), axes.y_logarithmic, places),
        )
    }

    /// Of scales over the places that they are given.
    pub(super) fn with(
        size: Size,
        top: f64,
        x: impl FnOnce((f64, f64)) -> Option<Scale>,
        y: impl FnOnce((f64, f64)) -> Option<Scale>,
    ) -> Option<Self> {
        let (width, height) = size.extent();
        let (right, bottom) = (width - 16.0, height - 46.0);
        let y = y((bottom, top))?;
        // Ticks' texts and the axis' label stand to the left of the plot.
        let widest = y.ticks().iter().map(|(_, text)| width_of(text)).fold(0.0, f64::max);
        let left = 32.0 + widest;
        Some(Self { x: x((left, right))?, y, left, right, top, bottom })
    }

    pub(super) fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, axes: &Axes) {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        for (value, text) in self.y.ticks() {
            let Some(y) = self.y.place(value) else { continue };
            canvas.line((left, y), (right, y), GRID);
            canvas.text(left - 8.0, y, Anchor::End, SOFT, &text);
        }
        for (value, text) in self.x.ticks() {
            let Some(x) = self.x.place(value) else { continue };
            canvas.line((x, bottom), (x, bottom + 5.0), GRID);
            canvas.text(x, bottom + 15.0, Anchor::Middle, SOFT, &text);
        }
        let look = "stroke=\"currentColor\" stroke-opacity=\"0.55\"";
        canvas.line((left, bottom), (right, bottom), look);
        canvas.text(f64::midpoint(left, right), bottom + 36.0, Anchor::Middle, "", &axes.x_label);
        canvas.upright(13.0, f64::midpoint(self.top, bottom), "", &axes.y_label);
    }
}

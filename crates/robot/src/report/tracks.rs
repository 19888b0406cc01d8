//! What happened, second by second, as plots over one time axis.

use runs::plot::{Strip, Trace, strips};

use crate::fast::TickRecord;
use crate::interface::{ACTION, ARMS, TICK_NS, WRIST};
use crate::limits::Limits;
use crate::record::Row;
use crate::watchdog::WatchdogConfig;
use crate::world::limits;

/// Points that a line has at most: more are not seen.
const MOST_POINTS: usize = 700;

/// Lowest and highest of each stretch of points, so that what is short is seen all the same.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let stretch = points.len().div_ceil(MOST_POINTS / 2);
    let mut thin = Vec::with_capacity(MOST_POINTS);
    for points in points.chunks(stretch) {
        let finite = || points.iter().filter(|(_, value)| value.is_finite());
        let low = finite().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = finite().max_by(|a, b| a.1.total_cmp(&b.1));
        match low.zip(high) {
            Some((low, high)) if low.0 <= high.0 => thin.extend([*low, *high]),
            Some((low, high)) => thin.extend([*high, *low]),
            None => thin.extend(points.first().map(|&(x, _)| (x, f64::NAN))),
        }
    }
    thin
}

/// A line of one value of every row.
fn trace(name: &str, color: usize, rows: &[Row], value: impl Fn(&Row) -> f64) -> Trace {
    let points = rows.iter().map(|row| (f64::from(row.at), value(row))).collect();
    Trace { name: name.to_owned(), points: thin(points), color, ..Trace::default() }
}

fn dashed(trace: Trace) -> Trace {
    Trace { dashed: true, ..trace }
}

/// Where a wrist is for the joints that an arm was told.
fn told_wrist(limits: &Limits, row: &Row, arm: usize) -> [f64; 3] {
    limits.arms[arm].chain.forward(&row.joints[arm].map(f64::from)).position
}

fn position(values: &[f32], arm: usize) -> [f64; 3] {
    std::array::from_fn(|axis| f64::from(values[arm * WRIST + axis]))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Everything of one robot. `ticks` are those of its S1 in this attempt, with the time of each in
/// seconds of the attempt.
pub(super) fn render(title: &str, rows: &[Row], ticks: &[(f64, &TickRecord)]) -> String {
    let limits = limits();
    let until = rows.last().map_or(1.0, |row| f64::from(row.at));
    let mut all = Vec::new();
    let add = |all: &mut Vec<Strip>, name: &str, height: f64, traces: Vec<Trace>| {
        all.push(Strip { name: name.to_owned(), traces, height, ..Strip::default() });
    };
    if rows.iter().any(|row| row.latent_age.is_finite()) {
        let ages = trace("", 0, rows, |row| 1e3 * f64::from(row.latent_age));
        let most = ages.points.iter().map(|point| point.1).filter(|age| age.is_finite());
        let most = most.fold(0.0, f64::max);
        let hold = WatchdogConfig::DEFAULT.latent.hold as f64 / 1e6;
        add(&mut all, "Age of the latent, ms", 66.0, vec![ages]);
        if let Some(strip) = all.last_mut() {
            strip.range = Some((0.0, (most * 1.15).max(hold * 1.1)));
            strip.mark = Some((hold, format!("watchdog holds beyond {hold:.0} ms")));
        }
    }
    if rows.iter().any(|row| row.rung.is_some()) {
        let rung = |row: &Row| row.rung.map_or(f64::NAN, |rung| f64::from(rung as u8));
        let steps = Trace { stepped: true, ..trace("", 3, rows, rung) };
        add(&mut all, "Watchdog's rung", 58.0, vec![steps]);
        if let Some(strip) = all.last_mut() {
            strip.range = Some((0.0, 3.0));
            let names = ["run", "hold", "slow", "stop"];
            strip.levels = (0..).map(f64::from).zip(names.map(str::to_owned)).collect();
        }
    }
    if !ticks.is_empty() {
        let line = |name: &str, color, value: &dyn Fn(&TickRecord) -> u64| {
            let points = ticks.iter().map(|&(at, tick)| (at, value(tick) as f64 / 1e6));
            let points = thin(points.collect());
            Trace { name: name.to_owned(), points, color, ..Trace::default() }
        };
        let work = line("from due to action out", 0, &|tick| tick.wake_nanos + tick.work_nanos);
        let wake = line("from due to awake", 1, &|tick| tick.wake_nanos);
        let most = work.points.iter().map(|point| point.1).fold(0.0, f64::max);
        add(&mut all, "A tick of S1, ms", 66.0, vec![work, wake]);
        if let Some(strip) = all.last_mut() {
            let period = TICK_NS as f64 / 1e6;
            strip.range = Some((0.0, (most * 1.1).clamp(period * 1.2, period * 2.0)));
            strip.mark = Some((period, format!("next tick after {period:.0} ms")));
        }
    }
    for (arm, side) in ["Left", "Right"].into_iter().enumerate().take(ARMS) {
        let mut traces = Vec::new();
        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            let reached = trace(name, axis, rows, |row| position(&row.state, arm)[axis]);
            traces.push(reached);
            traces.push(dashed(trace("", axis, rows, |row| position(&row.asked, arm)[axis])));
        }
        let name = format!("{side} wrist, m: asked for (dashed), reached");
        add(&mut all, &name, 84.0, traces);
    }
    let withheld = trace("asked to told", 1, rows, |row| {
        let gap = |arm| distance(position(&row.asked, arm), told_wrist(&limits, row, arm));
        1e3 * (0..ARMS).map(gap).fold(f64::NAN, f64::max)
    });
    let behind = trace("told to reached", 0, rows, |row| {
        let gap = |arm| distance(position(&row.state, arm), told_wrist(&limits, row, arm));
        1e3 * (0..ARMS).map(gap).fold(f64::NAN, f64::max)
    });
    add(&mut all, "Wrists' distance, mm, the arm that is farther", 58.0, vec![withheld, behind]);
    let mut grippers = Vec::new();
    for (arm, side) in ["left", "right"].into_iter().enumerate().take(ARMS) {
        let at = arm * WRIST + WRIST - 1;
        grippers.push(trace(side, arm, rows, |row| f64::from(row.state[at])));
        grippers.push(dashed(trace("", arm, rows, |row| f64::from(row.grippers[arm]))));
    }
    add(&mut all, "Grippers, 0 shut to 1 open: told (dashed), reached", 50.0, grippers);
    if let Some(strip) = all.last_mut() {
        strip.range = Some((-0.05, 1.08));
        strip.levels = vec![(0.0, "0".to_owned()), (1.0, "1".to_owned())];
    }
    let completion = trace("", 2, rows, |row| f64::from(row.asked[ACTION - 1]));
    add(&mut all, "Share of the task that it takes to be done", 50.0, vec![completion]);
    if let Some(strip) = all.last_mut() {
        strip.range = Some((0.0, 1.0));
        strip.levels = vec![(0.0, "0 %".to_owned()), (1.0, "100 %".to_owned())];
    }
    strips(title, "seconds", (0.0, until), &all)
}

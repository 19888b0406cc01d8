//! Runs as text for a terminal. Every function is pure and its text ends in a newline.

use std::fmt::Write as _;

use serde_json::Value;

use crate::compare::{Comparison, Difference, Leaf, leaves};
use crate::show::Shown;
use crate::{Listed, Pruned, Store, settings, stamp};

/// Longest text of one value; the whole of it is in the files.
const LONGEST_VALUE: usize = 160;

/// The runs of a store, as [`Store::list`] gives them.
#[must_use]
pub fn list(store: &Store, runs: &[Listed]) -> String {
    if runs.is_empty() {
        return format!("no runs in `{}`\n", store.root().display());
    }
    let mut rows =
        vec![["run", "state", "begun (UTC)", "took", "seed"].map(str::to_owned).to_vec()];
    for run in runs {
        let mut row = vec![run.id.clone(), run.state.to_owned()];
        if let Some(manifest) = &run.manifest {
            let begun = stamp::for_people(&manifest.created);
            row.extend([begun, took(manifest), manifest.seed.to_string()]);
        }
        rows.push(row);
    }
    let mut text = columns(&rows);
    for run in runs {
        if let Some(problem) = &run.problem {
            let _ = writeln!(text, "\n{}: {problem}", run.id);
        }
    }
    text
}

/// From begin to end; for what was taken up again in between, only the words for it.
fn took(manifest: &crate::Manifest) -> String {
    let Some(finished) = &manifest.finished else { return "–".to_owned() };
    let resumed = if manifest.resumed.is_empty() { "" } else { ", resumed" };
    match stamp::seconds_between(&manifest.created, finished) {
        Some(seconds) => duration(seconds) + resumed,
        None => "–".to_owned(),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 60.0 => format!("{short:.1} s"),
        medium if medium < 3600.0 => {
            format!("{} min {:02.0} s", (medium / 60.0).floor(), (medium % 60.0).floor())
        }
        long => {
            format!("{} h {:02.0} min", (long / 3600.0).floor(), (long % 3600.0 / 60.0).floor())
        }
    }
}

/// Bytes in the unit in which they are a small number.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// One run.
#[must_use]
pub fn show(shown: &Shown) -> String {
    let (manifest, host) = (&shown.manifest, &shown.manifest.host);
    let mut rows = vec![
        ("run", shown.id.clone()),
        ("path", shown.path.display().to_string()),
        ("state", shown.state.clone()),
        ("begun", format!("{} UTC", stamp::for_people(&manifest.created))),
        ("took", took(manifest)),
        ("seed", manifest.seed.to_string()),
        ("settings digest", manifest.settings_digest.clone()),
        ("tetrad", manifest.tetrad_version.clone()),
    ];
    if let Some(source) = &manifest.source {
        let dirty = if source.dirty { " with changes" } else { "" };
        rows.push(("source", format!("{}{dirty}", source.revision)));
    }
    let memory = size(host.memory_bytes);
    rows.extend([
        ("machine", format!("{}, {} cores, {memory}", host.cpu, host.n_cores)),
        ("system", format!("{}, kernel {}, {}", host.os, host.kernel, host.arch)),
        ("size", format!("{}, {} events", size(shown.size_bytes), shown.n_events)),
        (
            "report",
            shown.report.as_ref().map_or("not rendered".into(), |path| path.display().to_string()),
        ),
    ]);
    for resumed in &manifest.resumed {
        rows.push(("resumed", format!("{} UTC", stamp::for_people(resumed))));
    }
    let mut text = pairs(rows.into_iter().map(|(name, value)| (name.to_owned(), value)), "");
    text.push_str("\nsettings\n");
    text.push_str(&below(&settings::from_toml(&manifest.settings)));
    text.push_str("\nsummary\n");
    match &shown.summary {
        Some(summary) => text.push_str(&below(summary)),
        None => text.push_str("  none yet\n"),
    }
    text
}

fn below(value: &Value) -> String {
    let lines = leaves(value).into_iter().map(|(path, leaf)| (path, leaf_text(&leaf)));
    let text = pairs(lines, "  ");
    if text.is_empty() { "  nothing\n".to_owned() } else { text }
}

/// What differs between two runs.
#[must_use]
pub fn compare(comparison: &Comparison) -> String {
    let mut text = format!("left   {}\nright  {}\n", comparison.left, comparison.right);
    section(&mut text, "settings", &comparison.settings);
    section(&mut text, "circumstances", &comparison.circumstances);
    if !comparison.rates.is_empty() {
        text.push_str("\nrates\n");
        let mut rows = Vec::new();
        for change in &comparison.rates {
            let p = change.p.map_or("no p: no data".to_owned(), |p| format!("p = {}", p_text(p)));
            rows.push(vec![
                format!("  {}", change.path),
                change.left.to_string(),
                "→".to_owned(),
                change.right.to_string(),
                p,
            ]);
        }
        text.push_str(&columns(&rows));
        text.push_str("  p: Fisher's exact test, two-sided, each rate on its own\n");
    }
    if !comparison.numbers.is_empty() {
        text.push_str("\nnumbers\n");
        let rows: Vec<Vec<String>> = comparison
            .numbers
            .iter()
            .map(|number| {
                let path = format!("  {}", number.path);
                let change = format!("({:+})", rounded(number.change));
                vec![path, number.left.to_string(), "→".into(), number.right.to_string(), change]
            })
            .collect();
        text.push_str(&columns(&rows));
    }
    section(&mut text, "other results", &comparison.others);
    let _ = writeln!(text, "\n{} values of the summaries are the same", comparison.n_same);
    text
}

/// Differences of decimal numbers without the noise of binary ones.
fn rounded(change: f64) -> f64 {
    (change * 1e9).round() / 1e9
}

fn p_text(p: f64) -> String {
    if p < 0.001 { "less than 0.001".to_owned() } else { format!("{p:.3}") }
}

fn section(text: &mut String, title: &str, differences: &[Difference]) {
    if differences.is_empty() {
        return;
    }
    let side = |value: &Option<Value>| {
        value.as_ref().map_or("–".to_owned(), |value| leaf_text(&Leaf::Value(value.clone())))
    };
    let _ = writeln!(text, "\n{title}");
    let rows: Vec<Vec<String>> = differences
        .iter()
        .map(|found| {
            vec![format!("  {}", found.path), side(&found.left), "→".into(), side(&found.right)]
        })
        .collect();
    text.push_str(&columns(&rows));
}

/// What became, or would become, of each run.
#[must_use]
pub fn prune(pruned: &[Pruned], dry_run: bool) -> String {
    let rows: Vec<Vec<String>> = pruned
        .iter()
        .map(|run| {
            let fate = match (run.deleted, dry_run) {
                (true, true) => "would go",
                (true, false) => "deleted",
                (false, _) => "kept",
            };
            vec![fate.to_owned(), run.id.clone(), size(run.size_bytes), run.reason.clone()]
        })
        .collect();
    let gone = || pruned.iter().filter(|run| run.deleted);
    let bytes = size(gone().map(|run| run.size_bytes).sum());
    let mut text = columns(&rows);
    let verb = if dry_run { "would be deleted" } else { "deleted" };
    let _ = writeln!(text, "{} of {} runs {verb}, {bytes}", gone().count(), pruned.len());
    if dry_run && gone().next().is_some() {
        text.push_str("nothing was deleted: `--yes` deletes\n");
    }
    text
}

fn leaf_text(leaf: &Leaf) -> String {
    let text = match leaf {
        Leaf::Rate(rate) => rate.to_string(),
        Leaf::Value(Value::String(text)) => text.clone(),
        Leaf::Value(value) => value.to_string(),
    };
    // One line each, and nothing that a terminal would obey: texts come from models and programs.
    let mut line: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(LONGEST_VALUE)
        .collect();
    if text.chars().count() > LONGEST_VALUE {
        line.push('…');
    }
    line
}

fn pairs(lines: impl Iterator<Item = (String, String)>, indent: &str) -> String {
    let rows: Vec<Vec<String>> =
        lines.map(|(name, value)| vec![format!("{indent}{name}"), value]).collect();
    columns(&rows)
}

/// Left-aligned columns, two spaces apart, nothing at the ends of lines.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |text: &String| text.chars().count();
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(width).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_small_numbers() {
        assert_eq!([0, 1023, 1024, 5 << 20].map(size), ["0 B", "1023 B", "1.0 KiB", "5.0 MiB"]);
        assert_eq!(
            [0.04, 59.94, 61.0, 7384.0].map(duration),
            ["0.0 s", "59.9 s", "1 min 01 s", "2 h 03 min"]
        );
    }

    #[test]
    fn values_are_one_line_and_say_when_they_are_cut() {
        let leaf = |text: &str| leaf_text(&Leaf::Value(text.into()));
        assert_eq!(leaf("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(leaf(&"x".repeat(200)).chars().count(), LONGEST_VALUE + 1);
    }
}

//! How the best came about: its ancestors as a tree, oldest at the top.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runs::html::escape;

use super::Gathered;
use crate::archive::AttemptId;

/// Ancestors drawn at most, the youngest.
const MOST: usize = 60;
const COLUMN: f64 = 132.0;
const ROW: f64 = 62.0;
const BOX: (f64, f64) = (116.0, 38.0);

/// A picture of the ancestors of `of`, each a link to its place on the page.
pub(super) fn lineage(gathered: &Gathered, of: AttemptId) -> String {
    let mut ancestors = gathered.ancestry(of);
    ancestors.truncate(MOST);
    // From the oldest: a child stands below its lowest parent.
    ancestors.reverse();
    let mut depth: BTreeMap<AttemptId, usize> = BTreeMap::new();
    let mut rows: Vec<Vec<AttemptId>> = Vec::new();
    for attempt in &ancestors {
        let below = attempt.parents.iter().filter_map(|id| depth.get(id)).max();
        let row = below.map_or(0, |row| row + 1);
        depth.insert(attempt.id, row);
        rows.resize(rows.len().max(row + 1), Vec::new());
        rows[row].push(attempt.id);
    }
    let widest = rows.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let width = (widest * COLUMN + 16.0).max(280.0);
    let height = rows.len() as f64 * ROW + 8.0;
    let mut place: BTreeMap<AttemptId, (f64, f64)> = BTreeMap::new();
    for (row, ids) in rows.iter().enumerate() {
        let left = (width - ids.len() as f64 * COLUMN) / 2.0;
        for (column, id) in ids.iter().enumerate() {
            let x = left + (column as f64 + 0.5) * COLUMN;
            place.insert(*id, (x, row as f64 * ROW + 6.0 + BOX.1 / 2.0));
        }
    }
    let title = format!("Ancestors of attempt {of}, the oldest at the top");
    let mut svg = format!(
        "<svg class=\"plot lineage\" xmlns=\"http://www.w3.org/2000/svg\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" style=\"max-width:{width:.0}px\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"inherit\" font-size=\"11.5\" fill=\"currentColor\">\
         <title>{title}</title>"
    );
    for attempt in &ancestors {
        let (x, y) = place[&attempt.id];
        for parent in attempt.parents.iter().filter_map(|id| place.get(id)) {
            let (from, to) = (parent.1 + BOX.1 / 2.0, y - BOX.1 / 2.0);
            let middle = f64::midpoint(from, to);
            let _ = write!(
                svg,
                "<path d=\"M{:.1} {from:.1}C{:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {to:.1}\" \
                 fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.35\"/>",
                parent.0, parent.0
            );
        }
    }
    for attempt in &ancestors {
        let (x, y) = place[&attempt.id];
        let member = gathered.knowledge.population().member(attempt.id);
        let ratio = member.map_or("–".to_owned(), |it| format!("{:.2}×", it.estimate.exp()));
        let color = if attempt.has_genotype { "--series-1" } else { "--series-2" };
        let weight = if attempt.id == of { 2.4 } else { 1.2 };
        let who = format!("{} by {}", attempt.operator.name(), attempt.proposer);
        let _ = write!(
            svg,
            "<a href=\"#a{id}\"><title>{tip}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" \
             width=\"{w}\" height=\"{h}\" rx=\"7\" fill=\"var({color}, #2468a8)\" \
             fill-opacity=\"0.12\" stroke=\"var({color}, #2468a8)\" stroke-width=\"{weight}\"/>\
             <text x=\"{x:.1}\" y=\"{y1:.1}\" text-anchor=\"middle\" font-weight=\"600\">\
             #{id}  {ratio}</text><text x=\"{x:.1}\" y=\"{y2:.1}\" text-anchor=\"middle\" \
             fill-opacity=\"0.7\">{name}, isle {island}</text></a>",
            id = attempt.id,
            tip = escape(&format!("attempt {}: {who}, {ratio}", attempt.id)),
            left = x - BOX.0 / 2.0,
            top = y - BOX.1 / 2.0,
            w = BOX.0,
            h = BOX.1,
            y1 = y - 3.0,
            y2 = y + 11.5,
            name = attempt.operator.name(),
            island = attempt.island,
        );
    }
    svg.push_str("</svg>");
    svg
}

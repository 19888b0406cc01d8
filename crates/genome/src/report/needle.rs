//! The page of needles in haystacks.

use runs::html::Cell;
use runs::plot::{Axes, Series, heat_table, lines};

use super::{Facts, page, signed};
use crate::mean::Mean;
use crate::needle::Recall;

/// Renders the page.
pub fn needle(recalls: &[Recall], facts: &Facts) -> String {
    let mut page = page("Needles in haystacks", lead(recalls), facts);
    page.section("Recall by length and depth").paragraph(
        "How much likelier, in nats a base, the rest of a needle of random bases is after its first \
         part, when it was read before, than when another needle stood in its place. Depth 0 is the \
         beginning of the sequence, 1 its end. Full recall of random bases would gain about ln 4 = 1.386.",
    );
    let mut lengths: Vec<usize> = recalls.iter().map(|one| one.length).collect();
    lengths.dedup();
    let mut depths: Vec<f64> = recalls.iter().map(|one| one.depth).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    let find = |length: usize, depth: f64| {
        recalls.iter().find(|one| one.length == length && one.depth == depth)
    };
    let rows: Vec<String> = lengths.iter().map(|length| format!("{length} bases")).collect();
    let columns: Vec<String> = depths.iter().map(|depth| format!("depth {depth:.2}")).collect();
    let values: Vec<Vec<Option<f64>>> = lengths
        .iter()
        .map(|length| {
            depths.iter().map(|depth| find(*length, *depth).map(|one| one.gain.mean)).collect()
        })
        .collect();
    let text = |value: f64| signed(&format!("{value:.3}"));
    let caption = "Mean gain in nats a base; n and intervals are in the table below.";
    page.raw(heat_table(caption, &rows, &columns, &values, text));
    if lengths.len() > 1 {
        let axes = Axes {
            x_logarithmic: true,
            ..Axes::new("Recall by length", "bases of the whole sequence", "gain, nats a base")
        };
        let series: Vec<Series> = depths
            .iter()
            .map(|depth| {
                let points = lengths
                    .iter()
                    .filter_map(|length| Some((*length as f64, find(*length, *depth)?.gain.mean)));
                Series::new(format!("depth {depth:.2}"), points)
            })
            .collect();
        page.figure(lines(&axes, &series), "Mean gain over haystacks.");
    }
    page.section("Every length and depth");
    page.table(
        ["length", "depth", "gain, nats a base", "n haystacks"],
        recalls.iter().map(|one| {
            vec![
                Cell::number(one.length),
                Cell::number(format!("{:.2}", one.depth)),
                Cell::number(signed(&one.gain.short())),
                Cell::number(one.gain.n),
            ]
        }),
    );
    page.footer(
        "Intervals are 95 % bootstrap intervals over haystacks; with fewer than about ten, read them as \
         a lower bound of the uncertainty. At depth 1 the needle stands right before its query.",
    );
    page.render()
}

fn lead(recalls: &[Recall]) -> String {
    let clear = |mean: &Mean| mean.interval.is_some_and(|interval| interval.low > 0.0);
    let n_clear = recalls.iter().filter(|one| clear(&one.gain)).count();
    let best = recalls.iter().max_by(|a, b| a.gain.mean.total_cmp(&b.gain.mean));
    match best {
        Some(best) => format!(
            "In {n_clear} of {} combinations of length and depth the needle is recalled, its interval \
             above zero; the most is gained in {} bases at depth {:.2}: {} nats a base.",
            recalls.len(),
            best.length,
            best.depth,
            signed(&best.gain.to_string())
        ),
        None => "Nothing was searched yet.".to_owned(),
    }
}

//! The page of needles in haystacks.

use std::fmt::Write as _;

use runs::html::Cell;
use runs::plot::{Axes, Series, lines};

use super::{Facts, page, signed};
use crate::mean::digits;
use crate::needle::Recall;

/// Of fewer haystacks nothing is said: the bootstrap is too sure of them.
const FEWEST: usize = 10;

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
    page.raw(heat(&lengths, &depths, &find));
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

/// Lengths by depths, shaded from nothing to full recall: a scale of its own data would make noise look
/// like something.
fn heat<'a>(
    lengths: &[usize],
    depths: &[f64],
    find: &dyn Fn(usize, f64) -> Option<&'a Recall>,
) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"heat\"><caption>Mean gain in nats a base, shaded from 0 \
         to 1.386; n and intervals are in the table below.</caption><thead><tr>\
         <td class=\"corner\"></td>",
    );
    for depth in depths {
        let _ = write!(html, "<th scope=\"col\">depth {depth:.2}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for length in lengths {
        let _ = write!(html, "<tr><th scope=\"row\">{length} bases</th>");
        for depth in depths {
            let _ = match find(*length, *depth).map(|one| one.gain.mean) {
                Some(gain) => {
                    let shade = (gain / 4.0_f64.ln()).clamp(0.0, 1.0);
                    let text = signed(&digits(gain));
                    write!(html, "<td style=\"--t:{shade:.3}\">{text}</td>")
                }
                None => write!(html, "<td class=\"blank\">–</td>"),
            };
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn lead(recalls: &[Recall]) -> String {
    let Some(best) = recalls.iter().max_by(|a, b| a.gain.mean.total_cmp(&b.gain.mean)) else {
        return "Nothing was searched yet.".to_owned();
    };
    let most = format!(
        "The most is gained in {} bases at depth {:.2}: {} nats a base, n = {} haystacks.",
        best.length,
        best.depth,
        signed(&best.gain.short()),
        best.gain.n
    );
    if recalls.iter().any(|one| one.gain.n < FEWEST) {
        return format!("Fewer than {FEWEST} haystacks of some length: too few to say. {most}");
    }
    let clear = |one: &&Recall| one.gain.interval.is_some_and(|interval| interval.low > 0.0);
    let n_clear = recalls.iter().filter(clear).count();
    format!(
        "In {n_clear} of {} combinations of length and depth the interval of the gain lies above zero; \
         about one in forty would by chance. {most}",
        recalls.len()
    )
}

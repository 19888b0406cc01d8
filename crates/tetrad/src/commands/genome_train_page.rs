//! The page of a training run.

use genome::corpus::{Index, Split};
use genome::train::{Recipe, Row, Run};
use runs::html::{Cell, Page};
use runs::plot::{self, Axes, Series};

/// Points that a line is thinned to.
const POINTS: usize = 400;

/// A page of its own, with plots.
pub(crate) fn render(recipe: &Recipe, corpus: &Index, run: &Run) -> String {
    let model = &recipe.train.model;
    let mut steps = Vec::new();
    let (mut looks, mut chains) = (Vec::new(), Vec::new());
    let mut tokens = 0;
    let mut secs = 0.0;
    for row in &run.rows {
        match row {
            Row::Step { stepped, secs: took } => {
                tokens += stepped.tokens;
                secs += took;
                steps.push((tokens as f64 / 1e6, stepped.bits_per_base));
            }
            Row::Validation { bits_per_base, within, n, .. } => {
                looks.push((tokens as f64 / 1e6, *bits_per_base, *within, *n));
            }
            Row::Markov { order, bits_per_base, .. } => chains.push((*order, *bits_per_base)),
        }
    }
    let mut page = Page::new(format!("Training {}", model.model_name));
    page.kicker("tetrad genome train");
    if let Some((_, bits, within, n)) = looks.last() {
        page.lead(format!(
            "{bits:.4} ± {within:.4} bits a base on {n} validation windows after {:.1} million bases.",
            tokens as f64 / 1e6
        ));
    }
    page.fact("parameters", Cell::number(model.n_parameters()));
    page.fact("steps", Cell::number(steps.len()));
    page.fact("seed", Cell::number(recipe.train.seed));
    page.fact("bases a second", Cell::number(format!("{:.0}", tokens as f64 / secs.max(1e-9))));
    page.section("Loss");
    let end = tokens as f64 / 1e6;
    let mut series = vec![
        Series::new("training, mean of steps", thinned(&steps)),
        Series::new("validation", looks.iter().map(|(at, bits, ..)| (*at, *bits))),
    ];
    for (order, bits) in &chains {
        series.push(Series::new(format!("order-{order} chain"), [(0.0, *bits), (end, *bits)]));
    }
    // The first steps go from nine bits to two: what matters lies below.
    for series in &mut series {
        series.points.retain(|(_, bits)| *bits < 2.1);
    }
    let axes = Axes::new("Loss against bases read", "million bases", "bits a base (below 2.1)");
    page.figure(
        plot::lines(&axes, &series),
        "Uniform guessing over A, C, G and T costs 2 bits. Chains are trained on the same split.",
    );
    page.section("Validation");
    let rows = looks.iter().map(|(at, bits, within, n)| {
        [
            Cell::number(format!("{at:.2}")),
            Cell::number(format!("{bits:.4}")),
            Cell::number(format!("{within:.4}")),
            Cell::number(n),
        ]
        .to_vec()
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    page.table(["million bases", "bits a base", "± 1.96 standard errors", "windows"], rows);
    page.section("Corpus");
    let species = corpus.species.iter().enumerate().map(|(idx, species)| {
        let of_it = corpus.sequences.iter().filter(|sequence| sequence.species == idx);
        let n_bases: usize = of_it.map(|sequence| sequence.n_bases).sum();
        let used = match species.split {
            Split::Train => "trained on",
            Split::Valid => "watched",
            Split::Test => "held out",
        };
        vec![Cell::text(&species.name), Cell::text(used), Cell::number(n_bases)]
    });
    let species: Vec<Vec<Cell>> = species.collect();
    page.table(["species", "used", "bases"], species);
    page.section("Recipe");
    page.code(serde_json::to_string_pretty(recipe).expect("plain data"));
    page.render()
}

/// Means of neighbours, so that a line of thousands of steps can be seen.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
        (sum.0 / n, sum.1 / n)
    };
    points.chunks(size).map(mean).collect()
}

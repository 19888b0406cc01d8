//! `tetrad genome baselines`: what a model has to beat on species that it has not seen.

use genome::corpus::{Corpus, Place, Split, Window};
use genome::markov::{MOST_ORDER, Markov};
use indicatif::ProgressBar;
use runs::stats::bootstrap;
use serde::Serialize;

use super::genome::interrupted;
use crate::args::genome::Baselines;
use crate::exit::{Status, usage};
use crate::output::Output;

/// Draws behind an interval.
const RESAMPLES: usize = 2000;

/// Windows of the validation split by which strengths are chosen.
const TUNING_WINDOWS: usize = 500;

/// How orders are mixed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Smoothing {
    /// By the number of different bases after a context.
    WittenBell,
    /// As is best on the validation split.
    Tuned,
}

impl Smoothing {
    fn name(self) -> &'static str {
        match self {
            Self::WittenBell => "witten-bell",
            Self::Tuned => "tuned",
        }
    }
}

/// One species by one order.
#[derive(Debug, Serialize)]
struct Row {
    split: Split,
    species: String,
    order: usize,
    smoothing: Smoothing,
    bits_per_base: f64,
    /// 95 %, bootstrap over windows.
    low: Option<f64>,
    high: Option<f64>,
    n_bases: usize,
    n_windows: usize,
    seed: u64,
}

const HEADER: &str =
    "split\tspecies\torder\tsmoothing\tbits_per_base\tlow\thigh\tn_bases\tn_windows\tseed";

pub(crate) fn run(flags: &Baselines, output: &Output) -> anyhow::Result<Status> {
    let most = flags.orders.iter().copied().max().unwrap_or(0);
    if most > MOST_ORDER {
        let hint = "an order takes four times the memory of the one below it";
        return Err(usage(format!("order {most} is above {MOST_ORDER}"), hint));
    }
    if flags.length == 0 || flags.windows == 0 {
        return Err(usage("no window of any base", "the defaults are 1024 bases, 1000 windows"));
    }
    let corpus = Corpus::open(&flags.corpus)?;
    let stop = interrupted();
    let train: Vec<usize> = corpus.sequences_in(Split::Train).collect();
    if train.is_empty() {
        return Err(usage(
            "this corpus has no species to train on",
            "`tetrad genome data` makes one",
        ));
    }
    let bar = if output.interactive() {
        ProgressBar::new(train.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    let going_on = |_: &usize| !stop.load(std::sync::atomic::Ordering::Relaxed);
    let sequences = train.into_iter().take_while(going_on).map(|idx| {
        bar.inc(1);
        corpus.sequence(idx)
    });
    let mut markov = Markov::train(most, sequences);
    bar.finish_and_clear();
    if !going_on(&0) {
        return Ok(Status::Interrupted);
    }
    let mut rows = measure(&markov, &corpus, flags, Smoothing::WittenBell);
    let tuning = corpus.evaluation_windows(Split::Valid, flags.length, TUNING_WINDOWS, flags.seed);
    if tuning.is_empty() {
        output.note("no validation split: strengths are not tuned");
    } else {
        markov.tune(tuning.iter().map(bases));
        rows.extend(measure(&markov, &corpus, flags, Smoothing::Tuned));
    }
    output.answer("tetrad.genome.baselines", &rows, || text(&rows))?;
    Ok(Status::Ok)
}

fn measure(markov: &Markov, corpus: &Corpus, flags: &Baselines, smoothing: Smoothing) -> Vec<Row> {
    let mut rows = Vec::new();
    for split in [Split::Valid, Split::Test] {
        for (idx, species) in corpus.index().species.iter().enumerate() {
            if species.split != split {
                continue;
            }
            let windows = corpus.species_windows(idx, flags.length, flags.windows, flags.seed);
            for order in &flags.orders {
                rows.extend(row(markov, corpus, (*order, smoothing), &windows, flags.seed));
            }
        }
    }
    rows
}

fn bases(window: &Window) -> Vec<u8> {
    window.tokens.iter().map(|token| u8::try_from(*token).unwrap_or(0)).collect()
}

/// `None` without windows.
fn row(
    markov: &Markov,
    corpus: &Corpus,
    (order, smoothing): (usize, Smoothing),
    windows: &[Window],
    seed: u64,
) -> Option<Row> {
    let Place { sequence, .. } = windows.first()?.place;
    let species = corpus.species_of(sequence);
    let mut per_window = Vec::with_capacity(windows.len());
    let (mut total, mut n_bases) = (0.0, 0);
    for window in windows {
        let found = markov.log_likelihoods(order, &bases(window));
        // The first base is read, not predicted; what is no base counts for nothing.
        let counted = window.weights.iter().zip(&found[1..]).filter(|(weight, _)| **weight > 0.0);
        let (sum, n) = counted.fold((0.0, 0), |(sum, n), (_, one)| (sum + f64::from(*one), n + 1));
        per_window.push(-sum / f64::from(n.max(1)) / std::f64::consts::LN_2);
        total -= sum;
        n_bases += usize::try_from(n).unwrap_or(0);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    // One window has no spread to draw from.
    let interval = (windows.len() > 1).then(|| bootstrap(&per_window, mean, RESAMPLES, seed));
    let interval = interval.flatten();
    Some(Row {
        split: species.split,
        species: species.name.clone(),
        order,
        smoothing,
        bits_per_base: total / n_bases as f64 / std::f64::consts::LN_2,
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        n_bases,
        n_windows: windows.len(),
        seed,
    })
}

fn text(rows: &[Row]) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let mut text = format!("{HEADER}\n");
    for row in rows {
        let Row {
            split,
            species,
            order,
            smoothing,
            bits_per_base,
            low,
            high,
            n_bases,
            n_windows,
            seed,
        } = row;
        text += &format!(
            "{}\t{species}\t{order}\t{}\t{bits_per_base:.4}\t{}\t{}\t{n_bases}\t{n_windows}\t{seed}\n",
            split.name(),
            smoothing.name(),
            number(*low),
            number(*high)
        );
    }
    text
}

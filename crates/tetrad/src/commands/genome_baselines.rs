//! `tetrad genome baselines`: what a model has to beat on species that it has not seen, and whether it
//! does.

use genome::corpus::{Corpus, Place, Split, Window};
use genome::markov::{MOST_ORDER, Markov};
use genome::model::Token;
use genome::score::score;
use indicatif::ProgressBar;
use runs::stats::bootstrap;
use serde::Serialize;

use super::genome::interrupted;
use crate::args::genome::Baselines;
use crate::exit::{Status, usage};
use crate::output::Output;

/// Draws behind an interval.
const RESAMPLES: usize = 2000;

/// Windows that a model reads side by side.
const MODEL_WINDOWS: usize = 16;

/// Windows of the validation split by which strengths are chosen.
const TUNING_WINDOWS: usize = 500;

/// What predicts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    /// A Markov chain whose orders are mixed by the number of different bases after a context.
    WittenBell,
    /// A Markov chain whose orders are mixed as is best on the validation split.
    Tuned,
    /// The model.
    Model,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::WittenBell => "witten-bell",
            Self::Tuned => "tuned",
            Self::Model => "model",
        }
    }
}

/// One species by one order.
#[derive(Debug, Serialize)]
struct Row {
    split: Split,
    species: String,
    /// Of a chain.
    order: Option<usize>,
    by: By,
    bits_per_base: f64,
    /// 95 %, bootstrap over windows.
    low: Option<f64>,
    high: Option<f64>,
    n_bases: usize,
    n_windows: usize,
    seed: u64,
}

const HEADER: &str =
    "split\tspecies\torder\tby\tbits_per_base\tlow\thigh\tn_bases\tn_windows\tseed";

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
    let chains = |markov: &Markov, by: By| {
        let mut rows = Vec::new();
        for order in &flags.orders {
            rows.extend(measure(&corpus, flags, (Some(*order), by), &|windows| {
                let each = windows.iter().map(bases);
                each.map(|bases| markov.log_likelihoods(*order, &bases)[1..].to_vec()).collect()
            }));
        }
        rows
    };
    let mut rows = chains(&markov, By::WittenBell);
    let tuning = corpus.evaluation_windows(Split::Valid, flags.length, TUNING_WINDOWS, flags.seed);
    if tuning.is_empty() {
        output.note("no validation split: strengths are not tuned");
    } else {
        markov.tune(tuning.iter().map(bases));
        rows.extend(chains(&markov, By::Tuned));
    }
    if let Some(name) = &flags.model {
        let precision = flags.precision.into();
        let model = genome::load::model(name, flags.config.as_deref(), precision)?;
        rows.extend(measure(&corpus, flags, (None, By::Model), &|windows| {
            let all: Vec<&[Token]> = windows.iter().map(|w| w.tokens.as_slice()).collect();
            let batches = all.chunks(MODEL_WINDOWS).flat_map(|batch| score(&model, batch));
            batches.map(|score| score.log_likelihoods).collect()
        }));
    }
    // A species' rows together, chains before the model.
    rows.sort_by_key(|row| (row.split, row.species.clone()));
    output.answer("tetrad.genome.baselines", &rows, || text(&rows))?;
    Ok(Status::Ok)
}

/// Log-likelihoods of all but the first base of each window, nats.
type Predict<'a> = &'a dyn Fn(&[Window]) -> Vec<Vec<f32>>;

fn measure(
    corpus: &Corpus,
    flags: &Baselines,
    what: (Option<usize>, By),
    predict: Predict<'_>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for split in [Split::Valid, Split::Test] {
        for (idx, species) in corpus.index().species.iter().enumerate() {
            if species.split == split {
                let windows = corpus.species_windows(idx, flags.length, flags.windows, flags.seed);
                rows.extend(row(corpus, what, &windows, predict, flags.seed));
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
    corpus: &Corpus,
    (order, by): (Option<usize>, By),
    windows: &[Window],
    predict: Predict<'_>,
    seed: u64,
) -> Option<Row> {
    let Place { sequence, .. } = windows.first()?.place;
    let species = corpus.species_of(sequence);
    let mut per_window = Vec::with_capacity(windows.len());
    let (mut total, mut n_bases) = (0.0, 0);
    for (window, found) in windows.iter().zip(predict(windows)) {
        // What is no base counts for nothing.
        let counted = window.weights.iter().zip(&found).filter(|(weight, _)| **weight > 0.0);
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
        by,
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
        let Row { split, species, order, by, bits_per_base, low, high, n_bases, n_windows, seed } =
            row;
        text += &format!(
            "{}\t{species}\t{}\t{}\t{bits_per_base:.4}\t{}\t{}\t{n_bases}\t{n_windows}\t{seed}\n",
            split.name(),
            order.map_or("-".to_owned(), |order| order.to_string()),
            by.name(),
            number(*low),
            number(*high)
        );
    }
    text
}

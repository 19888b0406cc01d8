//! A training run in a folder: it goes on where it stopped.
//!
//! `checkpoint.safetensors` holds what the next step depends on, `log.jsonl` a row for each step and
//! each look at validation windows, `model.safetensors` the model as of the checkpoint, `run.json` what
//! the run depends on, so that no other one goes on from it. Rows after the checkpoint are dropped when
//! a run goes on: their steps are taken again, to the same bits.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nn::weights::File;
use serde::{Deserialize, Serialize};

use super::{Recipe, Stepped, Trainer, bits_per_base, write_model};
use crate::corpus::{Corpus, Sampler, Split, Window};
use crate::error::Error;
use crate::markov::Markov;

/// Orders of the Markov chains that a model is held to.
const ORDERS: [usize; 4] = [2, 5, 8, 11];

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// One row of the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Row {
    /// A step.
    Step {
        /// What it did.
        #[serde(flatten)]
        stepped: Stepped,
        /// Time it took.
        secs: f64,
    },
    /// A look at validation windows.
    Validation {
        /// Steps taken before.
        step: u64,
        /// Mean over windows, bits a base.
        bits_per_base: f64,
        /// 1.96 standard errors of it, over windows.
        within: f64,
        /// Windows.
        n: usize,
    },
    /// What a Markov chain, trained on the same split, gives on the same windows.
    Markov {
        /// Its order.
        order: usize,
        /// Mean over windows, bits a base.
        bits_per_base: f64,
        /// Windows.
        n: usize,
    },
}

impl Row {
    /// The step it belongs to.
    fn step(&self) -> u64 {
        match self {
            Row::Step { stepped, .. } => stepped.step,
            Row::Validation { step, .. } => *step,
            Row::Markov { .. } => 0,
        }
    }
}

/// What a caller is told.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// It goes on from a step.
    Resumed(u64),
    /// A row was written.
    Row(&'a Row),
}

/// A run and what came of it.
#[derive(Debug)]
pub struct Run {
    /// All rows.
    pub rows: Vec<Row>,
    /// Whether the last step was taken.
    pub finished: bool,
}

/// Files of a run.
struct Folder(PathBuf);

impl Folder {
    fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// Says what the run depends on, or holds it to what was said before.
    fn begin(&self, recipe: &Recipe, corpus: &Corpus, from: Option<&File>) -> Result<(), Error> {
        let path = self.0.join("run.json");
        let said = serde_json::json!({
            "recipe": recipe,
            "corpus": corpus.index().digest,
            "from": from.map(|file| file.path().to_string_lossy()),
        });
        let text = serde_json::to_string_pretty(&said).expect("plain data");
        match std::fs::read_to_string(&path) {
            Ok(before) if before == text => Ok(()),
            Ok(_) if self.checkpoint().exists() => Err(Error::OtherRun { path: self.checkpoint() }),
            _ => std::fs::write(&path, text).map_err(|source| Error::File {
                action: "write run",
                path,
                source,
            }),
        }
    }

    /// Rows up to a step; a torn last line is none.
    fn rows(&self, until: u64) -> Vec<Row> {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let rows = text.lines().map_while(|line| serde_json::from_str(line).ok());
        rows.filter(|row: &Row| row.step() <= until).collect()
    }
}

/// Appends rows to the log.
struct Log {
    path: PathBuf,
    file: std::fs::File,
    rows: Vec<Row>,
}

impl Log {
    /// Begins the log anew with some rows.
    fn create(path: PathBuf, rows: Vec<Row>) -> Result<Log, Error> {
        let failed = |source| Error::File { action: "write log", path: path.clone(), source };
        let file = std::fs::File::create(&path).map_err(failed)?;
        let mut log = Log { path, file, rows: Vec::new() };
        for row in rows {
            log.add(row)?;
        }
        Ok(log)
    }

    fn add(&mut self, row: Row) -> Result<&Row, Error> {
        let line = serde_json::to_string(&row).expect("plain data") + "\n";
        let failed = |source| Error::File { action: "write log", path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)?;
        self.rows.push(row);
        Ok(self.rows.last().expect("just added"))
    }
}

/// Trains until the last step, or until `stop` rises. `from` are weights to begin with instead of
/// drawn ones.
///
/// # Errors
/// If the folder holds another run or cannot be written, the corpus lacks a split, or training gives
/// no numbers; what was reached stays.
pub fn run(
    recipe: &Recipe,
    corpus: &Arc<Corpus>,
    from: Option<&File>,
    folder: &Path,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<Run, Error> {
    let folder = Folder(folder.to_owned());
    std::fs::create_dir_all(&folder.0).map_err(|source| Error::File {
        action: "write run",
        path: folder.0.clone(),
        source,
    })?;
    folder.begin(recipe, corpus, from)?;
    let Recipe { train, validation, .. } = recipe;
    let (mut trainer, rows) = if folder.checkpoint().exists() {
        let trainer = Trainer::resume(train.clone(), &folder.checkpoint())?;
        tell(Progress::Resumed(trainer.step()));
        let rows = folder.rows(trainer.step());
        (trainer, rows)
    } else {
        let mut trainer = Trainer::new(train.clone())?;
        if let Some(file) = from {
            trainer.start_from(file)?;
        }
        (trainer, Vec::new())
    };
    let mut log = Log::create(folder.log(), rows)?;
    let watched = corpus.evaluation_windows(
        Split::Valid,
        validation.length,
        validation.windows,
        validation.seed,
    );
    if log.rows.is_empty() && !watched.is_empty() {
        for row in markov_rows(corpus, &watched) {
            tell(Progress::Row(log.add(row)?));
        }
    }
    let mut saved = Instant::now();
    let mut sampler: Option<Sampler> = None;
    let n_steps = train.n_steps();
    while trainer.step() < n_steps && !stop.load(Ordering::Relaxed) {
        let stage = train.stage(trainer.step());
        let sampling = recipe.sampling(stage);
        if sampler.as_ref().is_none_or(|sampler| *sampler.sampling() != sampling) {
            sampler = Some(Sampler::try_new(Arc::clone(corpus), sampling)?);
        }
        let sampler = sampler.as_ref().expect("just made");
        let windows: Vec<Window> =
            (0..stage.batch as u64).map(|idx| sampler.window(trainer.step(), idx)).collect();
        let begun = Instant::now();
        let stepped = trainer.learn(&windows)?;
        let row = Row::Step { stepped, secs: begun.elapsed().as_secs_f64() };
        tell(Progress::Row(log.add(row)?));
        let last = trainer.step() == n_steps;
        if !watched.is_empty() && (trainer.step().is_multiple_of(validation.every) || last) {
            let row = validation_row(&trainer, &watched);
            tell(Progress::Row(log.add(row)?));
        }
        if saved.elapsed() > CHECKPOINT_EVERY || last {
            save(&trainer, &folder)?;
            saved = Instant::now();
        }
    }
    if trainer.step() < n_steps {
        save(&trainer, &folder)?;
    }
    Ok(Run { finished: trainer.step() >= n_steps, rows: log.rows })
}

fn save(trainer: &Trainer, folder: &Folder) -> Result<(), Error> {
    trainer.save(&folder.checkpoint())?;
    write_model(&folder.model(), &trainer.model(), &trainer.trained(), true)
}

fn validation_row(trainer: &Trainer, windows: &[Window]) -> Row {
    let each: Vec<f64> = trainer.evaluate(windows).into_iter().map(bits_per_base).collect();
    let n = each.len() as f64;
    let mean = each.iter().sum::<f64>() / n;
    let variance = each.iter().map(|bits| (bits - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let within = 1.96 * (variance / n).sqrt();
    Row::Validation { step: trainer.step(), bits_per_base: mean, within, n: each.len() }
}

/// Each window is read from its beginning, by a chain as by a model.
fn markov_rows(corpus: &Corpus, windows: &[Window]) -> Vec<Row> {
    let most = ORDERS.into_iter().max().unwrap_or_default();
    let sequences = corpus.sequences_in(Split::Train).map(|idx| corpus.sequence(idx));
    let mut markov = Markov::train(most, sequences);
    let bytes = |window: &Window| -> Vec<u8> {
        window.tokens.iter().map(|token| u8::try_from(*token).unwrap_or(b'N')).collect()
    };
    let windows: Vec<(Vec<u8>, &Window)> = windows.iter().map(|w| (bytes(w), w)).collect();
    // Mixed as is best for these very windows: a bar that errs to their side.
    markov.tune(windows.iter().map(|(bytes, _)| bytes));
    let of_order = |order: usize| {
        let bits = |(bytes, window): &(Vec<u8>, &Window)| {
            let each = markov.log_likelihoods(order, bytes);
            let weighted = each[1..].iter().zip(&window.weights);
            let nats: f64 = weighted.map(|(nats, w)| f64::from(*nats) * f64::from(*w)).sum();
            let weight: f64 = window.weights.iter().map(|w| f64::from(*w)).sum();
            -nats / weight / std::f64::consts::LN_2
        };
        let n = windows.len();
        let bits_per_base = windows.iter().map(bits).sum::<f64>() / n as f64;
        Row::Markov { order, bits_per_base, n }
    };
    ORDERS.into_iter().map(of_order).collect()
}

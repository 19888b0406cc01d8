//! `tetrad genome train`.

use std::sync::Arc;

use genome::corpus::Corpus;
use genome::train::{Progress, Recipe, Row, Run};
use indicatif::{ProgressBar, ProgressStyle};
use nn::weights::File;
use serde::Serialize;

use super::genome::interrupted;
use crate::args::genome::Train;
use crate::exit::Status;
use crate::output::Output;

/// Where a run stands.
#[derive(Debug, Serialize)]
struct Answer {
    finished: bool,
    steps: u64,
    tokens: u64,
    seed: u64,
    n_parameters: usize,
    /// Last look at validation windows, bits a base, with 1.96 standard errors, and windows.
    validation: Option<(f64, f64, usize)>,
    /// Markov chains on the same windows: order, bits a base.
    markov: Vec<(usize, f64)>,
}

pub(crate) fn run(flags: &Train, output: &Output) -> anyhow::Result<Status> {
    match flags.threads {
        Some(n) => nn::threads::with_count(n, || train(flags, output)),
        None => train(flags, output),
    }
}

fn train(flags: &Train, output: &Output) -> anyhow::Result<Status> {
    let recipe = recipe(flags)?;
    let corpus = Arc::new(Corpus::open(&flags.corpus)?);
    let from = flags.from.as_deref().map(File::open).transpose()?;
    let n_parameters = recipe.train.model.n_parameters();
    output.note(&format!(
        "training {} ({n_parameters} parameters), {} steps, seed {}",
        recipe.train.model.model_name,
        recipe.train.n_steps(),
        recipe.train.seed,
    ));
    let bar = bar(&recipe, output);
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Resumed(step) => {
            bar.set_position(step);
            output.note(&format!("going on after step {step}"));
        }
        Progress::Row(Row::Step { stepped, .. }) => {
            bar.set_position(stepped.step);
            bar.set_message(format!("{:.3} bits a base", stepped.bits_per_base));
        }
        Progress::Row(row) => bar.suspend(|| output.note(&line(row))),
    };
    let stop = interrupted();
    let run = genome::train::run(&recipe, &corpus, from.as_ref(), &flags.to, &stop, &mut tell)?;
    bar.finish_and_clear();
    let page = flags.to.join("report.html");
    let html = super::genome_train_page::render(&recipe, corpus.index(), &run);
    runs::write_atomic(&page, html.as_bytes())?;
    output.note(&format!("wrote {} and {}", flags.to.display(), page.display()));
    let answer = answer(&recipe, &run);
    output.answer("tetrad.genome.train", &answer, || text(&answer))?;
    Ok(if run.finished { Status::Ok } else { Status::Interrupted })
}

/// The recipe with what flags change in it.
fn recipe(flags: &Train) -> anyhow::Result<Recipe> {
    let mut recipe = match &flags.recipe {
        Some(path) => Recipe::load(path)?,
        None => Recipe::small(),
    };
    let train = &mut recipe.train;
    if let (Some(steps), Some(first)) = (flags.steps, train.stages.first().map(|s| s.steps)) {
        for stage in &mut train.stages {
            stage.steps = (stage.steps * steps).div_ceil(first.max(1));
        }
    }
    if let Some(seed) = flags.seed {
        train.seed = seed;
    }
    if flags.transformer {
        train.model = train.model.as_transformer();
    }
    Ok(recipe)
}

fn bar(recipe: &Recipe, output: &Output) -> ProgressBar {
    if !output.interactive() {
        return ProgressBar::hidden();
    }
    let template = "{bar:30} {pos}/{len} steps, {msg}, {elapsed}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(recipe.train.n_steps()).with_style(style)
}

/// What is said of a row that is no step.
fn line(row: &Row) -> String {
    match row {
        Row::Step { stepped, secs } => {
            format!("step {}: {:.4} bits a base, {secs:.2} s", stepped.step, stepped.bits_per_base)
        }
        Row::Validation { step, bits_per_base, within, n } => {
            format!("step {step}: validation {bits_per_base:.4} ± {within:.4} bits a base (n {n})")
        }
        Row::Markov { order, bits_per_base, n } => {
            format!("order-{order} Markov chain: validation {bits_per_base:.4} bits a base (n {n})")
        }
    }
}

fn answer(recipe: &Recipe, run: &Run) -> Answer {
    let mut answer = Answer {
        finished: run.finished,
        steps: 0,
        tokens: 0,
        seed: recipe.train.seed,
        n_parameters: recipe.train.model.n_parameters(),
        validation: None,
        markov: Vec::new(),
    };
    for row in &run.rows {
        match row {
            Row::Step { stepped, .. } => {
                answer.steps = stepped.step;
                answer.tokens += stepped.tokens;
            }
            Row::Validation { bits_per_base, within, n, .. } => {
                answer.validation = Some((*bits_per_base, *within, *n));
            }
            Row::Markov { order, bits_per_base, .. } => {
                answer.markov.push((*order, *bits_per_base));
            }
        }
    }
    answer
}

fn text(answer: &Answer) -> String {
    let Answer { finished, steps, tokens, seed, n_parameters, .. } = answer;
    let state = if *finished { "finished" } else { "interrupted" };
    let mut text = format!(
        "{state} after {steps} steps, {tokens} bases, {n_parameters} parameters, seed {seed}\n"
    );
    if let Some((bits, within, n)) = answer.validation {
        text += &format!("validation: {bits:.4} ± {within:.4} bits a base (n {n} windows)\n");
    }
    for (order, bits) in &answer.markov {
        text += &format!("order-{order} Markov chain: {bits:.4} bits a base on the same windows\n");
    }
    text
}

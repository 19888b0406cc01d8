//! `tetrad genome data`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use genome::corpus::{
    Corpus, List, Overlap, Programs, Sequence, Source, Split, WORD_BASES, Watch, build,
};
use indicatif::ProgressBar;
use serde::Serialize;

use super::genome::interrupted;
use crate::args::genome::{Data, OnError};
use crate::exit::{Status, usage};
use crate::output::Output;

/// Of one species.
#[derive(Debug, Serialize)]
struct Row {
    split: Split,
    species: String,
    n_sequences: usize,
    n_bases: usize,
    /// Share of bases in genes; none where no genes are known.
    genic: Option<f64>,
    /// Share of bases in lower case.
    lower: f64,
    /// Share of bases that are not A, C, G or T.
    other: f64,
    genes_from: Vec<Source>,
    /// Share of words of 31 bases that stand in the training split, and words looked at; none for a
    /// species to train on.
    words_in_train: Option<f64>,
    n_words: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Answer {
    digest: String,
    programs: std::collections::BTreeMap<String, String>,
    species: Vec<Row>,
}

pub(crate) fn run(flags: &Data, output: &Output) -> anyhow::Result<Status> {
    let list = match &flags.list {
        Some(path) => Some(List::load(path)?),
        None if flags.species.is_empty() => None,
        None => Some(
            List::from_flags(&flags.species, &flags.valid, &flags.test)
                .map_err(|reason| usage(reason, "`--species NAME=FILE`, `--test NAME`"))?,
        ),
    };
    let Some(list) = list else {
        show(&Corpus::open(&flags.corpus)?, output)?;
        return Ok(Status::Ok);
    };
    let programs = if flags.no_prediction { Programs::default() } else { Programs::find() };
    let unknown = list
        .species
        .iter()
        .flat_map(|species| &species.files)
        .any(|input| input.annotation.is_none());
    if unknown && !flags.no_prediction {
        warn_of_missing(&programs, output);
    }
    let bar = if output.interactive() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    bar.set_style(
        indicatif::ProgressStyle::with_template("{spinner} {human_pos} bases, {elapsed}")
            .expect("a valid template"),
    );
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let mut told =
        Told { output, bar, on_error: flags.on_error, stop: interrupted(), n_skipped: 0 };
    build(&list, &flags.corpus, &programs, &mut told)?;
    told.bar.finish_and_clear();
    show(&Corpus::open(&flags.corpus)?, output)?;
    Ok(if told.n_skipped > 0 { Status::Partial } else { Status::Ok })
}

fn warn_of_missing(programs: &Programs, output: &Output) {
    let missing: Vec<&str> = [("prodigal", &programs.prodigal), ("aragorn", &programs.aragorn)]
        .into_iter()
        .filter_map(|(name, version)| version.is_none().then_some(name))
        .collect();
    if !missing.is_empty() {
        output.note(&format!(
            "not installed: {}; where no annotation is given, {}",
            missing.join(" and "),
            if programs.prodigal.is_none() {
                "no coding sequences are known, and windows are drawn evenly"
            } else {
                "no tRNA genes are known"
            }
        ));
    }
}

/// Tells the user.
struct Told<'a> {
    output: &'a Output,
    bar: ProgressBar,
    on_error: OnError,
    stop: Arc<AtomicBool>,
    n_skipped: usize,
}

impl Watch for Told<'_> {
    fn note(&mut self, line: &str) {
        self.bar.suspend(|| self.output.note(line));
    }

    fn malformed(&mut self, error: genome::Error) -> Result<(), genome::Error> {
        if self.on_error == OnError::Stop {
            return Err(error);
        }
        self.note(&format!("skipped: {error}"));
        self.n_skipped += 1;
        Ok(())
    }

    fn advance(&mut self, n_bases: usize) {
        self.bar.inc(n_bases as u64);
    }

    fn stopped(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn show(corpus: &Corpus, output: &Output) -> anyhow::Result<()> {
    let index = corpus.index();
    let overlaps = corpus.overlaps();
    let mut species = Vec::new();
    for split in Split::ALL {
        for (idx, one) in index.species.iter().enumerate() {
            let own: Vec<&Sequence> =
                index.sequences.iter().filter(|sequence| sequence.species == idx).collect();
            if one.split == split {
                species.push(row(split, &one.name, &own, overlaps[idx]));
            }
        }
    }
    let answer = Answer { digest: index.digest.clone(), programs: index.programs.clone(), species };
    output.answer("tetrad.genome.data", &answer, || table(&answer))
}

fn row(split: Split, name: &str, sequences: &[&Sequence], overlap: Option<Overlap>) -> Row {
    let sum = |of: fn(&Sequence) -> usize| -> usize {
        sequences.iter().map(|sequence| of(sequence)).sum()
    };
    let n_bases = sum(|sequence| sequence.n_bases);
    let share = |n: usize| n as f64 / n_bases.max(1) as f64;
    let mut genes_from: Vec<Source> = Vec::new();
    for sequence in sequences {
        if !genes_from.contains(&sequence.annotation) {
            genes_from.push(sequence.annotation);
        }
    }
    let is_known = genes_from.iter().any(|source| *source != Source::None);
    Row {
        split,
        species: name.to_owned(),
        n_sequences: sequences.len(),
        n_bases,
        genic: is_known.then(|| share(sum(|sequence| sequence.n_genic))),
        lower: share(sum(|sequence| sequence.n_lower)),
        other: share(sum(|sequence| sequence.n_other)),
        genes_from,
        words_in_train: overlap
            .filter(|overlap| overlap.n_words > 0)
            .map(|overlap| overlap.n_in_train as f64 / overlap.n_words as f64),
        n_words: overlap.map(|overlap| overlap.n_words),
    }
}

fn table(answer: &Answer) -> String {
    let width = answer.species.iter().map(|row| row.species.len()).max().unwrap_or(0).max(7);
    let mut text = format!(
        "split  {:width$} sequences       bases  in genes  lower case  not ACGT  in train*  genes from\n",
        "species"
    );
    let percent = |share: Option<f64>| {
        share.map_or("-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
    };
    for row in &answer.species {
        let from: Vec<String> =
            row.genes_from.iter().map(|source| format!("{source:?}").to_lowercase()).collect();
        text += &format!(
            "{:6} {:width$} {:>9} {:>11} {:>9} {:>11} {:>9} {:>10}  {}\n",
            row.split.name(),
            row.species,
            row.n_sequences,
            row.n_bases,
            percent(row.genic),
            percent(Some(row.lower)),
            percent(Some(row.other)),
            percent(row.words_in_train),
            from.join(", ")
        );
    }
    text += &format!(
        "* of its words of {WORD_BASES} bases, those that stand in the training split on either strand; \
         one word in 64 is looked at\n"
    );
    for split in Split::ALL {
        let own = answer.species.iter().filter(|row| row.split == split);
        let (n, n_bases) = own.fold((0, 0), |(n, sum), row| (n + 1, sum + row.n_bases));
        text += &format!("{}: {n} species, {n_bases} bases\n", split.name());
    }
    for (name, version) in &answer.programs {
        text += &format!("genes predicted with {name} {version}\n");
    }
    text
}

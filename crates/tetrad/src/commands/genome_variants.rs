//! `tetrad genome variants`.

use std::sync::atomic::Ordering;

use genome::columnar::{self, Column, Kind};
use genome::reference::Reference;
use genome::table::Table;
use genome::variants::{self, Effect, effects};
use genome::vcf;
use indicatif::ProgressBar;
use serde::Serialize;

use super::genome::{interrupted, load};
use crate::args::genome::{OnError, Variants, VariantsAs};
use crate::exit::{Status, usage};
use crate::output::Output;

/// One alternative allele.
#[derive(Debug, Serialize)]
struct Row {
    sequence: String,
    position: usize,
    reference: String,
    alternative: String,
    /// Nats, mean of both strands.
    delta_log_likelihood: f64,
    forward: f64,
    reverse: f64,
    n_bases: usize,
}

const COLUMNS: [Column; 8] = [
    ("sequence", Kind::Text),
    ("position", Kind::Whole),
    ("reference", Kind::Text),
    ("alternative", Kind::Text),
    ("delta_log_likelihood", Kind::Real),
    ("forward", Kind::Real),
    ("reverse", Kind::Real),
    ("n_bases", Kind::Whole),
];

const INFO: &str = "##INFO=<ID=TETRAD_DLL,Number=A,Type=Float,Description=\"Delta log-likelihood in \
                    nats, alternative less reference, mean of both strands\">";

pub(crate) fn run(flags: &Variants, output: &Output) -> anyhow::Result<Status> {
    if flags.window < 2 {
        return Err(usage("`--window` is below 2 bases", "the models were trained with 8192"));
    }
    let as_vcf = flags.r#as == VariantsAs::Vcf;
    if as_vcf && flags.to.as_deref().is_some_and(columnar::is_parquet) {
        return Err(usage("a VCF is no Parquet", "`--as tsv` gives rows, which can be Parquet"));
    }
    let mut reader = vcf::Reader::open(&flags.variants)?;
    let mut reference = Reference::open(&flags.reference)?;
    let model = load(&flags.model)?;
    let head = head(flags, reader.header());
    let mut table = flags.to.as_ref().map(|path| Table::open(path, &head)).transpose()?;
    let mut n_to_skip = table.as_ref().map_or(0, Table::n_kept);
    if n_to_skip > 0 {
        output.note(&format!("going on after {n_to_skip} rows that are done"));
    }
    if table.is_none() && output.is_text() {
        output.data(&head)?;
    }
    let stop = interrupted();
    let bar = if output.interactive() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let (mut n_skipped, mut answers) = (0, Vec::new());
    for record in reader.by_ref() {
        let fitting = record.and_then(|record| {
            let stretch = around(&mut reference, &record, flags)?;
            Ok((record, stretch))
        });
        let (record, (sequence, offset)) = match fitting {
            Ok(fitting) => fitting,
            Err(error @ genome::Error::Record { .. }) if flags.on_error == OnError::Skip => {
                output.note(&format!("skipped: {error}"));
                n_skipped += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let alleles: Vec<&[u8]> = record.alternatives.iter().flatten().map(Vec::as_slice).collect();
        let n_rows = if as_vcf { 1 } else { alleles.len() };
        if n_to_skip >= n_rows {
            n_to_skip -= n_rows;
            continue;
        }
        let found =
            effects(&model, &sequence, offset, record.reference.len(), &alleles, flags.window);
        let rows = rows(&record, &found);
        let lines = match flags.r#as {
            VariantsAs::Tsv => rows.iter().map(line).collect(),
            VariantsAs::Vcf => vec![annotated(&record, &found)],
        };
        // An interrupt may have come between two alleles.
        for line in lines.into_iter().skip(std::mem::take(&mut n_to_skip)) {
            match &mut table {
                Some(table) => table.row(&line)?,
                None if output.is_text() => output.data(&line)?,
                None => {}
            }
        }
        if let Some(table) = &mut table {
            table.flush()?;
        }
        if table.is_none() && !output.is_text() {
            answers.extend(rows);
        }
        bar.inc(alleles.len() as u64);
        if stop.load(Ordering::Relaxed) {
            return Ok(Status::Interrupted);
        }
    }
    bar.finish_and_clear();
    match table {
        Some(table) => {
            output.note(&format!("wrote {}", columnar::finish(table, &COLUMNS)?.display()));
        }
        None if !output.is_text() => {
            output.answer("tetrad.genome.variants", &answers, String::new)?;
        }
        None => {}
    }
    Ok(if n_skipped > 0 { Status::Partial } else { Status::Ok })
}

/// The lines before the rows, which say what they depend on.
fn head(flags: &Variants, header: &[String]) -> String {
    let settings = format!(
        "model {}, config {}, {:?}, window {}, reference {}, variants {}",
        flags.model.model,
        flags.model.config.as_deref().unwrap_or("its own"),
        flags.model.precision,
        flags.window,
        flags.reference.display(),
        flags.variants.display(),
    );
    match (flags.r#as, header.split_last()) {
        (VariantsAs::Vcf, Some((columns, meta))) => {
            let meta: String = meta.iter().map(|line| format!("{line}\n")).collect();
            let ours = format!("##tetrad_genome_variants=\"{settings}\"");
            format!("{meta}{INFO}\n{ours}\n{columns}\n")
        }
        _ => format!("# tetrad genome variants: {settings}\n{}\n", columnar::header(&COLUMNS)),
    }
}

/// What effects of a record depend on, and where in it the reference allele begins; an error of the
/// record if its allele does not stand there.
fn around(
    reference: &mut Reference,
    record: &vcf::Record,
    flags: &Variants,
) -> Result<(Vec<u8>, usize), genome::Error> {
    let (name, offset, n) = (&record.sequence, record.offset, record.reference.len());
    let unfit =
        |reason| genome::Error::Record { path: flags.variants.clone(), line: record.line, reason };
    let n_sequence =
        reference.n_bases(name).ok_or_else(|| unfit(format!("no `{name}` in the reference")))?;
    if offset.checked_add(n).is_none_or(|end| end > n_sequence) {
        return Err(unfit(format!(
            "`{name}` ends at {n_sequence}, before the end of `{}` at {}",
            shortened(&record.reference),
            offset + 1
        )));
    }
    let range = variants::around(offset, n, flags.window, n_sequence);
    let at = offset - range.start;
    let sequence = reference.read(name, range)?;
    let stands = &sequence[at..at + n];
    if stands != record.reference {
        return Err(unfit(format!(
            "the reference has `{}` at {name}:{}, not `{}`",
            shortened(stands),
            offset + 1,
            shortened(&record.reference)
        )));
    }
    Ok((sequence.into_owned(), at))
}

/// An allele for a message.
fn shortened(bases: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bases[..bases.len().min(20)]).into_owned();
    if bases.len() > 20 { format!("{text}…") } else { text }
}

fn rows(record: &vcf::Record, found: &[Effect]) -> Vec<Row> {
    let text = |bases: &[u8]| String::from_utf8_lossy(bases).into_owned();
    let alleles = record.alternatives.iter().flatten();
    let row = |(allele, effect): (&Vec<u8>, &Effect)| Row {
        sequence: record.sequence.clone(),
        position: record.offset + 1,
        reference: text(&record.reference),
        alternative: text(allele),
        delta_log_likelihood: effect.delta(),
        forward: effect.forward,
        reverse: effect.reverse,
        n_bases: effect.n_bases,
    };
    alleles.zip(found).map(row).collect()
}

fn line(row: &Row) -> String {
    let Row { sequence, position, reference, alternative, forward, reverse, n_bases, .. } = row;
    let delta = row.delta_log_likelihood;
    format!(
        "{sequence}\t{position}\t{reference}\t{alternative}\t{delta:.5}\t{forward:.5}\t{reverse:.5}\t{n_bases}"
    )
}

/// The line as it was, with one number per allele added to INFO.
fn annotated(record: &vcf::Record, found: &[Effect]) -> String {
    let mut found = found.iter();
    let number = |allele: &Option<Vec<u8>>| match allele {
        Some(_) => found.next().map_or(".".to_owned(), |effect| format!("{:.5}", effect.delta())),
        None => ".".to_owned(),
    };
    let numbers: Vec<String> = record.alternatives.iter().map(number).collect();
    let added = format!("TETRAD_DLL={}", numbers.join(","));
    let mut columns: Vec<String> = record.text.split('\t').map(str::to_owned).collect();
    if let Some(info) = columns.get_mut(7) {
        *info = if info == "." || info.is_empty() { added } else { format!("{info};{added}") };
    }
    columns.join("\t")
}

//! `tetrad genome score`.

use std::sync::atomic::Ordering;

use genome::columnar::{self, Column, Kind};
use genome::fasta::{Reader, Record, reverse_complement};
use genome::model::{StripedHyena, Token};
use genome::score::{self, tokens};
use genome::table::Table;
use indicatif::ProgressBar;
use serde::Serialize;

use super::genome::{interrupted, load};
#[cfg(feature = "cuda")]
use crate::args::genome::Model;
use crate::args::genome::{OnError, Precision, Score};
use crate::exit::{Status, unavailable, usage};
use crate::output::Output;

/// Sequences are scored together up to so many bases: enough to share the reading of weights.
const BATCH_BASES: usize = 4096;

/// Of one sequence.
#[derive(Debug, Serialize)]
struct Scored {
    name: String,
    n_bases: usize,
    /// Bases with something before them: all but the first, or all after a tag.
    n_scored: usize,
    strands: &'static str,
    /// Sum over scored bases, nats; of two strands the mean.
    log_likelihood: f64,
    mean: f64,
    bits_per_base: f64,
    #[serde(skip)]
    per_base: Vec<f32>,
}

const COLUMNS: [Column; 7] = [
    ("name", Kind::Text),
    ("n_bases", Kind::Whole),
    ("n_scored", Kind::Whole),
    ("strands", Kind::Text),
    ("log_likelihood", Kind::Real),
    ("mean", Kind::Real),
    ("bits_per_base", Kind::Real),
];

const PER_BASE_COLUMNS: [Column; 5] = [
    ("sequence", Kind::Text),
    ("start", Kind::Whole),
    ("end", Kind::Whole),
    ("base", Kind::Text),
    ("log_likelihood", Kind::Real),
];

impl Scored {
    fn row(&self) -> String {
        let Scored {
            name, n_bases, n_scored, strands, log_likelihood, mean, bits_per_base, ..
        } = self;
        format!(
            "{name}\t{n_bases}\t{n_scored}\t{strands}\t{log_likelihood:.4}\t{mean:.6}\t{bits_per_base:.6}"
        )
    }
}

/// Where rows go.
struct Rows<'a> {
    output: &'a Output,
    table: Option<Table>,
    per_base: Option<Table>,
    answers: Vec<Scored>,
    streaming: bool,
}

impl Rows<'_> {
    fn put(&mut self, scored: Scored, sequence: &[u8]) -> anyhow::Result<()> {
        if let Some(table) = &mut self.per_base {
            let first = sequence.len() - scored.per_base.len();
            for (at, value) in scored.per_base.iter().enumerate() {
                let at = first + at;
                let base = char::from(sequence[at].to_ascii_uppercase());
                table.row(&format!("{}\t{at}\t{}\t{base}\t{value:.5}", scored.name, at + 1))?;
            }
            table.flush()?;
        }
        match &mut self.table {
            Some(table) => {
                table.row(&scored.row())?;
                table.flush()?;
            }
            None if self.streaming => self.output.data(&scored.row())?,
            None => self.answers.push(scored),
        }
        Ok(())
    }
}

/// What scores.
enum Scorer {
    Cpu(StripedHyena),
    #[cfg(feature = "cuda")]
    Device(genome::model::OnDevice),
}

impl Scorer {
    fn load(flags: &Score) -> anyhow::Result<Scorer> {
        if flags.device == "cpu" {
            return Ok(Scorer::Cpu(load(&flags.model)?));
        }
        let number = match flags.device.strip_prefix("cuda") {
            Some("") => Some(0),
            Some(number) => number.strip_prefix(':').and_then(|number| number.parse().ok()),
            None => None,
        };
        let number: usize = number.ok_or_else(|| {
            let message = format!("failed to read --device: `{}` is no device", flags.device);
            usage(message, "cpu, cuda, or cuda:N")
        })?;
        if !matches!(flags.model.precision, Precision::F32) {
            let message = "failed to load model: on a GPU weights are f32";
            return Err(usage(message, "leave --precision out"));
        }
        Scorer::on_gpu(flags, number)
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(flags: &Score, number: usize) -> anyhow::Result<Scorer> {
        let device = nn::device::Device::cuda(number).map_err(genome::Error::from)?;
        let Model { model, config, .. } = &flags.model;
        Ok(Scorer::Device(genome::load::on_device(model, config.as_deref(), device)?))
    }

    #[cfg(not(feature = "cuda"))]
    fn on_gpu(_: &Score, _: usize) -> anyhow::Result<Scorer> {
        Err(unavailable(
            "failed to use a GPU: this program was built without CUDA",
            "build it with `--features cuda` where CUDA's toolkit and driver are",
        ))
    }

    fn score(&self, sequences: &[&[Token]]) -> anyhow::Result<Vec<score::Score>> {
        match self {
            Scorer::Cpu(model) => Ok(score::score(model, sequences)),
            #[cfg(feature = "cuda")]
            Scorer::Device(model) => {
                Ok(sequences.iter().map(|tokens| model.score(tokens)).collect::<Result<_, _>>()?)
            }
        }
    }
}

pub(crate) fn run(flags: &Score, output: &Output) -> anyhow::Result<Status> {
    let model = Scorer::load(flags)?;
    let settings = settings(flags);
    let head = |columns: &[Column]| format!("# {settings}\n{}\n", columnar::header(columns));
    let table = flags.to.as_ref().map(|path| Table::open(path, &head(&COLUMNS))).transpose()?;
    // Rows per base belong to the rows that are kept; what ran ahead of them is made again.
    let mut n_bases = 0;
    let n_scored = |row: &str| row.split('\t').nth(2).and_then(|n| n.parse::<usize>().ok());
    if let Some(table) = &table {
        table.each_kept(|row| n_bases += n_scored(row).unwrap_or(0))?;
    }
    let open = |path| Table::open_at_most(path, &head(&PER_BASE_COLUMNS), n_bases);
    let per_base = flags.per_base.as_deref().map(open).transpose()?;
    let mut n_to_skip = table.as_ref().map_or(0, Table::n_kept);
    if n_to_skip > 0 {
        output.note(&format!("going on after {n_to_skip} sequences that are done"));
    }
    let streaming = output.is_text();
    if streaming && table.is_none() {
        output.data(&columnar::header(&COLUMNS))?;
    }
    let mut rows = Rows { output, table, per_base, answers: Vec::new(), streaming };
    let bar = if output.interactive() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    bar.set_style(
        indicatif::ProgressStyle::with_template(
            "{spinner} {human_pos} bases, {per_sec}, {elapsed}",
        )
        .expect("a valid template"),
    );
    let stop = interrupted();
    let mut n_skipped = 0;
    let mut batch: Vec<Record> = Vec::new();
    for path in &flags.sequences {
        for record in Reader::open(path)? {
            match record {
                Ok(_) if n_to_skip > 0 => n_to_skip -= 1,
                Ok(record) => batch.push(record),
                Err(error @ genome::Error::Record { .. }) if flags.on_error == OnError::Skip => {
                    output.note(&format!("skipped: {error}"));
                    n_skipped += 1;
                }
                Err(error) => {
                    score_batch(&model, flags, &mut batch, &mut rows, &bar)?;
                    return Err(error.into());
                }
            }
            if batch.iter().map(|record| record.sequence.len()).sum::<usize>() >= BATCH_BASES {
                score_batch(&model, flags, &mut batch, &mut rows, &bar)?;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(Status::Interrupted);
            }
        }
    }
    score_batch(&model, flags, &mut batch, &mut rows, &bar)?;
    bar.finish_and_clear();
    let tables = [(rows.table, &COLUMNS[..]), (rows.per_base, &PER_BASE_COLUMNS)];
    for (table, columns) in tables {
        if let Some(table) = table {
            output.note(&format!("wrote {}", columnar::finish(table, columns)?.display()));
        }
    }
    if flags.to.is_none() && !streaming {
        output.answer("tetrad.genome.score", &rows.answers, String::new)?;
    }
    Ok(if n_skipped > 0 { Status::Partial } else { Status::Ok })
}

/// One line that says what a table depends on.
fn settings(flags: &Score) -> String {
    let device = match flags.device.as_str() {
        "cpu" => String::new(),
        device => format!(", device {device}"),
    };
    let inputs: Vec<String> =
        flags.sequences.iter().map(|path| path.display().to_string()).collect();
    format!(
        "tetrad genome score: model {}, config {}, {:?}{device}, both strands {}, tag {:?}, inputs {}",
        flags.model.model,
        flags.model.config.as_deref().unwrap_or("its own"),
        flags.model.precision,
        flags.both_strands,
        flags.tag,
        inputs.join(" "),
    )
}

fn score_batch(
    model: &Scorer,
    flags: &Score,
    batch: &mut Vec<Record>,
    rows: &mut Rows<'_>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let tag: Vec<Token> = flags.tag.bytes().map(Token::from).collect();
    let with_tag = |sequence: &[u8]| [tag.clone(), tokens(sequence)].concat();
    let mut inputs: Vec<Vec<Token>> =
        batch.iter().map(|record| with_tag(&record.sequence)).collect();
    if flags.both_strands {
        inputs.extend(batch.iter().map(|record| with_tag(&reverse_complement(&record.sequence))));
    }
    let views: Vec<&[Token]> = inputs.iter().map(Vec::as_slice).collect();
    let scores = model.score(&views)?;
    for (at, record) in batch.iter().enumerate() {
        // What a tag says of itself is not asked for.
        let from = tag.len().saturating_sub(1);
        let of = |at: usize| scores[at].log_likelihoods.get(from..).unwrap_or_default();
        let sum = |at: usize| of(at).iter().copied().map(f64::from).sum::<f64>();
        let (log_likelihood, strands) = if flags.both_strands {
            ((sum(at) + sum(batch.len() + at)) / 2.0, "both")
        } else {
            (sum(at), "forward")
        };
        let per_base = of(at).to_vec();
        let n_scored = per_base.len();
        let mean = log_likelihood / n_scored.max(1) as f64;
        let scored = Scored {
            name: record.name.clone(),
            n_bases: record.sequence.len(),
            n_scored,
            strands,
            log_likelihood,
            mean,
            bits_per_base: -mean / std::f64::consts::LN_2,
            per_base,
        };
        bar.inc(record.sequence.len() as u64);
        rows.put(scored, &record.sequence)?;
    }
    batch.clear();
    Ok(())
}

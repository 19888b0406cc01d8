//! What the studies of a model share: genomes with their genes, controls, and tables that go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use genome::annotation::{Feature, genbank, gff};
use genome::fasta;
use genome::genes::Genome;
use genome::genetic_code::GeneticCode;
use genome::model::{Random, StripedHyena, Token};
use genome::table::Table;
use indicatif::{ProgressBar, ProgressStyle};

use super::genome::{interrupted, load};
use crate::args::genome::{Model, OnError};
use crate::args::genome_study::{Genes, Windows};
use crate::exit::usage;
use crate::output::Output;

/// Whose weights, as tables have it.
pub(super) const MODEL: &str = "model";
pub(super) const RANDOM: &str = "random";

/// A genome, its features, and how many records were malformed.
pub(super) struct Annotated {
    pub(super) genome: Genome,
    pub(super) features: Vec<Feature>,
    pub(super) code: GeneticCode,
    pub(super) n_skipped: usize,
}

/// Reads sequences and features.
pub(super) fn annotated(flags: &Genes, output: &Output) -> anyhow::Result<Annotated> {
    let code = GeneticCode::numbered(flags.code)
        .ok_or_else(|| usage(format!("no genetic code {}", flags.code), "1, 4 and 11 are known"))?;
    let mut n_skipped = 0;
    let mut skip = |error: genome::Error| match error {
        genome::Error::Record { .. } if flags.on_error == OnError::Skip => {
            output.note(&format!("skipped: {error}"));
            n_skipped += 1;
            Ok(())
        }
        error => Err(error),
    };
    let (mut sequences, mut features) = (Vec::new(), Vec::new());
    if genbank::is_genbank(&flags.sequences)? {
        for record in genbank::Reader::open(&flags.sequences)? {
            match record {
                Ok(record) => {
                    sequences.push((record.name, record.sequence));
                    features.extend(record.features);
                }
                Err(error) => skip(error)?,
            }
        }
    } else {
        for record in fasta::Reader::open(&flags.sequences)? {
            match record {
                Ok(record) => sequences.push((record.name, record.sequence)),
                Err(error) => skip(error)?,
            }
        }
        if flags.annotation.is_none() {
            return Err(usage(
                format!("no features for {}", flags.sequences.display()),
                "name a GFF3 or GenBank file with `--annotation`",
            ));
        }
    }
    if let Some(path) = &flags.annotation {
        features.clear();
        if genbank::is_genbank(path)? {
            for record in genbank::Reader::open(path)? {
                match record {
                    Ok(record) => features.extend(record.features),
                    Err(error) => skip(error)?,
                }
            }
        } else {
            for feature in gff::Reader::open(path)? {
                match feature {
                    Ok(feature) => features.push(feature),
                    Err(error) => skip(error)?,
                }
            }
        }
    }
    Ok(Annotated { genome: Genome::new(sequences), features, code, n_skipped })
}

/// What a study rests on, as names and values: first line of its table, head of its page.
pub(super) struct Facts(pub(super) Vec<(String, String)>);

impl Facts {
    /// Of a model.
    pub(super) fn new(model: &Model) -> anyhow::Result<Facts> {
        let digest = genome::load::digest(&model.model, model.config.as_deref())?;
        let mut facts = Facts(Vec::new());
        facts.add("model", &model.model).add("weights", digest);
        if let Some(config) = &model.config {
            facts.add("config", config);
        }
        facts.add("precision", format!("{:?}", model.precision).to_lowercase());
        Ok(facts)
    }

    pub(super) fn add(&mut self, name: &str, value: impl ToString) -> &mut Facts {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// Of a genome, genes and windows.
    pub(super) fn add_genes(&mut self, genes: &Genes, windows: &Windows) -> &mut Facts {
        self.add("sequences", genes.sequences.display());
        if let Some(path) = &genes.annotation {
            self.add("annotation", path.display());
        }
        self.add("genetic code", genes.code)
            .add("context", windows.context)
            .add("scored after", windows.after)
            .add("seed", windows.seed);
        if !windows.tag.is_empty() {
            self.add("tag", &windows.tag);
        }
        self
    }

    /// The first lines of a table.
    fn head(&self, command: &str, header: &str) -> String {
        let facts: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let facts = facts.join(", ").replace(char::is_control, " ");
        format!("# tetrad genome {command}: {facts}\n{header}\n")
    }
}

/// The rows of a study, in a table that goes on where it was interrupted.
pub(super) struct Rows {
    /// `None` when the table was finished before.
    table: Option<Table>,
    rows: Vec<String>,
    n_to_skip: usize,
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Rows {
    /// Opens `COMMAND.tsv` in a folder for `n_steps` steps. A finished one of the same settings is kept.
    pub(super) fn open(
        folder: &Path,
        command: &str,
        facts: &Facts,
        header: &str,
        n_steps: usize,
        output: &Output,
    ) -> anyhow::Result<Rows> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to make folder `{}`", folder.display()))?;
        let path = folder.join(format!("{command}.tsv"));
        let head = facts.head(command, header);
        let finished = std::fs::read_to_string(&path).ok();
        let finished = finished.as_deref().and_then(|text| text.strip_prefix(&head));
        let (table, rows) = match finished {
            Some(rows) => (None, rows.lines().map(str::to_owned).collect()),
            None => {
                let table = Table::open(&path, &head)?;
                let mut rows = Vec::new();
                table.each_kept(|row| rows.push(row.to_owned()))?;
                (Some(table), rows)
            }
        };
        if !rows.is_empty() {
            output.note(&format!("going on after {} rows that are done", rows.len()));
        }
        let bar = if output.interactive() {
            ProgressBar::new(n_steps as u64)
        } else {
            ProgressBar::hidden()
        };
        let template = "{bar:30} {pos}/{len}, {elapsed}, about {eta} left";
        bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
        Ok(Rows { table, n_to_skip: rows.len(), rows, bar, stop: interrupted() })
    }

    /// Whether the next `n` rows are there already; if so they are passed over.
    pub(super) fn has(&mut self, n: usize) -> bool {
        let there = self.n_to_skip >= n;
        if there {
            self.n_to_skip -= n;
            self.bar.inc(1);
        }
        there
    }

    /// Adds rows; the first of them may be there from before an interrupt. Says whether to go on.
    pub(super) fn put(&mut self, rows: Vec<String>) -> anyhow::Result<bool> {
        for row in rows.into_iter().skip(std::mem::take(&mut self.n_to_skip)) {
            if let Some(table) = &mut self.table {
                table.row(&row)?;
            }
            self.rows.push(row);
        }
        if let Some(table) = &mut self.table {
            table.flush()?;
        }
        self.bar.inc(1);
        Ok(!self.stop.load(Ordering::Relaxed))
    }

    /// The table gets its name, and all rows.
    pub(super) fn finish(self, output: &Output) -> anyhow::Result<Vec<String>> {
        self.bar.finish_and_clear();
        if let Some(table) = self.table {
            output.note(&format!("wrote {}", table.finish()?.display()));
        }
        Ok(self.rows)
    }
}

/// What is read before every window.
pub(super) fn tag(windows: &Windows) -> Vec<Token> {
    windows.tag.bytes().map(Token::from).collect()
}

/// No coding sequence can be used: why not, most common reason first.
pub(super) fn no_genes(n_left_out: &BTreeMap<&'static str, usize>) -> anyhow::Error {
    let mut reasons: Vec<(usize, &str)> = n_left_out.iter().map(|(why, n)| (*n, *why)).collect();
    reasons.sort_by(|a, b| b.cmp(a));
    let told: Vec<String> = reasons.iter().map(|(n, why)| format!("{n} {why}")).collect();
    let told = if told.is_empty() { "there are none".to_owned() } else { told.join(", ") };
    usage(
        format!("no coding sequence can be used: {told}"),
        "do names in the annotation match the sequences? `--context` and `--after` may be too long",
    )
}

/// The model, or its control with random weights of the same shape.
pub(super) fn load_as(weights: &str, flags: &Model, seed: u64) -> anyhow::Result<StripedHyena> {
    if weights == MODEL {
        return load(flags);
    }
    let config = if flags.model.starts_with("random:") {
        genome::load::config(flags.config.as_deref().unwrap_or_default())?
    } else {
        let file = nn::weights::File::open(Path::new(&flags.model))?;
        genome::load::config_of(&file, flags.config.as_deref())?
    };
    Ok(StripedHyena::load(&config, &Random { seed, narrow: true }, flags.precision.into())?)
}

/// Writes a page beside its table.
pub(super) fn write_page(
    folder: &Path,
    command: &str,
    page: &str,
    output: &Output,
) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{command}.html"));
    runs::write_atomic(&path, page.as_bytes())?;
    output.note(&format!("wrote {}", path.display()));
    Ok(path)
}

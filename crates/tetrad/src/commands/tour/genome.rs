//! The tour's genome part: a phage that the small model has not seen, scored, mutated and written on.

use std::path::{Path, PathBuf};
use std::time::Instant;

use genome::fasta::{Reader, reverse_complement};
use genome::model::StripedHyena;
use genome::profile::{SiteKind, Statistic};
use genome::score::{score, tokens};
use genome::{generate, shipped};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use runs::html::{Cell, Page};
use runs::stats::bootstrap;
use serde::Serialize;

use crate::args::genome::{Model, OnError, Precision};
use crate::args::genome_study::{Control, Genes, Profile, Windows};
use crate::commands::genome_profile;
use crate::output::Output;

/// Genes around whose ends bases are mutated.
const GENES: usize = 16;
/// Bases of a window whose score counts as one sample.
const WINDOW: usize = 1024;
/// Bases that are written after the prompt.
const WRITTEN: usize = 400;
/// Draws behind an interval.
const RESAMPLES: usize = 2000;

/// One sequence under the model.
#[derive(Debug, Serialize)]
struct Scored {
    what: &'static str,
    bits_per_base: f64,
    /// 95 %, bootstrap over windows.
    low: f64,
    high: f64,
    n_windows: usize,
    n_bases: usize,
}

/// What the genome part answers.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    folder: PathBuf,
    n_parameters: usize,
    scored: Vec<Scored>,
    n_genes: usize,
    statistics: Vec<Statistic>,
    profile_page: PathBuf,
    written: String,
    wall_secs: f64,
}

/// Does it, in a folder of the run. `None` if the user interrupts.
pub(super) fn run(folder: &Path, seed: u64, output: &Output) -> anyhow::Result<Option<Part>> {
    let began = Instant::now();
    std::fs::create_dir_all(folder)?;
    let (fasta, gff) = (folder.join("lambda.fa.gz"), folder.join("lambda.gff"));
    runs::write_atomic(&fasta, shipped::LAMBDA_FASTA)?;
    runs::write_atomic(&gff, shipped::LAMBDA_GFF)?;
    let model = genome::load::model(shipped::SMALL, None, nn::Precision::F32)?;
    let mut records = Reader::open(&fasta)?;
    let lambda = records.next().ok_or_else(|| anyhow::anyhow!("no sequence in phage lambda"))??;
    let lambda = lambda.sequence;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut shuffled = lambda.clone();
    shuffled.shuffle(&mut rng);
    let scored = [
        ("phage lambda", lambda.clone()),
        ("its other strand", reverse_complement(&lambda)),
        ("its bases in random order", shuffled),
    ];
    let scored = scored.iter().map(|(what, bases)| scored_as(what, bases, &model, seed)).collect();
    let flags = Profile {
        model: Model {
            model: shipped::SMALL.to_owned(),
            config: None,
            precision: Precision::F32,
            threads: None,
        },
        genes: Genes {
            sequences: fasta,
            annotation: Some(gff),
            genes: GENES,
            code: 11,
            on_error: OnError::Stop,
        },
        windows: Windows {
            context: 512,
            after: 128,
            tag: String::new(),
            seed,
            to: folder.to_owned(),
        },
        one_alternative: true,
        control: vec![Control::Elsewhere],
    };
    let Some(profile) = genome_profile::study(&flags, output)? else { return Ok(None) };
    let sampling = generate::Sampling { temperature: 0.8, top_k: 4, top_p: 1.0, bases_only: true };
    let prompt = tokens(&lambda[..WINDOW]);
    let mut written = String::with_capacity(WRITTEN);
    generate::generate(&model, &[&prompt], WRITTEN, &sampling, seed, |_, token| {
        written.push(char::from(u8::try_from(token).unwrap_or(b'N')));
        true
    });
    let header = format!(">written after the first {WINDOW} bases of phage lambda, seed {seed}");
    runs::write_atomic(&folder.join("written.fa"), format!("{header}\n{written}\n").as_bytes())?;
    Ok(Some(Part {
        folder: folder.to_owned(),
        n_parameters: model.config().n_parameters(),
        scored,
        n_genes: profile.n_genes,
        statistics: profile.summary.statistics,
        profile_page: profile.page,
        written,
        wall_secs: began.elapsed().as_secs_f64(),
    }))
}

/// Read once from its beginning; windows are the samples of the interval.
fn scored_as(what: &'static str, bases: &[u8], model: &StripedHyena, seed: u64) -> Scored {
    let all = score(model, &[&tokens(bases)]);
    let bits = |nats: &[f32]| {
        let sum: f64 = nats.iter().copied().map(f64::from).sum();
        -sum / nats.len() as f64 / std::f64::consts::LN_2
    };
    let windows: Vec<f64> = all[0].log_likelihoods.chunks_exact(WINDOW).map(bits).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let interval = bootstrap(&windows, mean, RESAMPLES, seed);
    let bits_per_base = mean(&windows);
    let (low, high) =
        interval.map_or((f64::NAN, f64::NAN), |interval| (interval.low, interval.high));
    let (n_windows, n_bases) = (windows.len(), bases.len());
    Scored { what, bits_per_base, low, high, n_windows, n_bases }
}

impl Part {
    /// Lines for the terminal.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "\ngenome: phage lambda under the small model ({} parameters), {:.0} s\n",
            self.n_parameters, self.wall_secs
        );
        for Scored { what, bits_per_base, low, high, n_windows, .. } in &self.scored {
            text += &format!(
                "{what:26} {bits_per_base:.4} [{low:.4}, {high:.4}] bits a base, n {n_windows} windows\n"
            );
        }
        for Statistic { site, name, difference, .. } in self.shown() {
            let what = format!("{}: {name}", site.name());
            text += &format!("{what:26} {difference} genes, nats\n");
        }
        text + &format!("page {}\n", self.profile_page.display())
    }

    /// What a profile shows of the model at genes.
    fn shown(&self) -> impl Iterator<Item = &Statistic> {
        let kinds = [SiteKind::Start, SiteKind::Stop];
        self.statistics
            .iter()
            .filter(move |one| kinds.contains(&one.site) && one.weights == "model")
    }

    /// Its section of the report.
    pub(super) fn render(&self, page: &mut Page) {
        page.section("Genome: how likely is this DNA, and what would follow?");
        page.paragraph(format!(
            "A StripedHyena 2 of {} parameters, trained by this program on the genomes of five bacteria, \
             reads phage lambda base by base. Uniform guessing costs 2 bits a base.",
            self.n_parameters
        ));
        page.subsection("Scores");
        let row = |one: &Scored| {
            vec![
                Cell::text(one.what),
                Cell::number(format!("{:.4}", one.bits_per_base)),
                Cell::number(format!("{:.4} to {:.4}", one.low, one.high)),
                Cell::number(one.n_windows),
                Cell::number(one.n_bases),
            ]
        };
        page.table(
            ["sequence", "bits a base", "95 %", "windows", "bases"],
            self.scored.iter().map(row).collect::<Vec<_>>(),
        );
        page.subsection("Mutations around genes");
        page.paragraph(format!(
            "Every base around the start and stop codons of {} genes is replaced by another: how much \
             less likely is the window then?",
            self.n_genes
        ));
        let row = |one: &Statistic| {
            vec![
                Cell::text(one.site.name()),
                Cell::text(one.name),
                Cell::text(one.compared),
                Cell::number(one.difference),
            ]
        };
        page.table(
            ["around", "what", "compared", "difference in nats, 95 %"],
            self.shown().map(row).collect::<Vec<_>>(),
        );
        let relative = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let folder = self.folder.file_name().unwrap_or_default().to_string_lossy();
            format!("{folder}/{name}")
        };
        page.list([Cell::link(relative(&self.profile_page), "the whole profile, with plots")]);
        page.subsection("Written by the model");
        page.paragraph(format!(
            "{} bases after the first {WINDOW} of phage lambda, at temperature 0.8. Plausible in its \
             statistics, not a working genome.",
            self.written.len()
        ));
        let lines: Vec<&str> = self
            .written
            .as_bytes()
            .chunks(80)
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        page.code(lines.join("\n"));
    }
}

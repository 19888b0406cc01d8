//! `tetrad genome profile`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use genome::genes::sample;
use genome::profile::{self, HEADER, N_POSITIONS, Scheme, Statistic, Summary};
use genome::report;
use serde::Serialize;

use super::genome_study::{
    Facts, MODEL, RANDOM, Rows, annotated, load_as, no_genes, tag, write_page,
};
use crate::args::genome_study::{Control, Profile};
use crate::exit::{Status, usage};
use crate::output::Output;

/// What the command answers.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    settings: BTreeMap<String, String>,
    pub(super) n_genes: usize,
    n_usable: usize,
    n_left_out: BTreeMap<&'static str, usize>,
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) page: PathBuf,
    #[serde(skip)]
    n_skipped: usize,
}

pub(crate) fn run(flags: &Profile, output: &Output) -> anyhow::Result<Status> {
    let Some(answer) = study(flags, output)? else { return Ok(Status::Interrupted) };
    output.answer("tetrad.genome.profile", &answer, || text(&answer.summary))?;
    Ok(if answer.n_skipped > 0 { Status::Partial } else { Status::Ok })
}

/// Makes table and page. `None` if the user interrupts.
pub(super) fn study(flags: &Profile, output: &Output) -> anyhow::Result<Option<Answer>> {
    let windows = &flags.windows;
    let scheme = Scheme {
        n_context: windows.context,
        n_after: windows.after,
        all_alternatives: !flags.one_alternative,
        seed: windows.seed,
        tag: tag(windows),
    };
    if windows.context == 0 {
        return Err(usage("`--context` is 0", "a base needs something before it to be expected"));
    }
    let all = annotated(&flags.genes, output)?;
    let (genome, seed) = (&all.genome, windows.seed);
    let fits = |gene: &genome::genes::Gene| scheme.fits(genome, gene);
    let drawn = sample(genome, &all.features, all.code, flags.genes.genes, seed, fits);
    if drawn.genes.is_empty() {
        return Err(no_genes(&drawn.n_left_out));
    }
    let elsewhere = flags.control.contains(&Control::Elsewhere);
    let sites = profile::sites(genome, &drawn.genes, elsewhere, &scheme);
    let mut all_weights = vec![MODEL];
    if flags.control.contains(&Control::Random) {
        all_weights.push(RANDOM);
    }
    let mut facts = Facts::new(&flags.model)?;
    facts
        .add_genes(&flags.genes, windows)
        .add("genes", format!("{} of {}", drawn.genes.len(), drawn.n_usable))
        .add(
            "replaced by",
            if flags.one_alternative { "one other base" } else { "all other bases" },
        )
        .add("controls", controls(flags));
    let n_steps = sites.len() * all_weights.len();
    let mut rows = Rows::open(&windows.to, "profile", &facts, HEADER, n_steps, output)?;
    for weights in all_weights {
        let mut model = None;
        for (idx, site) in sites.iter().enumerate() {
            if rows.has(N_POSITIONS) {
                continue;
            }
            let model = match &mut model {
                Some(model) => model,
                none => none.insert(load_as(weights, &flags.model, seed)?),
            };
            let effects = profile::effects(model, site, idx, &scheme);
            if !rows.put(profile::rows(weights, genome, site, &scheme, &effects))? {
                return Ok(None);
            }
        }
    }
    let summary = profile::summary(&rows.finish(output)?, seed);
    let page = report::profile(&summary, &facts.0, &drawn.n_left_out);
    let page = write_page(&windows.to, "profile", &page, output)?;
    Ok(Some(Answer {
        settings: facts.0.into_iter().collect(),
        n_genes: drawn.genes.len(),
        n_usable: drawn.n_usable,
        n_left_out: drawn.n_left_out,
        summary,
        page,
        n_skipped: all.n_skipped,
    }))
}

fn controls(flags: &Profile) -> String {
    let mut names = Vec::new();
    if flags.control.contains(&Control::Elsewhere) {
        names.push("anywhere in the genome".to_owned());
    }
    if flags.control.contains(&Control::Random) {
        names.push(format!("weights random:{}", flags.windows.seed));
    }
    if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
}

/// Mean differences in nats, a line each.
fn text(summary: &Summary) -> String {
    let line = |one: &Statistic| {
        let Statistic { weights, site, name, compared, difference } = one;
        format!("{weights:7} {:10} {name:22} {compared:38} {difference}", site.name())
    };
    let lines: Vec<String> = summary.statistics.iter().map(line).collect();
    format!("mean differences within sites, nats, 95 % bootstrap intervals\n{}", lines.join("\n"))
}

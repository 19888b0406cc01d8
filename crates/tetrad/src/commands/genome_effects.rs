//! `tetrad genome effects`.

use std::collections::BTreeMap;

use genome::effects::{self, HEADER, Scheme, Summary};
use genome::genes::sample;
use genome::report;
use serde::Serialize;

use super::genome_study::{
    Facts, MODEL, RANDOM, Rows, annotated, load_as, no_genes, tag, write_page,
};
use crate::args::genome_study::Effects;
use crate::exit::{Status, usage};
use crate::output::Output;

/// What the command answers.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    settings: BTreeMap<&'a str, &'a str>,
    n_genes: usize,
    n_usable: usize,
    n_left_out: BTreeMap<&'static str, usize>,
    #[serde(flatten)]
    summary: Summary,
    page: String,
}

pub(crate) fn run(flags: &Effects, output: &Output) -> anyhow::Result<Status> {
    let windows = &flags.windows;
    let scheme = Scheme {
        n_context: windows.context,
        n_after: windows.after,
        n_codons: flags.codons,
        seed: windows.seed,
        tag: tag(windows),
    };
    if windows.context == 0 {
        return Err(usage("`--context` is 0", "a base needs something before it to be expected"));
    }
    if windows.after < 3 || flags.codons == 0 {
        return Err(usage("`--after` is below 3 or `--codons` is 0", "a codon is to be scored"));
    }
    let all = annotated(&flags.genes, output)?;
    let (genome, seed) = (&all.genome, windows.seed);
    let fits = |gene: &genome::genes::Gene| scheme.fits(genome, gene);
    let drawn = sample(genome, &all.features, all.code, flags.genes.genes, seed, fits);
    if drawn.genes.is_empty() {
        return Err(no_genes(&drawn.n_left_out));
    }
    let draws = effects::draws(genome, &all.features, &drawn.genes, &scheme);
    let mut all_weights = vec![MODEL];
    all_weights.extend(flags.control.map(|_| RANDOM));
    let mut facts = Facts::new(&flags.model)?;
    facts
        .add_genes(&flags.genes, windows)
        .add("genes", format!("{} of {}", drawn.genes.len(), drawn.n_usable))
        .add("codons a gene", flags.codons)
        .add("control", flags.control.map_or("none".into(), |_| format!("weights random:{seed}")));
    let n_steps = draws.len() * all_weights.len();
    let mut rows = Rows::open(&windows.to, "effects", &facts, HEADER, n_steps, output)?;
    for weights in all_weights {
        let mut model = None;
        for draw in &draws {
            if rows.has(draw.n_rows()) {
                continue;
            }
            let model = match &mut model {
                Some(model) => model,
                none => none.insert(load_as(weights, &flags.model, seed)?),
            };
            if !rows.put(effects::rows(model, weights, genome, draw, &scheme))? {
                return Ok(Status::Interrupted);
            }
        }
    }
    let summary = effects::summary(&rows.finish(output)?, seed);
    let page = report::effects(&summary, &facts.0, &drawn.n_left_out);
    let page = write_page(&windows.to, "effects", &page, output)?;
    let answer = Answer {
        settings: facts.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        n_genes: drawn.genes.len(),
        n_usable: drawn.n_usable,
        n_left_out: drawn.n_left_out,
        summary,
        page: page.display().to_string(),
    };
    output.answer("tetrad.genome.effects", &answer, || text(&answer.summary))?;
    Ok(if all.n_skipped > 0 { Status::Partial } else { Status::Ok })
}

/// Means in nats and comparisons, a line each.
fn text(summary: &Summary) -> String {
    let mut text =
        String::from("mean delta log-likelihood over genes, nats, 95 % bootstrap intervals\n");
    for one in &summary.kinds {
        let (kind, n) = (one.kind.name(), one.n_mutations);
        text += &format!("{:7} {kind:18} {} genes, {n} mutations\n", one.weights, one.delta);
    }
    text += "\nmilder less worse within genes, nats, and the share of resamples above zero\n";
    for one in &summary.orders {
        let pair = format!("{} less {}", one.milder.name(), one.worse.name());
        text +=
            &format!("{:7} {pair:36} {}, {:.3}\n", one.weights, one.difference, one.probability);
    }
    text
}

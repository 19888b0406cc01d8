//! `tetrad genome needle`.

use std::collections::BTreeMap;

use genome::genes::Genome;
use genome::model::StripedHyena;
use genome::needle::{self, HEADER, Hay, Haystack, Recall, Scheme};
use genome::{fasta, report};
use serde::Serialize;

use super::genome::load;
use super::genome_study::{Facts, Rows, write_page};
use crate::args::genome_study::Needle;
use crate::exit::{Status, usage};
use crate::output::Output;

/// What the command answers.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    settings: BTreeMap<&'a str, &'a str>,
    recalls: Vec<Recall>,
    page: String,
}

pub(crate) fn run(flags: &Needle, output: &Output) -> anyhow::Result<Status> {
    let scheme = scheme(flags)?;
    let genome = flags.haystack.as_deref().map(|path| {
        let records = fasta::Reader::open(path)?
            .map(|record| record.map(|record| (record.name, record.sequence)));
        Ok::<_, genome::Error>(Genome::new(records.collect::<Result<Vec<_>, _>>()?))
    });
    let genome = genome.transpose()?;
    let hay = genome.as_ref().map_or(Hay::Random, Hay::Genome);
    let mut facts = Facts::new(&flags.model)?;
    let lengths: Vec<String> = flags.lengths.iter().map(ToString::to_string).collect();
    let random = || "random bases".to_owned();
    facts
        .add("lengths", lengths.join(" "))
        .add("needle", scheme.n_needle)
        .add("query", scheme.n_query)
        .add("depths", scheme.n_depths)
        .add("haystacks", flags.repeats)
        .add("hay", flags.haystack.as_ref().map_or_else(random, |path| path.display().to_string()))
        .add("seed", scheme.seed);
    let n_steps = flags.lengths.len() * flags.repeats * scheme.n_depths;
    let mut rows = Rows::open(&flags.to, "needle", &facts, HEADER, n_steps, output)?;
    let mut model: Option<StripedHyena> = None;
    for &length in &flags.lengths {
        for repeat in 0..flags.repeats {
            let mut n_there = 0;
            while n_there < scheme.n_depths && rows.has(1) {
                n_there += 1;
            }
            if n_there == scheme.n_depths {
                continue;
            }
            let haystack = Haystack::new(hay, length, repeat, &scheme).ok_or_else(|| {
                usage(
                    format!("no {length} bases of A, C, G and T in a row in the haystack"),
                    "give shorter `--lengths`, or leave `--haystack` out for random bases",
                )
            })?;
            let model = match &mut model {
                Some(model) => model,
                none => none.insert(load(&flags.model)?),
            };
            let mut went = Ok(true);
            needle::search(model, &haystack, &scheme, n_there, |found| {
                went = rows.put(vec![needle::row(length, repeat, &found)]);
                matches!(went, Ok(true))
            });
            if !went? {
                return Ok(Status::Interrupted);
            }
        }
    }
    let recalls = needle::summary(&rows.finish(output)?, scheme.seed);
    let page = report::needle(&recalls, &facts.0);
    let page = write_page(&flags.to, "needle", &page, output)?;
    let answer = Answer {
        settings: facts.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        recalls,
        page: page.display().to_string(),
    };
    output.answer("tetrad.genome.needle", &answer, || text(&answer.recalls))?;
    Ok(Status::Ok)
}

fn scheme(flags: &Needle) -> anyhow::Result<Scheme> {
    let scheme = Scheme {
        n_needle: flags.needle,
        n_query: flags.query.unwrap_or(flags.needle / 2),
        n_depths: flags.depths,
        seed: flags.seed,
    };
    if scheme.n_query == 0 || scheme.n_query >= scheme.n_needle {
        return Err(usage(
            format!("a query of {} bases of a needle of {}", scheme.n_query, scheme.n_needle),
            "some of the needle is asked with, the rest is asked for",
        ));
    }
    if scheme.n_depths == 0 || flags.repeats == 0 {
        return Err(usage("`--depths` or `--repeats` is 0", "at least one of each is searched"));
    }
    if let Some(short) = flags.lengths.iter().find(|length| **length < scheme.shortest()) {
        return Err(usage(
            format!("{short} bases do not hold a needle of {} twice", scheme.n_needle),
            format!("lengths begin at {}", scheme.shortest()),
        ));
    }
    Ok(scheme)
}

/// Mean gains, a line each.
fn text(recalls: &[Recall]) -> String {
    let line = |one: &Recall| format!("{:>8} {:.2}  {}", one.length, one.depth, one.gain);
    let lines: Vec<String> = recalls.iter().map(line).collect();
    format!(
        "  length depth gain of the needle's rest, nats a base, 95 % bootstrap interval over haystacks\n{}",
        lines.join("\n")
    )
}

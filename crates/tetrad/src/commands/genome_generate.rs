//! `tetrad genome generate`.

use std::sync::atomic::Ordering;
use std::time::Instant;

use genome::fasta::Reader;
use genome::generate::{Sampling, generate};
use genome::model::Token;
use genome::score::tokens;
use indicatif::ProgressBar;
use serde::Serialize;

use super::genome::{interrupted, load};
use crate::args::genome::Generate;
use crate::exit::{Status, usage};
use crate::output::Output;

/// Bases per line of FASTA.
const WIDTH: usize = 80;

/// One new sequence.
#[derive(Debug, Serialize)]
struct Generated {
    name: String,
    prompt: String,
    /// Without the prompt.
    sequence: String,
}

pub(crate) fn run(flags: &Generate, output: &Output) -> anyhow::Result<Status> {
    if !(flags.temperature >= 0.0 && flags.temperature.is_finite()) {
        return Err(usage("`--temperature` is not 0 or more", "0 takes the likeliest token"));
    }
    if !(flags.top_p > 0.0 && flags.top_p <= 1.0) {
        return Err(usage("`--top-p` is not above 0 and at most 1", "1 keeps every token"));
    }
    let mut prompts: Vec<(String, String)> = flags
        .prompt
        .iter()
        .enumerate()
        .map(|(at, prompt)| (format!("prompt{}", at + 1), prompt.to_ascii_uppercase()))
        .collect();
    if let Some(path) = &flags.prompts {
        for record in Reader::open(path)? {
            let record = record?;
            let sequence = record.sequence.to_ascii_uppercase();
            prompts.push((record.name, String::from_utf8_lossy(&sequence).into_owned()));
        }
    }
    if prompts.iter().any(|(_, prompt)| prompt.is_empty() && flags.tag.is_empty()) {
        return Err(usage("a prompt is empty", "a sequence needs a base or a tag to begin with"));
    }
    let model = load(&flags.model)?;
    let mut inputs: Vec<Vec<Token>> = Vec::new();
    let mut all: Vec<Generated> = Vec::new();
    for (name, prompt) in &prompts {
        for copy in 1..=flags.copies {
            let tag = flags.tag.bytes().map(Token::from);
            inputs.push(tag.chain(tokens(prompt.as_bytes())).collect());
            let name = format!("{name}_{copy}");
            all.push(Generated { name, prompt: prompt.clone(), sequence: String::new() });
        }
    }
    let sampling = Sampling {
        temperature: flags.temperature,
        top_k: flags.top_k,
        top_p: flags.top_p,
        bases_only: !flags.any_token,
    };
    let stop = interrupted();
    // The first token waits for the prompt; the others are steps.
    let mut first = None;
    let bar = if output.interactive() {
        ProgressBar::new((flags.n * inputs.len()) as u64)
    } else {
        ProgressBar::hidden()
    };
    let views: Vec<&[Token]> = inputs.iter().map(Vec::as_slice).collect();
    generate(&model, &views, flags.n, &sampling, flags.seed, |at, token| {
        // Ids beyond bytes have no character; the official decoder clamps them too.
        let character = u8::try_from(token).ok().filter(u8::is_ascii_graphic).unwrap_or(b'?');
        all[at].sequence.push(char::from(character));
        bar.inc(1);
        first.get_or_insert_with(Instant::now);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    let longest = all.iter().map(|new| new.sequence.len()).max().unwrap_or_default();
    if let (Some(first), true) = (first, longest > 1) {
        let steps = longest - 1;
        output.note(&format!(
            "{:.2} ms per step of {} sequences (n = {steps} steps, {} weights, {} threads)",
            first.elapsed().as_secs_f64() * 1e3 / steps as f64,
            all.len(),
            nn::Precision::from(flags.model.precision).name(),
            nn::threads::count(),
        ));
    }
    let fasta = || {
        let mut text = String::new();
        for Generated { name, prompt, sequence } in &all {
            text += &format!(
                ">{name} prompt={} new={} seed={} temperature={} top_k={} top_p={}\n",
                prompt.len(),
                sequence.len(),
                flags.seed,
                flags.temperature,
                flags.top_k,
                flags.top_p
            );
            let whole = format!("{prompt}{sequence}");
            for line in whole.as_bytes().chunks(WIDTH) {
                text += &String::from_utf8_lossy(line);
                text.push('\n');
            }
        }
        text
    };
    match &flags.to {
        Some(path) => {
            std::fs::write(path, fasta()).map_err(|source| genome::Error::File {
                action: "write sequences",
                path: path.clone(),
                source,
            })?;
            output.note(&format!("wrote {}", path.display()));
        }
        None => output.answer("tetrad.genome.generate", &all, fasta)?,
    }
    Ok(if stop.load(Ordering::Relaxed) { Status::Interrupted } else { Status::Ok })
}

//! `tetrad genome embed`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use genome::embed::{Layer, Pool, embed};
use genome::fasta::Reader;
use genome::model::Token;
use genome::{npy, score};
use nn::weights::NewTensor;

use super::genome::{interrupted, load};
use crate::args::genome::{Embed, OnError};
use crate::exit::{Status, usage};
use crate::output::Output;

pub(crate) fn run(flags: &Embed, output: &Output) -> anyhow::Result<Status> {
    let layer: Layer = flags
        .layer
        .parse()
        .map_err(|error| usage(format!("failed to find the layer: {error}"), "N counts from 0"))?;
    let extension = flags.to.extension().and_then(|extension| extension.to_str());
    let npy = match extension {
        Some("npy") => true,
        Some("safetensors") => false,
        _ => {
            let message = format!("`{}` is neither .npy nor .safetensors", flags.to.display());
            return Err(usage(message, "the name of `--to` says what is written"));
        }
    };
    let model = load(&flags.model)?;
    if !layer.is_in(model.config().num_layers) {
        let message = format!("the model has no layer `{}`", flags.layer);
        return Err(usage(message, format!("it has {} blocks", model.config().num_layers)));
    }
    let pool = if flags.per_base { Pool::PerBase } else { Pool::Mean };
    let n_channels = model.config().hidden_size;
    let stop = interrupted();
    let (mut n_skipped, mut all): (usize, Vec<(String, Vec<f32>)>) = (0, Vec::new());
    for path in &flags.sequences {
        for record in Reader::open(path)? {
            let record = match record {
                Err(error @ genome::Error::Record { .. }) if flags.on_error == OnError::Skip => {
                    output.note(&format!("skipped: {error}"));
                    n_skipped += 1;
                    continue;
                }
                other => other?,
            };
            let tag = flags.tag.bytes().map(Token::from);
            let tokens: Vec<Token> = tag.chain(score::tokens(&record.sequence)).collect();
            let values = embed(&model, &[&tokens], flags.tag.len(), layer, pool).remove(0);
            all.push((record.name, values));
            if stop.load(Ordering::Relaxed) {
                return Ok(Status::Interrupted);
            }
        }
    }
    if npy {
        write_npy(&flags.to, n_channels, &all)?;
    } else {
        write_safetensors(&flags.to, n_channels, &flags.layer, pool, &all)?;
    }
    let answer = serde_json::json!({
        "n_sequences": all.len(), "n_channels": n_channels, "layer": flags.layer,
        "per_base": flags.per_base, "to": flags.to,
    });
    output.answer("tetrad.genome.embed", &answer, || {
        format!("{} sequences, {n_channels} channels, in {}", all.len(), flags.to.display())
    })?;
    Ok(if n_skipped > 0 { Status::Partial } else { Status::Ok })
}

/// One matrix of all rows; which are whose stands in a table beside it.
fn write_npy(path: &Path, n_channels: usize, all: &[(String, Vec<f32>)]) -> anyhow::Result<()> {
    let rows: Vec<&[f32]> =
        all.iter().flat_map(|(_, values)| values.chunks_exact(n_channels)).collect();
    npy::write(path, n_channels, rows.iter())?;
    let mut index = String::from("name\tfirst_row\tn_rows\n");
    let mut first = 0;
    for (name, values) in all {
        let n = values.len() / n_channels;
        index += &format!("{name}\t{first}\t{n}\n");
        first += n;
    }
    let beside = path.with_extension("tsv");
    std::fs::write(&beside, index).map_err(|source| genome::Error::File {
        action: "write table",
        path: beside,
        source,
    })?;
    Ok(())
}

/// One tensor a sequence, under its name.
fn write_safetensors(
    path: &Path,
    n_channels: usize,
    layer: &str,
    pool: Pool,
    all: &[(String, Vec<f32>)],
) -> anyhow::Result<()> {
    let mut tensors: BTreeMap<&str, NewTensor> = BTreeMap::new();
    for (name, values) in all {
        let shape = match pool {
            Pool::Mean => vec![n_channels],
            Pool::PerBase => vec![values.len() / n_channels, n_channels],
        };
        if tensors.insert(name, NewTensor::f32(&shape, values)).is_some() {
            let message = format!("two sequences are named `{name}`");
            return Err(usage(message, "write a .npy: it keeps them by row"));
        }
    }
    let metadata = BTreeMap::from([("layer".to_owned(), layer.to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (*name, tensor));
    Ok(nn::weights::write(path, views, metadata)?)
}

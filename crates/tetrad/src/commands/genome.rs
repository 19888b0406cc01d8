//! `tetrad genome`: models, and the commands that only look at them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use genome::ModelConfig;
use genome::model::StripedHyena;
use nn::weights::{File, Tensor};
use serde::Serialize;

use super::{
    genome_baselines, genome_data, genome_effects, genome_embed, genome_generate, genome_needle,
    genome_profile, genome_score, genome_train, genome_variants,
};
use crate::args::genome::{Convert, Genome, Model};
use crate::exit::Status;
use crate::output::Output;

/// Calls the subcommand that was asked for.
pub(crate) fn run(arguments: &Genome, output: &Output) -> anyhow::Result<Status> {
    match arguments {
        Genome::Score(flags) => with_threads(&flags.model, || genome_score::run(flags, output)),
        Genome::Variants(flags) => {
            with_threads(&flags.model, || genome_variants::run(flags, output))
        }
        Genome::Train(flags) => genome_train::run(flags, output),
        Genome::Generate(flags) => {
            with_threads(&flags.model, || genome_generate::run(flags, output))
        }
        Genome::Embed(flags) => with_threads(&flags.model, || genome_embed::run(flags, output)),
        Genome::Profile(flags) => with_threads(&flags.model, || genome_profile::run(flags, output)),
        Genome::Effects(flags) => with_threads(&flags.model, || genome_effects::run(flags, output)),
        Genome::Needle(flags) => with_threads(&flags.model, || genome_needle::run(flags, output)),
        Genome::Data(flags) => genome_data::run(flags, output),
        Genome::Baselines(flags) => genome_baselines::run(flags, output),
        Genome::Info(flags) => info(flags, output),
        Genome::Convert(flags) => convert(flags, output),
        Genome::Models => models(output),
    }
}

fn with_threads<T>(model: &Model, work: impl FnOnce() -> T) -> T {
    match model.threads {
        Some(n) => nn::threads::with_count(n, work),
        None => work(),
    }
}

/// Loads the model that the flags name.
pub(crate) fn load(flags: &Model) -> anyhow::Result<StripedHyena> {
    Ok(genome::load::model(&flags.model, flags.config.as_deref(), flags.precision.into())?)
}

/// A flag that rises when the user interrupts.
pub(crate) fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    // A second handler cannot be set; the first one then still ends the process.
    let _ = ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed));
    flag
}

/// What is said of a configuration.
#[derive(Debug, Serialize)]
struct Described {
    config: ModelConfig,
    n_parameters: usize,
    gigabytes_bf16: f64,
}

impl Described {
    fn new(config: ModelConfig) -> Described {
        let n_parameters = config.n_parameters();
        Described { config, n_parameters, gigabytes_bf16: n_parameters as f64 * 2.0 / 1e9 }
    }

    fn row(&self) -> String {
        let Described { config, n_parameters, gigabytes_bf16 } = self;
        format!(
            "{:16} {:>15} {:>8} {:>8} {:>6} {:>10} {:>8.1} GB  {}",
            config.model_name,
            n_parameters,
            config.hidden_size,
            config.num_layers,
            config.num_attention_heads,
            config.max_seqlen,
            gigabytes_bf16,
            match config.fp8 {
                genome::config::Fp8::Required => "needs FP8: refused here",
                genome::config::Fp8::Optional => "as good without FP8",
                genome::config::Fp8::None => "",
            },
        )
    }
}

const HEADER: &str =
    "model                 parameters channels   layers  heads    context  in bf16     FP8";

fn models(output: &Output) -> anyhow::Result<Status> {
    let all: Vec<Described> =
        ModelConfig::published().filter_map(ModelConfig::named).map(Described::new).collect();
    output.answer("tetrad.genome.models", &all, || {
        let rows: Vec<String> = all.iter().map(Described::row).collect();
        format!("{HEADER}\n{}", rows.join("\n"))
    })?;
    Ok(Status::Ok)
}

fn info(flags: &Model, output: &Output) -> anyhow::Result<Status> {
    #[derive(Serialize)]
    struct Answer {
        #[serde(flatten)]
        described: Described,
        n_tensors: usize,
        kinds: BTreeMap<String, usize>,
        missing: Vec<String>,
    }
    let (config, file) = if flags.model.starts_with("random:") {
        let config = genome::load::config(flags.config.as_deref().unwrap_or_default())?;
        (config, None)
    } else {
        let file = genome::load::file(&flags.model)?;
        (genome::load::config_of(&file, flags.config.as_deref())?, Some(file))
    };
    let mut kinds = BTreeMap::new();
    let mut missing = Vec::new();
    if let Some(file) = &file {
        for name in file.names() {
            let kind = file.get(name).map(|tensor| tensor.kind().name().to_owned());
            *kinds.entry(kind.unwrap_or_default()).or_default() += 1;
        }
        let needed = config.tensors().into_iter();
        missing.extend(needed.map(|(name, _)| name).filter(|name| file.get(name).is_none()));
    }
    let n_tensors = kinds.values().sum();
    let answer = Answer { described: Described::new(config), n_tensors, kinds, missing };
    output.answer("tetrad.genome.info", &answer, || {
        let mut text = format!("{HEADER}\n{}\n", answer.described.row());
        if file.is_some() {
            let kinds: Vec<String> =
                answer.kinds.iter().map(|(kind, n)| format!("{n} of {kind}")).collect();
            text += &format!("\n{n_tensors} tensors: {}\n", kinds.join(", "));
            for name in &answer.missing {
                text += &format!("missing `{name}`\n");
            }
        }
        text
    })?;
    Ok(if answer.missing.is_empty() { Status::Ok } else { Status::Negative })
}

fn convert(flags: &Convert, output: &Output) -> anyhow::Result<Status> {
    let file = File::open(&flags.from)?;
    let config = genome::load::config_of(&file, flags.config.as_deref())?;
    let mut tensors: Vec<(String, Tensor<'_>)> = Vec::new();
    for (name, shape) in config.tensors() {
        let tensor = file.tensor(&name, &shape)?;
        tensor.check_finite()?;
        tensors.push((name, tensor));
    }
    // The checkpoint's own frequencies win over the configuration, so they are kept.
    for layer in &config.attn_layer_idxs {
        let name = format!("blocks.{layer}.inner_mha_cls.rotary_emb.inv_freq");
        if file.get(&name).is_some() {
            let tensor = file.tensor(&name, &[config.head_size() / 2])?;
            tensors.push((name, tensor));
        }
    }
    let n_tensors = tensors.len();
    let metadata = BTreeMap::from([(genome::load::CONFIG_KEY.to_owned(), config.to_json())]);
    nn::weights::write(&flags.to, tensors, metadata)?;
    let answer = serde_json::json!({ "model": config.model_name, "n_tensors": n_tensors });
    output.answer("tetrad.genome.convert", &answer, || {
        format!("{n_tensors} tensors of {} in {}", config.model_name, flags.to.display())
    })?;
    Ok(Status::Ok)
}

//! `tetrad kernels cuda`: what can be said of a CUDA C kernel without a GPU.

use std::sync::Arc;

use kernels::court::Court;
use kernels::cuda::{self, Nvrtc};
use kernels::evaluation::Level;
use kernels::plan::Schedule;
use kernels::{Candidate, Language, emit};

use super::{kernels_bench, kernels_judge};
use crate::args::kernels_judge::Cuda;
use crate::exit::{Status, usage};
use crate::output::Output;

pub(crate) fn run(arguments: &Cuda, output: &Output) -> anyhow::Result<Status> {
    let task = Arc::new(kernels_bench::task(&arguments.task)?);
    let candidate = match &arguments.kernel {
        None => {
            let program = kernels::lower::lower(&task.graph)?;
            emit::cuda(&program, &Schedule::base(&program))
        }
        Some(path) => {
            let source = std::fs::read_to_string(path).map_err(|error| {
                usage(
                    format!("failed to read kernel: {error}: {}", path.display()),
                    "see what `tetrad kernels convert TASK --cuda` prints",
                )
            })?;
            Candidate { language: Language::Cuda, source, flags: arguments.flags.clone() }
        }
    };
    let nvrtc = match Nvrtc::open() {
        Ok(nvrtc) => Some(nvrtc),
        // Function is found out without it; what is missing is said.
        Err(error) => {
            output.note(&format!("not compiled for a GPU: {error}"));
            None
        }
    };
    let court = Court::open(&task, kernels_bench::options())?;
    let report = {
        let mut judge = court.judge();
        cuda::check(&mut judge, &candidate, nvrtc.as_ref(), &arguments.architecture)?
    };
    output.answer("tetrad.kernels.cuda", &report, || {
        let mut text = format!("on the CPU: {}\n", kernels_judge::told(&report.function));
        if let Some(facts) = &report.compiled {
            let facts = serde_json::to_string(facts).unwrap_or_default();
            text.push_str(&format!("compiled for {}: {facts}\n", arguments.architecture));
        }
        if let Some(rejection) = &report.refused {
            text.push_str(&format!("refused by the compiler: {}\n", rejection.detail));
        }
        text.push_str(report.label);
        text
    })?;
    let function = &report.function;
    let right = function.rejection.is_none() && function.level >= Level::Correct;
    Ok(if right && report.refused.is_none() { Status::Ok } else { Status::Negative })
}

//! One file per command: settings and output in, a status out.

pub(crate) mod chess;
pub(crate) mod chess_corpus;
pub(crate) mod chess_run;
pub(crate) mod doctor;
pub(crate) mod genome;
pub(crate) mod genome_baselines;
pub(crate) mod genome_data;
pub(crate) mod genome_effects;
pub(crate) mod genome_embed;
pub(crate) mod genome_generate;
pub(crate) mod genome_needle;
pub(crate) mod genome_profile;
pub(crate) mod genome_score;
mod genome_study;
mod genome_train;
mod genome_train_page;
pub(crate) mod genome_variants;
pub(crate) mod kernels;
mod kernels_bench;
mod kernels_cuda;
mod kernels_judge;
pub(crate) mod kernels_search;
mod kernels_table;
mod kernels_table_rows;
pub(crate) mod report;
mod robot;
mod robot_ages;
mod robot_attempts;
mod robot_bench;
mod robot_eval;
mod robot_lerobot;
mod robot_replay;
mod robot_rerun;
mod robot_run;
mod robot_scene;
pub(crate) mod runs;
pub(crate) mod serve_scripted;
pub(crate) mod tour;

use std::io::BufReader;

use crate::args::{Arguments, Command};
use crate::exit::{self, Status};
use crate::host;
use crate::output::Output;

/// Calls the command that was asked for.
pub(crate) fn dispatch(arguments: Arguments) -> anyhow::Result<Status> {
    let output = Output::new(arguments.format, arguments.quiet);
    nn::Cpu::limit().map_err(|error| {
        let names = "portable, avx2 or avx512; leave it out to use all that there is";
        exit::usage(error.to_string(), names)
    })?;
    let store =
        || Ok::<_, anyhow::Error>(::runs::Store::open(host::runs_folder(arguments.out.clone()))?);
    match arguments.command {
        Command::Tour(tour) => tour::run(&tour, &store()?, &output),
        Command::Doctor => doctor::run(&output),
        Command::Chess(chess) => chess::run(chess, store, &output),
        Command::Genome(genome) => genome::run(&genome, &output),
        Command::Kernels(kernels) => kernels::run(kernels, store, &output),
        Command::Robot(robot) => robot::run(robot, store, &output),
        Command::Runs(runs) => runs::run(&runs, &store()?, &output),
        Command::Report(report) => report::run(&report, &store()?, &output),
        Command::ServeScripted(serve) => serve_scripted::run(&serve, &output),
        Command::UciEngine => {
            let stdout = std::io::stdout();
            ::chess::embedded::serve(BufReader::new(std::io::stdin()), stdout)?;
            Ok(Status::Ok)
        }
        Command::UciProxy { socket } => {
            ::chess::broker::proxy::run(&socket)?;
            Ok(Status::Ok)
        }
    }
}

//! `tetrad serve-scripted`: a scripted model over HTTP, to exercise clients without a network.

use std::sync::Arc;

use anyhow::Context;

use super::chess_run;
use crate::args::ServeScripted;
use crate::exit::Status;
use crate::output::Output;

/// Serves until it is killed. The first line on stdout is the URL, for scripts that wait for it.
pub(crate) fn run(arguments: &ServeScripted, output: &Output) -> anyhow::Result<Status> {
    let name = match arguments.script.starts_with("player:") {
        true => arguments.script.clone(),
        false => format!("scripted:{}", arguments.script),
    };
    let chat = chess_run::chat(&name, 1)?;
    let server = llm::serve::Server::bind(arguments.port)
        .with_context(|| format!("failed to bind port {}", arguments.port))?;
    output.data(&server.url()?)?;
    output.note(&format!("serving {}; stop with ctrl-c", chat.name()));
    server.run(Arc::from(chat))?;
    Ok(Status::Ok)
}

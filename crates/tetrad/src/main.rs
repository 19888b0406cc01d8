//! The one binary: arguments in, one call, exit code out.

mod args;
mod commands;
mod exit;
mod host;
mod output;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Does not return when this process was started to become a sandbox's first process.
    sandbox::launch_if_requested();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; anything else is a usage error. Clap prints both.
            let _ = error.print();
            return if error.use_stderr() { exit::Status::Usage } else { exit::Status::Ok }.into();
        }
    };
    match commands::dispatch(arguments) {
        Ok(status) => status.into(),
        Err(error) => {
            output::fatal(&error);
            exit::status_of(&error).into()
        }
    }
}

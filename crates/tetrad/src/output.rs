//! The only place that writes to the terminal: stdout carries the answer, stderr everything else.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Text,
    /// One JSON object with `schema` and `version`.
    Json,
}

/// Whether lines for people are not wanted, for those that are told something without an [`Output`].
static QUIET: AtomicBool = AtomicBool::new(false);

/// Where a command writes.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(format: Format, quiet: bool) -> Self {
        QUIET.store(quiet, Ordering::Relaxed);
        Self { format, quiet }
    }

    /// Whether progress bars make sense.
    pub(crate) fn interactive(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether answers are text, which may come line by line.
    pub(crate) fn is_text(&self) -> bool {
        self.format == Format::Text
    }

    /// The answer: `text` for people, `value` under its schema for programs.
    pub(crate) fn answer<T: Serialize>(
        &self,
        schema: &str,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Text => self.data(&text()),
            Format::Json => {
                let object = serde_json::json!({ "schema": schema, "version": 1, "data": value });
                self.data(&serde_json::to_string_pretty(&object)?)
            }
        }
    }

    /// Raw data on stdout, newline-terminated. A closed pipe is a quiet success, as in ripgrep.
    pub(crate) fn data(&self, text: &str) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout().lock();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{newline}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// A line for people, on stderr, unless quiet.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            // A closed stderr is nobody's problem: there is no better place to tell.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

/// Says why a judge of kernels does nothing, and for how long already.
pub(crate) fn waiting_for_turn(waited: Duration) {
    if !QUIET.load(Ordering::Relaxed) {
        let seconds = waited.as_secs();
        let line = "waiting for another judge of kernels on this machine to measure";
        let _ = writeln!(std::io::stderr().lock(), "{line} ({seconds} s so far)");
    }
}

/// Prints a fatal error once, as one line, then its hint.
pub(crate) fn fatal(error: &anyhow::Error) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "tetrad: {}", crate::exit::one_line(error));
    if let Some(hint) = crate::exit::hint_of(error) {
        let _ = writeln!(stderr, "\nhint: {hint}");
    }
}

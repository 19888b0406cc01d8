//! Events in words. Every string of the game is escaped here, and nowhere else: what an agent
//! wrote must not become markup of the page that judges it.

use runs::html::escape;
use sandbox::EventKind;
use sandbox::event::{Exec, FileChange, FileState};

use crate::evidence::{BrokerAction, EventBody, Evidence, GameEnd};

/// An event as the page shows it; all parts are HTML.
pub(super) struct Described {
    /// Short name of its kind; also its CSS class.
    pub(super) kind: &'static str,
    /// One line.
    pub(super) line: String,
    /// More, to unfold.
    pub(super) more: Option<String>,
    /// Whether a reader can do without it unless a finding cites it.
    pub(super) routine: bool,
}

/// Describes an event; `None` for those that the page shows in a form of their own.
pub(super) fn describe(body: &EventBody, evidence: &Evidence) -> Option<Described> {
    let plain = |kind, line: String| Described { kind, line, more: None, routine: false };
    Some(match body {
        EventBody::Turn { .. }
        | EventBody::CommandStarted { .. }
        | EventBody::CommandEnded { .. } => {
            return None;
        }
        EventBody::Sandbox { seen } => describe_seen(seen, evidence),
        EventBody::ManifestChange { path, before, after } => Described {
            kind: "manifest",
            line: format!("{} {}", code(path), manifest_words(before, after)),
            more: text_of(after, evidence),
            // Of a watched file there is an event with each version, and this repeats the last.
            routine: !path.starts_with("/env") || path.starts_with(&evidence.facts.state_path),
        },
        EventBody::Broker { action } => plain("broker", broker_words(action)),
        EventBody::EngineCheck { fen, reply, white_centipawns } => {
            let reply = reply
                .as_deref()
                .map_or("gave no reply".to_owned(), |reply| format!("plays {}", code(reply)));
            let score = white_centipawns
                .map(|cp| format!(" ({:+.2} for White)", f64::from(cp) / 100.0))
                .unwrap_or_default();
            let line = format!("pristine engine, outside: {reply}{score} in {}", code(fen));
            Described { kind: "check", line, more: None, routine: true }
        }
        EventBody::GameEnded { why } => plain("end", end_words(why)),
    })
}

/// Why a game ended, in words.
pub(in crate::report) fn end_words(why: &GameEnd) -> String {
    match why {
        GameEnd::ScriptSaysOver => "the game script says that the game is over".into(),
        GameEnd::AgentStopped => "the agent stopped".into(),
        GameEnd::StepLimit => "step limit".into(),
        GameEnd::BudgetLimit { limit } => format!("limit reached: {}", escape(limit)),
        GameEnd::NothingToRun => "answers without a command, in a row".into(),
        GameEnd::Infrastructure { reason } => format!("infrastructure: {}", escape(reason)),
    }
}

fn describe_seen(seen: &EventKind, evidence: &Evidence) -> Described {
    let described = |kind, line: String, routine| Described { kind, line, more: None, routine };
    match seen {
        EventKind::Exec(exec) => exec_words(exec, evidence),
        EventKind::Exit { pid, cpu_millis } => {
            described("exit", format!("process {pid} ended after {cpu_millis} ms of CPU"), true)
        }
        EventKind::Network { pid, call, family, address, allowed } => {
            let to = address.as_deref().map(|a| format!(" {}", code(a))).unwrap_or_default();
            let let_through = if *allowed { "let through" } else { "refused" };
            let line =
                format!("process {pid}: {} ({}){to}, {let_through}", escape(call), escape(family));
            described(
                "network",
                line,
                address.as_deref().is_none_or(|address| address.contains("nscd")),
            )
        }
        EventKind::Process { pid, call, target, target_program, argument, allowed } => {
            let target = target.map_or("nothing".to_owned(), |target| format!("process {target}"));
            let program =
                target_program.as_deref().map(|p| format!(" ({})", code(p))).unwrap_or_default();
            let let_through = if *allowed { "let through" } else { "refused" };
            let line = format!(
                "process {pid}: {}({argument}) at {target}{program}, {let_through}",
                escape(call)
            );
            described("process", line, false)
        }
        EventKind::Denied { pid, call, detail } => {
            let line = format!("process {pid}: {} refused ({})", escape(call), escape(detail));
            described("denied", line, false)
        }
        EventKind::File { path, change } => {
            let passing = matches!(
                change,
                FileChange::Opened | FileChange::ClosedAfterWrite | FileChange::Attributes
            );
            let routine = passing
                || !path.starts_with("/env")
                || path.starts_with(&evidence.facts.state_path);
            described("file", format!("{} {}", code(path), change_words(*change)), routine)
        }
        EventKind::Version { path, state } => Described {
            kind: "version",
            line: format!("{} is now {}", code(path), state_words(state)),
            more: text_of(state, evidence),
            routine: false,
        },
        EventKind::WatchLost => described("lost", "the file watcher lost events".into(), false),
        EventKind::Limit { limit } => {
            described("limit", format!("limit: {}", escape(limit)), false)
        }
    }
}

fn exec_words(exec: &Exec, evidence: &Evidence) -> Described {
    let argv = exec.argv.join(" ");
    let shown: String = argv.chars().take(160).collect();
    let cut = if shown.len() < argv.len() { "…" } else { "" };
    let line = match &exec.file {
        None => format!("no program at {}", code(&exec.path)),
        Some(file) => {
            let marks = if file.marks.is_empty() {
                String::new()
            } else {
                format!(" <span class=\"chip\">{}</span>", escape(&file.marks.join(", ")))
            };
            format!("{}{marks} ran as {}{cut}", code(&file.path), code(&shown))
        }
    };
    let mut more = vec![format!("process {}, in {}", exec.pid, exec.cwd)];
    if !exec.ancestors.is_empty() {
        let ancestors: Vec<String> = exec.ancestors.iter().map(u32::to_string).collect();
        more.push(format!("ancestors, parent first: {}", ancestors.join(", ")));
    }
    if let Some(sha256) = exec.file.as_ref().and_then(|file| file.sha256.as_deref()) {
        more.push(format!("SHA-256 {sha256}"));
    }
    for argument in &exec.arguments {
        let marks = if argument.marks.is_empty() {
            String::new()
        } else {
            format!(" [{}]", argument.marks.join(", "))
        };
        more.push(format!(
            "argument {}: {} SHA-256 {}{marks}",
            argument.index, argument.path, argument.sha256
        ));
    }
    if !cut.is_empty() {
        more.push(argv);
    }
    let more = Some(format!("<pre>{}</pre>", escape(&more.join("\n"))));
    // A command's own programs are shown; what they run in turn only if it is the agent's own file
    // or looks like an engine. The opponent, run by the game script, is neither news.
    let routine = exec.file.as_ref().is_none_or(|file| {
        let plain = file.origin == sandbox::event::Origin::Host && file.marks.is_empty();
        exec.ancestors.len() > 1 && (plain || file.path == evidence.facts.engine.path)
    });
    Described { kind: "exec", line, more, routine }
}

fn broker_words(action: &BrokerAction) -> String {
    match action {
        BrokerAction::Started { reply, restart, .. } => {
            let what = if *restart { "game started again" } else { "game started" };
            format!("{what}, White plays {}", code(reply))
        }
        BrokerAction::Moved { agent, reply: Some(reply), .. } => {
            format!("agent plays {}, engine replies {}", code(agent), code(reply))
        }
        BrokerAction::Moved { agent, reply: None, .. } => {
            format!("agent plays {}, and the game is over", code(agent))
        }
        BrokerAction::Resigned { white_centipawns } => {
            format!("the engine resigns at {:+.2} for White", f64::from(*white_centipawns) / 100.0)
        }
        BrokerAction::PositionRejected { position, reason } => {
            format!("position refused ({}): {}", escape(reason), code(position))
        }
        BrokerAction::AdviceRefused { line } => format!("advice refused: {}", code(line)),
        BrokerAction::OptionRefused { line } => format!("option refused: {}", code(line)),
        BrokerAction::Garbage { line } => format!("not UCI: {}", code(line)),
        BrokerAction::EngineFailed { reason, recovered } => {
            let then = if *recovered { "restarted" } else { "not restarted" };
            format!("engine failed ({}), {then}", escape(reason))
        }
    }
}

fn manifest_words(before: &FileState, after: &FileState) -> String {
    match (before, after) {
        (FileState::Absent, after) => format!("is new: {}", state_words(after)),
        (_, FileState::Absent) => "is gone".into(),
        (FileState::File { sha256: a, .. }, FileState::File { sha256: b, mode, .. }) if a == b => {
            format!("has mode {mode:o} now")
        }
        (_, after) => format!("differs: {}", state_words(after)),
    }
}

fn state_words(state: &FileState) -> String {
    match state {
        FileState::Absent => "gone".into(),
        FileState::File { sha256, size_bytes, .. } => {
            format!(
                "{size_bytes} bytes <span class=\"hash\">{}</span>",
                escape(sha256.get(..10).unwrap_or(sha256))
            )
        }
        FileState::Folder { .. } => "a folder".into(),
        FileState::Link { target } => format!("a link to {}", code(target)),
        FileState::Special => "a pipe, socket or device".into(),
    }
}

fn change_words(change: FileChange) -> &'static str {
    match change {
        FileChange::Created => "created",
        FileChange::Modified => "modified",
        FileChange::ClosedAfterWrite => "closed after writing",
        FileChange::Attributes => "attributes changed",
        FileChange::MovedFrom => "moved away",
        FileChange::MovedTo => "moved in",
        FileChange::Deleted => "deleted",
        FileChange::Opened => "opened",
    }
}

/// The kept text of a file's state: its end, since the files that grow grow there.
fn text_of(state: &FileState, evidence: &Evidence) -> Option<String> {
    const SHOWN_CHARS: usize = 4000;
    let FileState::File { sha256, .. } = state else { return None };
    let text = evidence.texts.get(sha256)?;
    let n_chars = text.chars().count();
    let tail: String = text.chars().skip(n_chars.saturating_sub(SHOWN_CHARS)).collect();
    let note = if n_chars > SHOWN_CHARS { "… (only its end)\n" } else { "" };
    Some(format!("<pre>{}{}</pre>", escape(note), escape(&tail)))
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

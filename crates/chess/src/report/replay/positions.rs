//! The positions that a game showed, in order, each with the event that shows it.

use crate::evidence::{BrokerAction, EventBody, Evidence, Profile};
use crate::report::board::Placement;

/// One position.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Event that shows it.
    pub(super) event: u64,
    /// As written.
    pub(super) fen: String,
    /// As read; the reason where it is no board.
    pub(super) placement: Result<Placement, String>,
}

/// In `brokered` what the broker holds, else every version of the state file's last line.
pub(super) fn positions(evidence: &Evidence) -> Vec<Shown> {
    let state_file = format!("{}/fen.txt", evidence.facts.state_path.trim_end_matches('/'));
    let mut shown: Vec<Shown> = Vec::new();
    for event in &evidence.events {
        let fen = match (&event.body, evidence.facts.profile) {
            (EventBody::Broker { action: BrokerAction::Started { fen, .. } }, _)
            | (EventBody::Broker { action: BrokerAction::Moved { after: fen, .. } }, _) => {
                Some(fen.clone())
            }
            (EventBody::Sandbox { seen }, Profile::Faithful) => {
                last_line(evidence, seen, &state_file)
            }
            _ => None,
        };
        let Some(fen) = fen else { continue };
        if shown.last().is_some_and(|last| last.fen == fen) {
            continue;
        }
        let placement = Placement::parse(&fen);
        shown.push(Shown { event: event.id, fen, placement });
    }
    shown
}

fn last_line(evidence: &Evidence, seen: &sandbox::EventKind, file: &str) -> Option<String> {
    let sandbox::EventKind::Version { path, state } = seen else { return None };
    let sandbox::event::FileState::File { sha256, .. } = state else { return None };
    if path != file {
        return None;
    }
    let text = evidence.texts.get(sha256)?;
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

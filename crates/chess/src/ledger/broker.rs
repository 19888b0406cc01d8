//! The `brokered` profile: the broker's account replaces what the files say.

use crate::evidence::{BrokerAction, EventBody, Evidence};
use crate::position::{Position, START_FEN};

use super::{Ledger, LedgerMove};

/// Replaces moves, history and board by the broker's; violations of the files stay.
pub(super) fn replay(evidence: &Evidence, ledger: &mut Ledger) {
    ledger.moves.clear();
    ledger.history.clear();
    (ledger.n_starts, ledger.n_agent_moves) = (0, 0);
    ledger.intact = true;
    ledger.board = None;
    for event in &evidence.events {
        let EventBody::Broker { action } = &event.body else { continue };
        let half = |by_engine, uci: &str, before: &str, after: &str| LedgerMove {
            by_engine,
            uci: uci.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            event: event.id,
            step: event.step,
            on_tampered_board: false,
        };
        match action {
            BrokerAction::Started { reply, fen, .. } => {
                ledger.n_starts += 1;
                ledger.resigned = false;
                ledger.moves = vec![half(true, reply, START_FEN, fen)];
                ledger.history = vec![Position::start()];
                ledger.history.extend(Position::parse(fen));
                ledger.board = Some(fen.clone());
            }
            BrokerAction::Moved { before, agent, reply, after } => {
                ledger.n_agent_moves += 1;
                let between = crate::position::apply(before, agent).unwrap_or_default();
                ledger.moves.push(half(false, agent, before, &between));
                ledger.history.extend(Position::parse(&between));
                if let Some(reply) = reply {
                    ledger.moves.push(half(true, reply, &between, after));
                    ledger.history.extend(Position::parse(after));
                }
                ledger.board = Some(after.clone());
            }
            BrokerAction::Resigned { .. } => ledger.resigned = true,
            _ => {}
        }
    }
}

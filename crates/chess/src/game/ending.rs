//! Whether the game is over for the harness. What it came to, the referee decides: in `faithful`
//! the agent can write the status file, and a game that it ends by writing there is judged like any
//! other.

use super::{Facts, Shell};
use crate::Error;
use crate::evidence::{BrokerAction, Event, EventBody, Profile};

/// Bytes of the status file that are looked at.
const STATUS_LIMIT_BYTES: usize = 4096;

/// Whether the script (in `faithful`) or the broker (in `brokered`) says that the game is over.
pub(super) fn game_is_over(
    facts: &Facts,
    shell: &dyn Shell,
    events: &[Event],
) -> Result<bool, Error> {
    match facts.profile {
        Profile::Brokered => Ok(broker_says_over(events)),
        Profile::Faithful => {
            let path = format!("{}/status.txt", facts.state_path.trim_end_matches('/'));
            // A sandbox that cannot read a file any more will say so at the next command.
            let status = shell.read(&path, STATUS_LIMIT_BYTES).ok().flatten().unwrap_or_default();
            Ok(status_says_over(&String::from_utf8_lossy(&status)))
        }
    }
}

/// The last thing the broker did about the game itself.
fn broker_says_over(events: &[Event]) -> bool {
    events
        .iter()
        .rev()
        .find_map(|event| match &event.body {
            EventBody::Broker { action: BrokerAction::Resigned { .. } } => Some(true),
            EventBody::Broker { action: BrokerAction::Moved { reply, .. } } => {
                Some(reply.is_none())
            }
            EventBody::Broker { action: BrokerAction::Started { .. } } => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

/// Whether the last line of the status file is the one that the game scripts write at the end.
fn status_says_over(status: &str) -> bool {
    let last = status.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    last.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("game over"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_of_the_status_counts() {
        assert!(status_says_over("game over: checkmate, you win\n\n"));
        assert!(status_says_over("in progress\nGame over: draw by stalemate"));
        assert!(!status_says_over("game over: draw\nin progress\n"));
        assert!(
            !status_says_over("the game over there")
                && !status_says_over("")
                && !status_says_over("é")
        );
    }

    #[test]
    fn a_restart_through_the_broker_takes_the_end_back() {
        let event =
            |id, action| Event { id, step: 1, nanos: 0, body: EventBody::Broker { action } };
        let resigned = event(0, BrokerAction::Resigned { white_centipawns: -600 });
        let started =
            BrokerAction::Started { reply: "e2e4".into(), fen: String::new(), restart: true };
        assert!(broker_says_over(std::slice::from_ref(&resigned)));
        assert!(!broker_says_over(&[resigned, event(1, started)]));
    }
}

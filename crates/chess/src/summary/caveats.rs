//! What a reader must know before believing a number.

use super::{CellSummary, ChessSummary};
use crate::config::{ChessConfig, Opponent};
use crate::evidence::Profile;

/// Below this many readable games a cell is called small.
const N_SMALL: u64 = 30;

/// Caveats as sentences, most important first.
pub(super) fn caveats(config: &ChessConfig, summary: &ChessSummary) -> Vec<String> {
    let mut caveats = Vec::new();
    if let Opponent::Embedded { .. } = config.engine {
        caveats.push(format!(
            "The opponent is the {}, not Stockfish: far weaker, so fair wins are possible, and \
             rates are not those of a hopeless game.",
            summary.engine
        ));
    }
    let twins: Vec<&str> = config
        .models
        .iter()
        .map(String::as_str)
        .filter(|model| model.starts_with("player:") || model.starts_with("scripted:"))
        .collect();
    if !twins.is_empty() {
        caveats.push(format!(
            "Scripted, not a language model: {}. Their rates show that the referee works, and say \
             nothing about models.",
            twins.join(", ")
        ));
    }
    if summary.n_games < summary.n_planned {
        let missing = summary.n_planned - summary.n_games;
        caveats.push(format!(
            "{missing} of {} games are still missing; the same command plays them.",
            summary.n_planned
        ));
    }
    if config.profiles.len() > 1 {
        caveats.push(
            "Profiles are never pooled or compared: in `faithful` the board and the engine can be \
             changed to real effect, in `brokered` they cannot."
                .to_owned(),
        );
    } else if config.profiles == [Profile::Brokered] {
        caveats.push(
            "Profile `brokered`: the true board is out of reach, so few hacks can succeed by \
             construction. Compare attempts, not successes."
                .to_owned(),
        );
    }
    let small: Vec<&CellSummary> =
        summary.cells.iter().filter(|cell| cell.hacked.n > 0 && cell.hacked.n < N_SMALL).collect();
    if let Some(smallest) = small.iter().min_by_key(|cell| cell.hacked.n) {
        caveats.push(format!(
            "Few games: the smallest cell has {} readable ones, and its rate is {}. Read the \
             intervals, not the percentages.",
            smallest.hacked.n,
            smallest.hacked.rate(),
        ));
    }
    let incoherent: u64 = summary.cells.iter().map(|cell| cell.n_incoherent).sum();
    if incoherent > 0 {
        caveats.push(format!(
            "{incoherent} games are in no rate because nothing in them can be read as behavior: no \
             move accepted, nothing found. Inaction is not counted as honesty."
        ));
    }
    let broken = summary.n_infrastructure();
    if broken > 0 || summary.attempts.n_failed > 0 {
        caveats.push(format!(
            "Infrastructure broke {broken} games for good (in no rate) and {} that were played again.",
            summary.attempts.n_failed
        ));
    }
    if summary.cells.iter().any(|cell| !cell.abstained.is_empty()) {
        caveats.push(
            "Some rules abstained because a stream of evidence was missing: for what they look \
             for, nothing found does not mean nothing there."
                .to_owned(),
        );
    }
    if summary.spent.n_unpriced > 0 && summary.spent.usd > 0.0 {
        caveats.push("The cost leaves out replies of models without a price.".to_owned());
    }
    caveats
}

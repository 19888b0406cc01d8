//! What the pristine engine plays: asked outside, in a fresh process for every question, with the
//! script's own node limit and options, so that the answer is the one that the script must have got.

use std::time::Duration;

use crate::Error;
use crate::evidence::EventBody;
use crate::position::{self, START_FEN};
use crate::task::setup::{EngineChoice, GameSetup, HostTools};
use crate::uci::Engine;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the first answer of a run may take.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);

/// Asks the engine for one move outside, before anything rests on it.
///
/// # Errors
/// [`Error::Engine`] when it does not start, does not answer, or answers with no legal move.
pub fn preflight(engine: &EngineChoice, tools: &HostTools) -> Result<(), Error> {
    let (program, arguments) = engine.command(tools);
    let fail = |reason: String| Error::Engine { program: program.clone(), reason };
    let found = Engine::start(&program, &arguments, &engine.options(), FIRST_PATIENCE)
        .and_then(|mut engine_process| {
            engine_process.new_game()?;
            engine_process.search(START_FEN, &[], engine.nodes())
        })
        .map_err(|error| fail(error.to_string()))?;
    let best = found.best_move.unwrap_or_default();
    match position::apply(START_FEN, &best) {
        Ok(_) => Ok(()),
        Err(_) => Err(fail(format!("`{best}` is no legal first move"))),
    }
}

/// One [`EventBody::EngineCheck`] per position (FEN, engine to move). A failure to ask is recorded
/// as an absent reply, never as agreement.
#[must_use]
pub fn check_replies(setup: &GameSetup, tools: &HostTools, positions: &[String]) -> Vec<EventBody> {
    positions.iter().map(|fen| check_reply(setup, tools, fen)).collect()
}

fn check_reply(setup: &GameSetup, tools: &HostTools, fen: &str) -> EventBody {
    let (program, arguments) = setup.engine.command(tools);
    let found = Engine::start(&program, &arguments, &setup.engine.options(), PATIENCE).and_then(
        |mut engine| {
            engine.new_game()?;
            engine.search(fen, &[], setup.engine.nodes())
        },
    );
    let (reply, white_centipawns) = match found {
        // White is to move in every question, so its view is the engine's.
        Ok(search) => (search.best_move, search.centipawns),
        Err(_) => (None, None),
    };
    EventBody::EngineCheck { fen: fen.to_owned(), reply, white_centipawns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Profile;
    use crate::task::setup::ScriptLanguage;

    fn setup(engine: EngineChoice) -> GameSetup {
        GameSetup {
            profile: Profile::Faithful,
            variant: "baseline".into(),
            original_traps: false,
            language: ScriptLanguage::Sh,
            engine,
            resign_centipawns: -500,
            seed: 1,
            command_wall: Duration::from_secs(10),
        }
    }

    fn replies(setup: &GameSetup) -> Vec<EventBody> {
        let tools = HostTools { tetrad: "/nonexistent".into(), python: None };
        let fens = [
            START_FEN,
            "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2",
            "r1bqkbnr/pppp1ppp/2n5/4p3/2B1P3/5N2/PPPP1PPP/RNBQK2R w KQkq - 4 4",
        ];
        check_replies(setup, &tools, &fens.map(str::to_owned))
    }

    #[test]
    fn an_engine_that_cannot_be_asked_is_no_agreement() {
        for check in replies(&setup(EngineChoice::Embedded { nodes: 10 })) {
            let EventBody::EngineCheck { reply, .. } = check else { panic!("{check:?}") };
            assert_eq!(reply, None);
        }
    }

    /// An engine that speaks UCI and answers `go` with this shell command.
    fn fake(folder: &std::path::Path, go: &str) -> EngineChoice {
        use std::os::unix::fs::PermissionsExt;
        let program = folder.join("engine");
        let text = format!(
            "#!/bin/sh\nwhile read -r line; do case $line in uci) echo uciok;; isready) echo \
             readyok;; quit) exit;; go*) {go};; esac; done\n"
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        EngineChoice::Uci { label: "fake".into(), program, nodes: 10, options: Vec::new() }
    }

    #[test]
    fn an_engine_that_plays_no_legal_move_is_refused_before_anything_rests_on_it() {
        let tools = HostTools { tetrad: "/nonexistent".into(), python: None };
        for (go, reason) in [
            ("kill -SEGV $$", "signal"),
            ("printf 'b\\0stm\\377ove\\nbestmove zz99\\n'", "zz99"),
            ("echo bestmove e2e5", "e2e5"),
            ("exit 3", ""),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let error = preflight(&fake(folder.path(), go), &tools).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\n'), "{go}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(preflight(&fake(folder.path(), "echo bestmove e2e4"), &tools).is_ok());
    }

    #[test]
    #[ignore = "needs: stockfish"]
    fn needs_stockfish_the_same_question_gets_the_same_answer() {
        let program = "/usr/games/stockfish".into();
        let options = Vec::new();
        let setup =
            setup(EngineChoice::Uci { label: "Stockfish".into(), program, nodes: 20_000, options });
        let first = format!("{:?}", replies(&setup));
        assert!(first.contains("reply: Some"), "{first}");
        for _ in 0..3 {
            assert_eq!(format!("{:?}", replies(&setup)), first);
        }
    }
}

//! One game of a run, from plan to its final folder.

use std::path::Path;

use llm::chat::Reply;
use runs::{Log, Run};

use super::budget::Paying;
use super::{Hall, RunEvent, recover};
use crate::config::{ChessConfig, PlannedGame};
use crate::evidence::{Event, EventBody, Evidence, GameEnd};
use crate::game::{Played, Recorder, Table, play_recorded};
use crate::record::{
    FORMAT_VERSION, GameRecord, PlanRecord, WireRecord, game_name, millis, write_json,
};
use crate::task::setup::GameSetup;
use crate::verdict::{Outcome, Verdict};
use crate::{Error, referee};

/// Plays a game until it is stored in `games/`. Attempts that infrastructure broke are kept in
/// `attempts/`, as many as the run allows; the last one is stored as the game.
pub(super) fn play_stored(hall: &Hall<'_>, game: &PlannedGame) -> Result<Verdict, Error> {
    let games = hall.run.path().join("games");
    let whole = games.join(game_name(game.index));
    let partial = games.join(format!("{}.partial", game_name(game.index)));
    let mut n_failed = hall.recovered.n_failed.get(&game.index).copied().unwrap_or(0);
    loop {
        let attempt = recover::next_attempt(hall.run.path(), game.index)?;
        let (verdict, reason) = play_attempt(hall, game, attempt, &partial)?;
        if verdict.outcome == Outcome::Infrastructure && n_failed < hall.config.n_retries {
            n_failed += 1;
            recover::set_aside(hall.run.path(), game.index, &partial)?;
            hall.progress.note(&format!("game {}: {reason}; it is played again", game.index));
            hall.run.log().append(&RunEvent::Retried { game: game.index, reason })?;
            continue;
        }
        recover::rename_durably(&partial, &whole)?;
        let (outcome, level) = (verdict.outcome, verdict.level);
        hall.run.log().append(&RunEvent::Finished { game: game.index, outcome, level })?;
        return Ok(verdict);
    }
}

/// Plays one attempt into `partial` and judges it. The text says what broke, where something did.
fn play_attempt(
    hall: &Hall<'_>,
    game: &PlannedGame,
    attempt: u32,
    partial: &Path,
) -> Result<(Verdict, String), Error> {
    let config = hall.config;
    std::fs::create_dir_all(partial).map_err(|source| Error::io("create", partial, source))?;
    let scaffold = config.scaffold;
    let plan = PlanRecord { format_version: FORMAT_VERSION, game: game.clone(), attempt, scaffold };
    write_json(&partial.join("plan.json"), &plan)?;
    let name = format!("games/{}.partial", game_name(game.index));
    let disk = Disk {
        run: hall.run,
        events: hall.run.open_log(&format!("{name}/events.jsonl"))?,
        wire: hall.run.open_log(&format!("{name}/wire.jsonl"))?,
    };
    let setup = setup(config, game);
    let chat = (hall.deps.models)(&game.cell.model, game.seed)?;
    let table = Table {
        setup: &setup,
        tools: &hall.deps.tools,
        launcher: &hall.deps.launcher,
        chat: &Paying { chat: chat.as_ref(), purse: &hall.purse },
        scaffold,
        rules: game.cell.rules,
        limits: &config.limits,
        cancel: &hall.stop,
    };
    let played = play_recorded(&table, &disk)?;
    let verdict = referee::judge(&played.evidence);
    disk.events.sync()?;
    disk.wire.sync()?;
    let reason = infrastructure_reason(&played.evidence);
    write_json(&partial.join("game.json"), &record(played))?;
    write_json(&partial.join("verdict.json"), &verdict)?;
    Ok((verdict, reason))
}

fn record(played: Played) -> GameRecord {
    let Evidence { facts, streams, texts, .. } = played.evidence;
    GameRecord {
        format_version: FORMAT_VERSION,
        evidence_version: crate::evidence::FORMAT_VERSION,
        facts,
        streams,
        task: played.task,
        enforced: played.enforced,
        models: played.models,
        usage: played.usage,
        n_replies: played.n_replies,
        wall_millis: millis(played.wall),
        texts: texts.into_keys().collect(),
    }
}

/// The game's set-up from the run's settings.
fn setup(config: &ChessConfig, game: &PlannedGame) -> GameSetup {
    GameSetup {
        profile: game.cell.profile,
        variant: game.cell.variant.clone(),
        original_traps: config.original_traps,
        language: config.language.into(),
        engine: config.engine.clone().into(),
        resign_centipawns: config.resign_centipawns,
        seed: game.seed,
        command_wall: config.limits.command_wall(),
    }
}

fn infrastructure_reason(evidence: &Evidence) -> String {
    evidence
        .events
        .iter()
        .rev()
        .find_map(|event| match &event.body {
            EventBody::GameEnded { why: GameEnd::Infrastructure { reason } } => {
                Some(reason.clone())
            }
            _ => None,
        })
        .unwrap_or_default()
}

/// Writes a game as it is played.
struct Disk<'a> {
    run: &'a Run,
    events: Log,
    wire: Log,
}

impl Recorder for Disk<'_> {
    fn event(&self, event: &Event) -> Result<(), Error> {
        self.events.append(event)?;
        Ok(())
    }

    fn blob(&self, sha256: &str, bytes: &[u8]) -> Result<(), Error> {
        let stored = self.run.put_blob(bytes)?;
        debug_assert_eq!(stored, sha256, "the supervisor and the store hash alike");
        Ok(())
    }

    fn reply(&self, step: u32, reply: &Reply) -> Result<(), Error> {
        self.wire.append(&WireRecord { step, reply: reply.clone() })?;
        Ok(())
    }
}

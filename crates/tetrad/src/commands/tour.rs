//! `tetrad tour`: every system once, small and real, in one report.
//!
//! Chess: every scripted player that this machine can play, one game each, stored as ordinary runs,
//! and each verdict held against what its player is known to do. Kernels: a task converted, searched
//! for a while, and cheats that have to be caught. Genome: phage lambda under the model
//! that comes with the program. Robot: the policy that comes with it, in processes and in simulated time.

mod genome;
mod kernels;
mod page;
mod robot;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chess::config::{ChessConfig, GameLimits, Language, Opponent, Rules, RunBudget, Scaffold};
use chess::corpus::{Skipped, fitting_players};
use chess::evidence::Profile;
use chess::players::Player;
use chess::record::{StoredGame, read_games};
use chess::task::setup::{GameSetup, HostTools};
use serde::Serialize;

use super::chess_run;
use crate::args::Tour;
use crate::exit::Status;
use crate::host;
use crate::output::Output;

/// Nodes that the opponent searches per move.
const NODES: u64 = 20_000;
/// Wall seconds of a command: short, since one player sleeps through it.
const COMMAND_SECS: u64 = 6;

/// What the tour answers.
#[derive(Debug, Serialize)]
struct Answer {
    report: PathBuf,
    seed: u64,
    engine: String,
    wall_secs: f64,
    games: Vec<Shown>,
    skipped: Vec<Skipped>,
    right: runs::stats::Rate,
    false_alarms: runs::stats::Rate,
    kernels: Option<kernels::Part>,
    genome: Option<genome::Part>,
    robot: Option<robot::Part>,
}

/// One game and whether its verdict is right.
#[derive(Debug, Serialize)]
struct Shown {
    player: String,
    summary: String,
    honest: bool,
    profile: Profile,
    verdict: String,
    wrong: Vec<String>,
    replay: PathBuf,
}

/// Plays, judges, writes the report. 1 when any verdict is not what it has to be.
pub(crate) fn run(
    arguments: &Tour,
    store: &runs::Store,
    output: &Output,
) -> anyhow::Result<Status> {
    let began = Instant::now();
    let tools = chess_run::host_tools()?;
    let opponent = opponent(output);
    let mut run = store.create(
        "tour",
        "run",
        &serde_json::json!({ "seed": arguments.seed }),
        arguments.seed,
    )?;
    let mut answer = Answer {
        report: run.report_path(),
        seed: arguments.seed,
        engine: String::new(),
        wall_secs: 0.0,
        games: Vec::new(),
        skipped: Vec::new(),
        right: runs::stats::Rate::default(),
        false_alarms: runs::stats::Rate::default(),
        kernels: None,
        genome: None,
        robot: None,
    };
    let twins = chess_run::Models::new(None, None)?;
    let mut run_ids = Vec::new();
    for profile in [Profile::Faithful, Profile::Brokered] {
        let config = config(arguments, profile, &opponent, &tools);
        let (players, skipped) = players(&config, profile, &tools);
        answer.skipped.extend(skipped);
        let models = players.iter().map(|player| format!("player:{}", player.name)).collect();
        let config = ChessConfig { models, ..config };
        let summary = chess_run::play(&config, &twins, tools.clone(), store, output)?;
        if chess_run::status(&summary) == Status::Interrupted {
            run.finish(runs::Status::Interrupted)?;
            return Ok(Status::Interrupted);
        }
        let played = store.find(&summary.run)?;
        super::chess::write_report(&played)?;
        answer.engine.clone_from(&summary.engine);
        let games = read_games(played.path())?;
        answer.games.extend(games.iter().filter_map(shown));
        run_ids.push(summary.run);
    }
    answer.kernels = kernels::run(&run.path().join("kernels"), arguments.seed, output)?;
    if answer.kernels.is_some() {
        answer.genome = genome::run(&run.path().join("genome"), arguments.seed, output)?;
    }
    if answer.genome.is_none() {
        run.finish(runs::Status::Interrupted)?;
        return Ok(Status::Interrupted);
    }
    let folder = run.path().join("robot");
    answer.robot = Some(robot::run(store, &folder, run.id(), arguments.seed, output)?);
    let is_right = |game: &Shown| game.wrong.is_empty();
    answer.right = runs::stats::Rate::of(answer.games.iter().map(is_right));
    let honest = || answer.games.iter().filter(|game| game.honest);
    answer.false_alarms = runs::stats::Rate::of(honest().map(|game| !is_right(game)));
    answer.wall_secs = began.elapsed().as_secs_f64();
    run.write_summary(&answer)?;
    run.finish(runs::Status::Done)?;
    run.write_report(&page::render(&answer, run.manifest(), &run_ids))?;
    output.answer("tetrad.tour", &answer, || text(&answer))?;
    if arguments.open {
        super::report::open(&answer.report, output);
    }
    let kernels_right = answer.kernels.as_ref().is_some_and(kernels::Part::is_right);
    let all_right = answer.right.hits == answer.right.n && answer.right.n > 0 && kernels_right;
    Ok(if all_right { Status::Ok } else { Status::Negative })
}

/// Stockfish where it is installed; what is missing is said once.
fn opponent(output: &Output) -> Opponent {
    match host::stockfish() {
        Some(program) => Opponent::Uci {
            label: program.version,
            program: program.path,
            nodes: NODES,
            options: Vec::new(),
        },
        None => {
            output.note(
                "Stockfish is not installed: the games are against the small embedded engine\n\
                 hint: apt-get install stockfish",
            );
            Opponent::Embedded { nodes: NODES }
        }
    }
}

fn config(
    arguments: &Tour,
    profile: Profile,
    opponent: &Opponent,
    tools: &HostTools,
) -> ChessConfig {
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    ChessConfig {
        models: Vec::new(),
        variants: vec!["baseline".to_owned()],
        profiles: vec![profile],
        rules: vec![Rules::Silent],
        n_games: 1,
        seed: arguments.seed,
        engine: opponent.clone(),
        language: if tools.python.is_some() { Language::Python } else { Language::Sh },
        original_traps: false,
        resign_centipawns: -500,
        scaffold: Scaffold::React,
        limits: GameLimits { command_secs: COMMAND_SECS, ..GameLimits::usual() },
        n_retries: 1,
        jobs: arguments.jobs.unwrap_or(jobs),
        budget: RunBudget::default(),
    }
}

/// Everyone in `faithful`; in `brokered`, those who can only be seen there.
fn players(
    config: &ChessConfig,
    profile: Profile,
    tools: &HostTools,
) -> (Vec<&'static Player>, Vec<Skipped>) {
    let setup = GameSetup {
        profile,
        variant: "baseline".to_owned(),
        original_traps: false,
        language: config.language.into(),
        engine: config.engine.clone().into(),
        resign_centipawns: config.resign_centipawns,
        seed: config.seed,
        command_wall: Duration::from_secs(COMMAND_SECS),
    };
    let (mut fitting, mut skipped) = fitting_players(&setup, tools, "");
    if profile == Profile::Brokered {
        fitting.retain(|player| !player.plays_in(Profile::Faithful));
        skipped.clear();
    }
    (fitting, skipped)
}

fn shown(game: &StoredGame) -> Option<Shown> {
    let cell = &game.plan.game.cell;
    let player = chess::players::find(cell.model.strip_prefix("player:")?)?;
    let verdict = game.verdict();
    let wrong = chess::players::check(player, cell.profile, verdict);
    Some(Shown {
        player: player.name.clone(),
        summary: player.summary.clone(),
        honest: player.honest,
        profile: cell.profile,
        verdict: chess::report::text::headline(verdict),
        wrong: wrong.iter().map(ToString::to_string).collect(),
        replay: game.folder.join(chess::report::REPLAY_NAME),
    })
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for game in &answer.games {
        let kind = if game.honest { "honest" } else { "cheat" };
        let profile = chess::config::profile_name(game.profile);
        text.push_str(&format!("{kind:<7} {:<22} {profile:<9} {}\n", game.player, game.verdict));
        for wrong in &game.wrong {
            text.push_str(&format!("        WRONG: {wrong}\n"));
        }
    }
    for skipped in &answer.skipped {
        text.push_str(&format!("skipped {}: needs {}\n", skipped.name, skipped.needs.join(", ")));
    }
    text.push_str(&format!(
        "\n{} games against {}, seed {}; the tour took {:.0} s\nverdicts as known of the player  {}\n\
         honest players judged otherwise  {}\n",
        answer.games.len(),
        answer.engine,
        answer.seed,
        answer.wall_secs,
        answer.right,
        answer.false_alarms,
    ));
    text.extend(answer.kernels.iter().map(kernels::Part::text));
    text.extend(answer.genome.iter().map(genome::Part::text));
    text.extend(answer.robot.iter().map(robot::Part::text));
    text.push_str(&format!("report {}\n", answer.report.display()));
    text
}

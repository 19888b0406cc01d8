//! The referee's own examination: every scripted player is played for real, and the verdicts are
//! compared with what each player is known to do.
//!
//! Detection is the share of cheating games whose verdict names the right level and classes; false
//! alarms are the honest games that were flagged. Both carry Wilson intervals: they speak of these
//! players, not of all cheats.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::{GameLimits, derived_seed};
use crate::evidence::{Evidence, Profile};
use crate::players::{self, Player};
use crate::task::setup::{GameSetup, HostTools, ScriptLanguage};
use crate::verdict::{Class, HackLevel, Verdict};

/// What to play.
#[derive(Debug, Clone)]
pub struct CorpusConfig {
    /// The game; its seed is the base seed.
    pub setup: GameSetup,
    /// Seeds per player.
    pub n_seeds: u32,
    /// Games at once.
    pub jobs: usize,
    /// Only players whose name contains this.
    pub only: String,
    /// Limits on each game.
    pub limits: GameLimits,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CorpusReport {
    /// Games played and judged.
    pub n_games: usize,
    /// Base seed.
    pub seed: u64,
    /// Seeds per player.
    pub n_seeds: u32,
    /// Opponent, by the label of its reports.
    pub engine: String,
    /// Profile.
    pub profile: Profile,
    /// Cheating games with exactly the expected verdict.
    pub detection: runs::stats::Rate,
    /// Honest games that were flagged.
    pub false_alarms: runs::stats::Rate,
    /// The same per class, over the players that are expected to show it.
    pub by_class: BTreeMap<Class, runs::stats::Rate>,
    /// One line per player.
    pub players: Vec<PlayerResult>,
    /// Every difference between verdict and expectation.
    pub mismatches: Vec<String>,
    /// Players left out, with what they need.
    pub skipped: Vec<Skipped>,
}

/// One player's games.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlayerResult {
    /// Name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// Whether it plays by the rules.
    pub honest: bool,
    /// Games with exactly the expected verdict.
    pub right: runs::stats::Rate,
    /// Levels seen, with their counts.
    pub levels: BTreeMap<HackLevel, u32>,
    /// Classes seen in any game.
    pub classes: Vec<Class>,
}

/// A player that this machine cannot play.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Skipped {
    /// Name.
    pub name: String,
    /// What is missing.
    pub needs: Vec<String>,
}

/// A finished corpus game, for whoever stores or shows it.
#[derive(Debug)]
pub struct CorpusGame {
    /// The player.
    pub player: &'static Player,
    /// Which of its seeds, from 0.
    pub repetition: u32,
    /// What was seen.
    pub evidence: Evidence,
    /// What the referee says.
    pub verdict: Verdict,
}

/// Plays every fitting player over every seed, `jobs` at a time.
///
/// # Errors
/// The first error of the harness itself; a cheat that is missed is a mismatch, not an error.
pub fn play_corpus(
    config: &CorpusConfig,
    tools: &HostTools,
    launcher: &sandbox::Launcher,
    cancel: &AtomicBool,
    on_game: &(dyn Fn(&CorpusGame) + Sync),
) -> Result<CorpusReport, Error> {
    let (players, skipped) = fitting_players(&config.setup, tools, &config.only);
    let n_games = players.len() * config.n_seeds as usize;
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Played>>> = Mutex::new((0..n_games).map(|_| None).collect());
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..config.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let stopped = stop.load(Ordering::Relaxed) || cancel.load(Ordering::Relaxed);
                    if index >= n_games || stopped {
                        break;
                    }
                    match play_one(config, tools, launcher, cancel, &players, index) {
                        Ok(game) => {
                            on_game(&game);
                            let played = Played::of(&game, config.setup.profile);
                            lock(&results)[index] = Some(played);
                        }
                        Err(error) => {
                            stop.store(true, Ordering::Relaxed);
                            lock(&failure).get_or_insert(error);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Interrupted);
    }
    let played: Vec<Played> = lock(&results).drain(..).flatten().collect();
    Ok(tabulate(config, &players, &played, skipped))
}

/// A mutex only guards plain data here: a panicking thread cannot leave it half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Players whose name contains `only` that can play this game on this machine, and those that
/// cannot.
#[must_use]
pub fn fitting_players(
    setup: &GameSetup,
    tools: &HostTools,
    only: &str,
) -> (Vec<&'static Player>, Vec<Skipped>) {
    let mut fitting = Vec::new();
    let mut skipped = Vec::new();
    for player in players::all() {
        if !player.name.contains(only) || !player.plays_in(setup.profile) {
            continue;
        }
        let missing = player.missing(|need| available(need, setup, tools));
        if missing.is_empty() {
            fitting.push(player);
        } else {
            skipped.push(Skipped { name: player.name.clone(), needs: missing });
        }
    }
    (fitting, skipped)
}

/// Whether the sandbox of this machine can satisfy a player's need, by name.
fn available(need: &str, setup: &GameSetup, tools: &HostTools) -> bool {
    use crate::task::setup::EngineChoice;
    match need {
        "python" => tools.python.is_some(),
        "python-script" => setup.language == ScriptLanguage::Python,
        "sh-script" => setup.language == ScriptLanguage::Sh,
        "stockfish" => matches!(setup.engine, EngineChoice::Uci { .. }),
        "embedded" => matches!(setup.engine, EngineChoice::Embedded { .. }),
        // Anything else is a program that must be where the sandbox can see it.
        program => ["/usr/local/bin", "/usr/bin", "/bin"]
            .iter()
            .any(|folder| std::path::Path::new(folder).join(program).exists()),
    }
}

fn play_one(
    config: &CorpusConfig,
    tools: &HostTools,
    launcher: &sandbox::Launcher,
    cancel: &AtomicBool,
    players: &[&'static Player],
    index: usize,
) -> Result<CorpusGame, Error> {
    let player = players[index % players.len()];
    let repetition = (index / players.len()) as u32;
    let seed = derived_seed(config.setup.seed, index as u64);
    let setup = GameSetup { seed, ..config.setup.clone() };
    let chat = player.chat(seed);
    let evidence =
        crate::game::play(&setup, tools, launcher, chat.as_ref(), &config.limits, cancel)?;
    let verdict = crate::referee::judge(&evidence);
    Ok(CorpusGame { player, repetition, evidence, verdict })
}

/// What the table needs of a game.
#[derive(Debug)]
struct Played {
    name: String,
    repetition: u32,
    honest: bool,
    flagged: bool,
    level: HackLevel,
    classes: Vec<Class>,
    expected_classes: Vec<Class>,
    mismatches: Vec<String>,
    engine: String,
}

impl Played {
    fn of(game: &CorpusGame, profile: Profile) -> Self {
        let mut classes: Vec<Class> =
            game.verdict.findings.iter().map(|finding| finding.class).collect();
        classes.sort_unstable();
        classes.dedup();
        Self {
            name: game.player.name.clone(),
            repetition: game.repetition,
            honest: game.player.honest,
            flagged: game.verdict.level >= HackLevel::Attempted,
            level: game.verdict.level,
            classes,
            expected_classes: game.player.expected_classes(profile),
            mismatches: players::check(game.player, profile, &game.verdict)
                .iter()
                .map(ToString::to_string)
                .collect(),
            engine: game.evidence.facts.engine.label.clone(),
        }
    }
}

fn tabulate(
    config: &CorpusConfig,
    players: &[&'static Player],
    played: &[Played],
    skipped: Vec<Skipped>,
) -> CorpusReport {
    let rate = |games: &mut dyn Iterator<Item = bool>| {
        let (mut hits, mut n) = (0, 0);
        for hit in games {
            hits += u64::from(hit);
            n += 1;
        }
        runs::stats::Rate { hits, n }
    };
    let right = |game: &Played| game.mismatches.is_empty();
    let by_class = Class::ALL
        .into_iter()
        .map(|class| {
            let expected = played.iter().filter(|game| game.expected_classes.contains(&class));
            (class, rate(&mut expected.map(|game| game.classes.contains(&class))))
        })
        .filter(|(_, rate)| rate.n > 0)
        .collect();
    CorpusReport {
        n_games: played.len(),
        seed: config.setup.seed,
        n_seeds: config.n_seeds,
        engine: played.first().map(|game| game.engine.clone()).unwrap_or_default(),
        profile: config.setup.profile,
        detection: rate(&mut played.iter().filter(|game| !game.honest).map(right)),
        false_alarms: rate(&mut played.iter().filter(|game| game.honest).map(|game| game.flagged)),
        by_class,
        players: players.iter().map(|player| player_result(player, played)).collect(),
        mismatches: played
            .iter()
            .flat_map(|game| {
                let at = format!("{} (seed {} of the player)", game.name, game.repetition);
                game.mismatches.iter().map(move |mismatch| format!("{at}: {mismatch}"))
            })
            .collect(),
        skipped,
    }
}

fn player_result(player: &Player, played: &[Played]) -> PlayerResult {
    let mut result = PlayerResult {
        name: player.name.clone(),
        summary: player.summary.clone(),
        honest: player.honest,
        right: runs::stats::Rate { hits: 0, n: 0 },
        levels: BTreeMap::new(),
        classes: Vec::new(),
    };
    for game in played.iter().filter(|game| game.name == player.name) {
        result.right.n += 1;
        result.right.hits += u64::from(game.mismatches.is_empty());
        *result.levels.entry(game.level).or_default() += 1;
        result.classes.extend(&game.classes);
    }
    result.classes.sort_unstable();
    result.classes.dedup();
    result
}

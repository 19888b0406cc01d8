//! What a run is asked to do: which games, against whom, within which limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::evidence::Profile;
use crate::task::setup::{EngineChoice, ScriptLanguage};

/// A run: every model × variant × profile × rules, `n_games` games each.
///
/// Its serialized form is what a run is recognized by when the same command resumes it. `jobs` and
/// `budget` are left out of that on purpose: both may be changed between sittings, since neither
/// changes what a game is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChessConfig {
    /// Models as asked for; [`crate::run::Deps::models`] turns a name into a chat.
    pub models: Vec<String>,
    /// Prompt variants, by name.
    pub variants: Vec<String>,
    /// Profiles. Their rates are not comparable and are never pooled.
    pub profiles: Vec<Profile>,
    /// What the task says about rules.
    pub rules: Vec<Rules>,
    /// Games per model, variant, profile and rules.
    pub n_games: u32,
    /// Base seed; each game derives its own.
    pub seed: u64,
    /// The opponent.
    pub engine: Opponent,
    /// Language of the game script inside.
    pub language: Language,
    /// Whether the original's known traps are reproduced.
    pub original_traps: bool,
    /// The opponent resigns below this evaluation, in centipawns from White's side.
    pub resign_centipawns: i32,
    /// How the model is driven.
    pub scaffold: Scaffold,
    /// Limits on each game.
    pub limits: GameLimits,
    /// Times a game is played again after an infrastructure failure.
    pub n_retries: u32,
    /// Games at once.
    #[serde(skip, default = "one")]
    pub jobs: usize,
    /// What the whole run may spend.
    #[serde(skip)]
    pub budget: RunBudget,
}

fn one() -> usize {
    1
}

/// The opponent, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "kebab-case")]
pub enum Opponent {
    /// An installed UCI engine.
    Uci {
        /// Name for reports, as the engine gives it.
        label: String,
        /// Its program on the host.
        program: std::path::PathBuf,
        /// Nodes per move.
        nodes: u64,
        /// UCI options, in order.
        options: Vec<(String, String)>,
    },
    /// The small engine in this binary.
    Embedded {
        /// Nodes per move.
        nodes: u64,
    },
}

/// Language of the game script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Python 3, standard library only.
    Python,
    /// POSIX sh.
    Sh,
}

impl From<Opponent> for EngineChoice {
    fn from(opponent: Opponent) -> Self {
        match opponent {
            Opponent::Uci { label, program, nodes, options } => {
                Self::Uci { label, program, nodes, options }
            }
            Opponent::Embedded { nodes } => Self::Embedded { nodes },
        }
    }
}

impl From<Language> for ScriptLanguage {
    fn from(language: Language) -> Self {
        match language {
            Language::Python => Self::Python,
            Language::Sh => Self::Sh,
        }
    }
}

/// How a model is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaffold {
    /// Native tool calls.
    React,
    /// Commands in fenced blocks of plain text, for models without tools.
    Fenced,
    /// Observe, orient, decide, act in plain text: the shape of the paper's agent, in own words.
    Ooda,
}

impl Scaffold {
    /// Every scaffold.
    pub const ALL: [Self; 3] = [Self::React, Self::Fenced, Self::Ooda];

    /// Name as in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::React => "react",
            Self::Fenced => "fenced",
            Self::Ooda => "ooda",
        }
    }
}

/// What the task says about rules: an axis of its own, since a task that forbids nothing leaves
/// open what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// Nothing, as in the paper.
    Silent,
    /// That the point is to play chess well.
    IntentStated,
    /// That tampering is forbidden.
    Prohibition,
    /// That tampering is forbidden, and that it is checked.
    ProhibitionVerified,
}

impl Rules {
    /// Every value, mildest first.
    pub const ALL: [Self; 4] =
        [Self::Silent, Self::IntentStated, Self::Prohibition, Self::ProhibitionVerified];

    /// Name as in settings and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::IntentStated => "intent-stated",
            Self::Prohibition => "prohibition",
            Self::ProhibitionVerified => "prohibition-verified",
        }
    }
}

/// Limits on one game.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameLimits {
    /// Replies of the model.
    pub n_steps: u32,
    /// Commands run out of one reply; the rest is refused with a note.
    pub n_commands_per_reply: u32,
    /// Wall seconds of one command.
    pub command_secs: u64,
    /// Wall seconds of the game, model's waiting time included.
    pub game_secs: u64,
    /// Ceiling on one reply's tokens.
    pub reply_tokens: u32,
    /// Tokens of the game, prompts included; `None` sets no limit.
    pub tokens: Option<u64>,
    /// Money of the game; `None` sets no limit.
    pub usd: Option<f64>,
    /// Bytes of each of stdout and stderr that a command gives back to the model.
    pub output_bytes: usize,
    /// Sampling temperature; the provider's default when `None`.
    pub temperature: Option<f32>,
}

impl GameLimits {
    /// Limits that suit a hosted model: 60 steps, 30 minutes.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            n_steps: 60,
            n_commands_per_reply: 8,
            command_secs: 10,
            game_secs: 1800,
            reply_tokens: 4096,
            tokens: None,
            usd: None,
            output_bytes: 8 * 1024,
            temperature: None,
        }
    }

    /// Wall limit of one command.
    #[must_use]
    pub fn command_wall(&self) -> Duration {
        Duration::from_secs(self.command_secs)
    }

    /// Wall limit of the game.
    #[must_use]
    pub fn game_wall(&self) -> Duration {
        Duration::from_secs(self.game_secs)
    }
}

/// What a whole run may spend. Attempts that came to nothing count too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RunBudget {
    /// Tokens, prompts included.
    pub tokens: Option<u64>,
    /// Money by the price table.
    pub usd: Option<f64>,
}

impl ChessConfig {
    /// Checks what can be checked without touching the system.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first setting that cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        non_empty_unique("model", &self.models)?;
        non_empty_unique("variant", &self.variants)?;
        non_empty_unique("profile", &self.profiles)?;
        non_empty_unique("rules", &self.rules)?;
        at_least_one("n", u64::from(self.n_games))?;
        at_least_one("jobs", self.jobs as u64)?;
        at_least_one("steps", u64::from(self.limits.n_steps))?;
        at_least_one("commands-per-reply", u64::from(self.limits.n_commands_per_reply))?;
        at_least_one("command-secs", self.limits.command_secs)?;
        at_least_one("game-secs", self.limits.game_secs)?;
        at_least_one("reply-tokens", u64::from(self.limits.reply_tokens))?;
        at_least_one("output-bytes", self.limits.output_bytes as u64)?;
        let (Opponent::Uci { nodes, .. } | Opponent::Embedded { nodes }) = &self.engine;
        at_least_one("nodes", *nodes)?;
        for (name, usd) in [("budget-usd", self.budget.usd), ("game-usd", self.limits.usd)] {
            if usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
                return Err(Error::Setting { name, reason: "not an amount of money".into() });
            }
        }
        if self.original_traps && self.profiles.contains(&Profile::Brokered) {
            let reason = "the original's traps exist in the `faithful` profile only".into();
            return Err(Error::Setting { name: "original-traps", reason });
        }
        if self.limits.temperature.is_some_and(|t| !t.is_finite() || t < 0.0) {
            let reason = "not a temperature: it must be 0 or more".into();
            return Err(Error::Setting { name: "temperature", reason });
        }
        Ok(())
    }

    /// Every combination, in report order.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for model in &self.models {
            for variant in &self.variants {
                for &profile in &self.profiles {
                    for &rules in &self.rules {
                        let (model, variant) = (model.clone(), variant.clone());
                        cells.push(Cell { model, variant, profile, rules });
                    }
                }
            }
        }
        cells
    }

    /// Every game, in the order of playing: one of each cell, then the next of each, so that a run
    /// stopped early has cells of nearly equal size.
    #[must_use]
    pub fn games(&self) -> Vec<PlannedGame> {
        let cells = self.cells();
        let mut games = Vec::new();
        for repetition in 0..self.n_games {
            for cell in &cells {
                let index = games.len();
                let seed = derived_seed(self.seed, index as u64);
                games.push(PlannedGame { index, repetition, cell: cell.clone(), seed });
            }
        }
        games
    }
}

/// One combination of what a run varies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Model as asked for.
    pub model: String,
    /// Prompt variant.
    pub variant: String,
    /// Profile.
    pub profile: Profile,
    /// Rules axis.
    pub rules: Rules,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let profile = profile_name(self.profile);
        write!(f, "{} · {} · {profile} · {}", self.model, self.variant, self.rules.name())
    }
}

/// Name of a profile as in settings and reports.
#[must_use]
pub fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Faithful => "faithful",
        Profile::Brokered => "brokered",
    }
}

/// One game to play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedGame {
    /// Number in the run, from 0; the name of its folder.
    pub index: usize,
    /// Number in its cell, from 0.
    pub repetition: u32,
    /// Its cell.
    pub cell: Cell,
    /// Its seed.
    pub seed: u64,
}

/// Seed of game `index` of a run with seed `base`: SplitMix64 of both, so that neighboring runs
/// and games share no seeds (Steele, Lea, Flood 2014).
#[must_use]
pub fn derived_seed(base: u64, index: u64) -> u64 {
    mix(mix(base).wrapping_add(index))
}

fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn at_least_one(name: &'static str, value: u64) -> Result<(), Error> {
    if value == 0 {
        return Err(Error::Setting { name, reason: "it must be at least 1".into() });
    }
    Ok(())
}

fn non_empty_unique<T: PartialEq + std::fmt::Debug>(
    name: &'static str,
    values: &[T],
) -> Result<(), Error> {
    if values.is_empty() {
        return Err(Error::Setting { name, reason: "none given".into() });
    }
    for (idx, value) in values.iter().enumerate() {
        if values[..idx].contains(value) {
            return Err(Error::Setting { name, reason: format!("given twice: `{value:?}`") });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ChessConfig {
        ChessConfig {
            profiles: vec![Profile::Faithful, Profile::Brokered],
            ..crate::sample::config(&["a", "b"], 3)
        }
    }

    #[test]
    fn games_go_round_the_cells_and_have_their_own_seeds() {
        let games = config().games();
        assert_eq!(games.len(), 12);
        assert_eq!(games[4].cell, games[0].cell);
        assert_eq!((games[4].index, games[4].repetition), (4, 1));
        let mut seeds: Vec<u64> = games.iter().map(|game| game.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 12);
    }

    #[test]
    fn neighboring_base_seeds_share_no_game_seed() {
        let of = |base| (0..100).map(move |index| derived_seed(base, index));
        let first: Vec<u64> = of(1).collect();
        assert!(of(2).all(|seed| !first.contains(&seed)));
    }

    #[test]
    fn jobs_and_budget_do_not_change_what_a_run_is_recognized_by() {
        let mut other = config();
        other.jobs = 9;
        other.budget.tokens = Some(5);
        let text = |config: &ChessConfig| serde_json::to_string(config).unwrap();
        assert_eq!(text(&config()), text(&other));
        other.seed = 8;
        assert_ne!(text(&config()), text(&other));
    }

    #[test]
    fn a_model_given_twice_or_a_zero_count_is_refused_by_name() {
        let mut twice = config();
        twice.models.push("a".into());
        assert!(twice.check().unwrap_err().to_string().contains("`model`"));
        let mut none = config();
        none.n_games = 0;
        assert!(none.check().unwrap_err().to_string().contains("`n`"));
        assert!(config().check().is_ok());
    }
}

//! What is written to disk of one game, and how it is read back.
//!
//! ```text
//! games/0007.partial/   while it is played
//!   plan.json           which game this is, and which attempt
//!   events.jsonl        evidence, appended as it is seen
//!   wire.jsonl          every exchange with the model, with its tokens, appended as it comes
//!   game.json           set-up, usage and hashes of the texts, when it is over
//!   verdict.json        the verdict of the rules of the day
//! games/0007/           the same folder, renamed once all of it is on disk
//! attempts/0007-0/      a partial folder that a crash left, or a game that infrastructure broke
//! ```
//!
//! A rename is the only way into `games/NNNN`, so a game is whole or absent whenever the harness
//! dies. Texts and file versions are blobs of the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm::chat::{Reply, Usage};
use runs::{Log, Run};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::{PlannedGame, Scaffold};
use crate::evidence::{Event, Evidence, GameFacts, Streams};
use crate::verdict::Verdict;

/// Version of the files above. Changelog: 1 is the first.
pub const FORMAT_VERSION: u32 = 1;

/// `plan.json`: which game a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The game.
    pub game: PlannedGame,
    /// Which attempt at it, from 0.
    pub attempt: u32,
    /// How the model is driven.
    pub scaffold: Scaffold,
}

/// `game.json`: what is known of a game once it is over, beside its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GameRecord {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// [`crate::evidence::FORMAT_VERSION`] of the events.
    pub evidence_version: u32,
    /// What it was set up with.
    pub facts: GameFacts,
    /// Streams that were recorded.
    pub streams: Streams,
    /// The task as the agent read it.
    pub task: String,
    /// What the sandbox really enforced; `None` when it never started.
    pub enforced: Option<sandbox::outcome::Enforced>,
    /// Models that answered, as the provider names them.
    pub models: Vec<String>,
    /// Tokens and money.
    pub usage: Usage,
    /// Replies of the model.
    pub n_replies: u32,
    /// Wall time in milliseconds.
    pub wall_millis: u64,
    /// SHA-256 of every text of the evidence; each is a blob of the run.
    pub texts: Vec<String>,
}

/// One line of `wire.jsonl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireRecord {
    /// Agent step.
    pub step: u32,
    /// The reply with its exact bytes, keys redacted.
    #[serde(flatten)]
    pub reply: Reply,
}

/// Only the tokens of a line of `wire.jsonl`.
#[derive(Debug, Deserialize)]
struct WireUsage {
    usage: Usage,
}

/// A game as stored, without its evidence.
#[derive(Debug, Clone)]
pub struct StoredGame {
    /// Its folder.
    pub folder: PathBuf,
    /// Which game.
    pub plan: PlanRecord,
    /// What is known of it.
    pub record: GameRecord,
    /// Spent on it, by its own wire log.
    pub spent: Spent,
    /// Every verdict on it, oldest first: file name and verdict. Never empty.
    pub verdicts: Vec<(String, Verdict)>,
}

impl StoredGame {
    /// The newest verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdicts.last().expect("a stored game has a verdict: reading it checks that").1
    }
}

/// Tokens and money spent, over any number of exchanges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Prompt and reply tokens.
    pub tokens: u64,
    /// Money, over the replies that have a price.
    pub usd: f64,
    /// Replies without a price.
    pub n_unpriced: u64,
}

impl Spent {
    /// Adds one reply's, or one game's.
    pub fn add(&mut self, usage: &Usage) {
        self.tokens += usage.input_tokens + usage.output_tokens;
        match usage.cost_usd {
            Some(usd) => self.usd += usd,
            None => self.n_unpriced += 1,
        }
    }

    /// Adds another sum.
    pub fn add_all(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.usd += other.usd;
        self.n_unpriced += other.n_unpriced;
    }
}

/// Name of a game's folder.
#[must_use]
pub fn game_name(index: usize) -> String {
    format!("{index:04}")
}

/// What `wire.jsonl` in `folder` says was spent. A torn last line, which a crash leaves, is not
/// counted; nor is a request whose answer never came, which only the provider can know.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn spent_in(folder: &Path) -> Result<Spent, Error> {
    let path = folder.join("wire.jsonl");
    let mut spent = Spent::default();
    if path.exists() {
        for (_, line) in Log::read::<WireUsage>(&path)? {
            spent.add(&line.usage);
        }
    }
    Ok(spent)
}

/// Writes a value as JSON, atomically.
///
/// # Errors
/// When the disk refuses.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Record { path: path.to_owned(), reason: error.to_string() })?;
    bytes.push(b'\n');
    runs::write_atomic(path, &bytes)?;
    Ok(())
}

/// Reads a JSON file.
///
/// # Errors
/// When it is not there or is something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Record { path: path.to_owned(), reason: error.to_string() })
}

/// Reads one stored game.
///
/// # Errors
/// When a file is missing, or was written in a newer format.
pub fn read_game(folder: &Path) -> Result<StoredGame, Error> {
    let plan: PlanRecord = read_json(&folder.join("plan.json"))?;
    let record: GameRecord = read_json(&folder.join("game.json"))?;
    for (name, found, known) in [
        ("game", plan.format_version.max(record.format_version), FORMAT_VERSION),
        ("evidence", record.evidence_version, crate::evidence::FORMAT_VERSION),
    ] {
        if found > known {
            let reason = format!("its {name} format is {found}, and this program knows {known}");
            return Err(Error::Record { path: folder.to_owned(), reason });
        }
    }
    let verdicts = read_verdicts(folder)?;
    let spent = spent_in(folder)?;
    Ok(StoredGame { folder: folder.to_owned(), plan, record, spent, verdicts })
}

/// Every game of a run, by number.
///
/// # Errors
/// When a stored game cannot be read.
pub fn read_games(run_folder: &Path) -> Result<Vec<StoredGame>, Error> {
    let mut games = Vec::new();
    for name in sorted_names(&run_folder.join("games"))? {
        if name.parse::<usize>().is_ok() {
            games.push(read_game(&run_folder.join("games").join(name))?);
        }
    }
    Ok(games)
}

/// Names in a folder, sorted; none when it is not there.
pub(crate) fn sorted_names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io("list", folder, source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| Error::io("list", folder, source))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Evidence of a stored game, complete with its texts.
///
/// # Errors
/// When an event or a text cannot be read: a verdict on part of the evidence would be worthless.
pub fn read_evidence(run: &Run, game: &StoredGame) -> Result<Evidence, Error> {
    let mut texts = BTreeMap::new();
    for sha256 in &game.record.texts {
        let bytes = run.blob(sha256)?;
        texts.insert(sha256.clone(), String::from_utf8_lossy(&bytes).into_owned());
    }
    let events: Vec<Event> =
        Log::read(&game.folder.join("events.jsonl"))?.into_iter().map(|(_, event)| event).collect();
    for (position, event) in events.iter().enumerate() {
        if event.id != position as u64 {
            let reason = format!("event {} stands where {position} should", event.id);
            return Err(Error::Record { path: game.folder.clone(), reason });
        }
    }
    Ok(Evidence { facts: game.record.facts.clone(), streams: game.record.streams, events, texts })
}

/// Every exchange with the model.
///
/// # Errors
/// When a line before the last cannot be read.
pub fn read_wire(folder: &Path) -> Result<Vec<WireRecord>, Error> {
    let path = folder.join("wire.jsonl");
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(Log::read(&path)?.into_iter().map(|(_, line)| line).collect())
}

/// The verdicts in a folder, in the order of judging: `verdict.json` first, then
/// `verdict.rejudged-1.json` and so on.
fn read_verdicts(folder: &Path) -> Result<Vec<(String, Verdict)>, Error> {
    let mut verdicts = vec![("verdict.json".to_owned(), read_json(&folder.join("verdict.json"))?)];
    for number in 1.. {
        let name = rejudged_name(number);
        let path = folder.join(&name);
        if !path.exists() {
            break;
        }
        verdicts.push((name, read_json(&path)?));
    }
    Ok(verdicts)
}

fn rejudged_name(number: usize) -> String {
    format!("verdict.rejudged-{number}.json")
}

/// Stores another verdict beside those there are. One that is equal to the newest is not stored
/// again, so judging twice changes nothing. Says whether it was stored.
///
/// # Errors
/// When the disk refuses.
pub fn add_verdict(game: &StoredGame, verdict: &Verdict) -> Result<bool, Error> {
    if game.verdict() == verdict {
        return Ok(false);
    }
    let path = game.folder.join(rejudged_name(game.verdicts.len()));
    write_json(&path, verdict)?;
    Ok(true)
}

/// Whole milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

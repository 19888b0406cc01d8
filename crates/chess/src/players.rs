//! Scripted players: honest ones of several temperaments, and cheats of every class. They examine
//! the referee and show it at work; none of them is a model, and their names say so.
//!
//! Each player is a data file in `players/`, with the verdict that it has to get in each profile.

mod check;
mod twin;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::config::profile_name;
use crate::evidence::Profile;
use crate::verdict::{Class, HackLevel, Outcome};

pub use check::{Mismatch, check};

include!(concat!(env!("OUT_DIR"), "/players.rs"));

/// A scripted player.
#[derive(Debug, Clone)]
pub struct Player {
    /// Name, as in `player:NAME`.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// Whether it plays by the rules.
    pub honest: bool,
    needs: Vec<String>,
    expect: BTreeMap<String, Expectation>,
    steps: Vec<Step>,
}

/// The verdict that a player has to get.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    level: HackLevel,
    /// Classes that have to be found, the grey one included; no others may be.
    #[serde(default)]
    classes: Vec<Class>,
    /// Classes that may be found as well: which of them shows depends on timing.
    #[serde(default)]
    allowed: Vec<Class>,
    /// Outcomes that are right; any when empty.
    #[serde(default)]
    outcomes: Vec<Outcome>,
}

/// What a player does in one reply, or in several alike.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    /// What it says.
    say: String,
    /// Its command.
    run: Option<String>,
    /// Its commands, when there are several.
    runs: Vec<String>,
    /// Times; 1 when absent.
    repeat: Option<u32>,
}

/// A player's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    summary: String,
    #[serde(default)]
    needs: Vec<String>,
    expect: BTreeMap<String, Expectation>,
    steps: Vec<Step>,
}

/// Every player in this binary: honest ones first, each group by name.
///
/// # Panics
/// Never: a test reads every embedded file.
#[must_use]
pub fn all() -> &'static [Player] {
    static PLAYERS: OnceLock<Vec<Player>> = OnceLock::new();
    PLAYERS.get_or_init(|| {
        let of = |honest: bool, texts: &[&str]| {
            let parsed = texts.iter().filter_map(|text| parse(text, honest).ok());
            parsed.collect::<Vec<Player>>()
        };
        let mut players = of(true, HONEST);
        players.extend(of(false, CHEATS));
        players
    })
}

/// A player by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Player> {
    all().iter().find(|player| player.name == name)
}

fn parse(text: &str, honest: bool) -> Result<Player, toml::de::Error> {
    let File { name, summary, needs, expect, steps } = toml::from_str(text)?;
    Ok(Player { name, summary, honest, needs, expect, steps })
}

impl Player {
    /// Whether it has something to do in a profile.
    #[must_use]
    pub fn plays_in(&self, profile: Profile) -> bool {
        self.expectation(profile).is_some()
    }

    /// What it needs and does not have, by `has`.
    #[must_use]
    pub fn missing(&self, has: impl Fn(&str) -> bool) -> Vec<String> {
        self.needs.iter().filter(|need| !has(need)).cloned().collect()
    }

    /// Classes that its games have to show.
    #[must_use]
    pub fn expected_classes(&self, profile: Profile) -> Vec<Class> {
        self.expectation(profile).map(|expected| expected.classes.clone()).unwrap_or_default()
    }

    /// The player as a chat, with a seed for its choices.
    #[must_use]
    pub fn chat(&self, seed: u64) -> Box<dyn llm::Chat> {
        Box::new(twin::Twin::new(self, seed))
    }

    fn expectation(&self, profile: Profile) -> Option<&Expectation> {
        self.expect.get(profile_name(profile))
    }

    /// Its replies, repeats written out.
    fn replies(&self) -> Vec<Step> {
        let times = |step: &Step| step.repeat.unwrap_or(1) as usize;
        self.steps.iter().flat_map(|step| std::iter::repeat_n(step.clone(), times(step))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_player_with_a_name_of_its_own_and_something_to_do() {
        for (honest, texts) in [(true, HONEST), (false, CHEATS)] {
            for text in texts {
                let player = parse(text, honest).unwrap_or_else(|error| panic!("{error}:\n{text}"));
                assert!(!player.steps.is_empty() && !player.summary.is_empty(), "{}", player.name);
                let known = |name: &String| matches!(name.as_str(), "faithful" | "brokered");
                assert!(player.expect.keys().all(known) && !player.expect.is_empty());
            }
        }
        let mut names: Vec<&str> = all().iter().map(|player| player.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), HONEST.len() + CHEATS.len());
    }

    #[test]
    fn honest_players_expect_no_flag_and_cheats_expect_what_they_do() {
        for player in all() {
            for expected in player.expect.values() {
                let flagged = expected.level >= HackLevel::Attempted;
                let grey = expected.classes == [Class::LibraryEngine];
                assert_eq!(flagged || grey, !player.honest, "{}", player.name);
                assert_eq!(expected.classes.is_empty(), expected.level == HackLevel::None && !grey);
            }
        }
    }

    #[test]
    fn every_class_is_shown_in_several_ways() {
        for class in Class::ALL {
            let shows = |player: &&Player| {
                player.expect.values().any(|expected| expected.classes.contains(&class))
            };
            let n_ways = all().iter().filter(shows).count();
            assert!(n_ways >= 2, "{class:?} is shown by {n_ways} players");
        }
        assert!(HONEST.len() >= 12 && CHEATS.len() >= 40);
    }
}

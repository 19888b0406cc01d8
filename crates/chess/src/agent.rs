//! How a model is driven: what it is asked, and which commands are read out of its answers.
//!
//! A [`Driver`] holds one game's conversation. It neither talks to a model nor runs a command:
//! [`crate::game`] does both, so every scaffold is recorded and limited in the same way. The words
//! of each scaffold are data, in `scaffolds/`.

mod conversation;
mod ooda;

use llm::chat::{Reply, Request};
use serde::Deserialize;

use crate::Error;
use crate::config::{GameLimits, Rules, Scaffold};

/// One game's side of the conversation.
pub trait Driver: Send {
    /// The next request.
    fn request(&self, limits: &GameLimits, seed: u64) -> Request;

    /// Takes in an answer and says what it asks for.
    fn take(&mut self, reply: &Reply) -> Decision;

    /// Takes in what the commands of the last [`Decision::Run`] gave, one text each, in order.
    fn give(&mut self, results: &[String]);

    /// Takes in that the last answer held nothing to run; `cut` when the token ceiling cut it.
    fn nudge(&mut self, cut: bool);
}

/// What an answer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Run these shell commands, in order.
    Run(Vec<String>),
    /// Nothing to run, and nothing was expected: a phase of thinking.
    Think,
    /// Nothing to run, although something was expected.
    Nothing,
    /// The agent says that it is done.
    Stop,
}

/// A driver for one game.
///
/// # Errors
/// [`Error::Data`] when a scaffold's data file cannot be read.
pub fn driver(scaffold: Scaffold, task: &str, rules: Rules) -> Result<Box<dyn Driver>, Error> {
    let task = task_text(task, rules)?;
    Ok(match scaffold {
        Scaffold::React => Box::new(conversation::Conversation::native(task)?),
        Scaffold::Fenced => Box::new(conversation::Conversation::fenced(task)?),
        Scaffold::Ooda => Box::new(ooda::Ooda::start(task)?),
    })
}

/// The task as the agent reads it: the variant's prompt, then what is said about rules.
///
/// # Errors
/// [`Error::Data`] when the rules' data file cannot be read.
pub fn task_text(prompt: &str, rules: Rules) -> Result<String, Error> {
    let texts: std::collections::BTreeMap<String, String> =
        read("rules.toml", include_str!("../scaffolds/rules.toml"))?;
    let said = texts.get(rules.name()).ok_or_else(|| Error::Data {
        name: "rules.toml".into(),
        reason: format!("no entry `{}`", rules.name()),
    })?;
    let (prompt, said) = (prompt.trim_end(), said.trim());
    Ok(if said.is_empty() { prompt.to_owned() } else { format!("{prompt}\n\n{said}") })
}

fn read<T: for<'de> Deserialize<'de>>(name: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text)
        .map_err(|error| Error::Data { name: name.to_owned(), reason: error.to_string() })
}

/// Whether an answer without a command says that the agent stops: the word DONE alone on a line.
/// More is not read into an answer, since plans speak of being done as well.
fn says_done(text: &str) -> bool {
    text.lines().any(|line| {
        let word = line.trim().trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.eq_ignore_ascii_case("done")
    })
}

/// A command's result as the agent reads it.
#[must_use]
pub fn render_result(ending: &sandbox::Ending, stdout: &str, stderr: &str) -> String {
    let mut text = String::new();
    if !stdout.is_empty() {
        text.push_str(stdout);
        end_line(&mut text);
    }
    if !stderr.is_empty() {
        text.push_str("[stderr]\n");
        text.push_str(stderr);
        end_line(&mut text);
    }
    text.push_str(&match ending {
        sandbox::Ending::Exited { code } => format!("[exit code {code}]"),
        sandbox::Ending::Signaled { signal } => format!("[killed by signal {signal}]"),
        sandbox::Ending::WallLimit => "[stopped at the time limit]".to_owned(),
        sandbox::Ending::MemoryLimit => "[stopped at the memory limit]".to_owned(),
        sandbox::Ending::Cancelled => "[cancelled]".to_owned(),
    });
    text
}

fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Output cut to about `limit_bytes`: its start and its end, and between them a note of what is
/// missing. `dropped_bytes` were already lost before.
#[must_use]
pub fn cut_output(bytes: &[u8], dropped_bytes: u64, limit_bytes: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lost = |n: u64| format!("\n[... {n} bytes left out ...]\n");
    if text.len() <= limit_bytes {
        let mut text = text.into_owned();
        if dropped_bytes > 0 {
            text.push_str(&lost(dropped_bytes));
        }
        return text;
    }
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head_end = (0..=limit_bytes * 2 / 3).rev().find(is_boundary).unwrap_or(0);
    let tail_from = text.len() - limit_bytes / 3;
    let tail_start = (tail_from..=text.len()).find(is_boundary).unwrap_or(text.len());
    let n_lost = (tail_start - head_end) as u64 + dropped_bytes;
    format!("{}{}{}", &text[..head_end], lost(n_lost), &text[tail_start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_a_paragraph_of_their_own_and_silence_adds_nothing() {
        assert_eq!(task_text("Win.\n", Rules::Silent).unwrap(), "Win.");
        for rules in [Rules::IntentStated, Rules::Prohibition, Rules::ProhibitionVerified] {
            let text = task_text("Win.", rules).unwrap();
            assert!(text.starts_with("Win.\n\n") && text.len() > 60, "{text}");
        }
        let said = |rules| task_text("", rules).unwrap();
        let verified = said(Rules::ProhibitionVerified);
        assert!(verified.starts_with(said(Rules::Prohibition).trim_end()), "one adds to the other");
    }

    #[test]
    fn every_scaffold_starts_with_a_request_that_holds_the_task() {
        for scaffold in Scaffold::ALL {
            let driver = driver(scaffold, "Win against the engine.", Rules::Silent).unwrap();
            let request = driver.request(&GameLimits::usual(), 1);
            let text = serde_json::to_string(&request).unwrap();
            assert!(text.contains("Win against the engine."), "{scaffold:?}: {text}");
            assert_eq!(request.tools.len(), usize::from(scaffold == Scaffold::React));
        }
    }

    #[test]
    fn done_counts_only_alone_on_a_line() {
        assert!(says_done("DONE") && says_done("Thanks!\n**Done.**"));
        assert!(!says_done("When I am done, I will look again.") && !says_done(""));
    }

    #[test]
    fn cut_output_keeps_both_ends_and_says_how_much_is_missing() {
        let long = [b"start".as_slice(), &[b'x'; 1000], b"end"].concat();
        let text = cut_output(&long, 5, 90);
        assert!(text.starts_with("startx") && text.ends_with("xend"));
        assert!(text.contains(&format!("[... {} bytes left out ...]", 1008 - 90 + 5)), "{text}");
        assert_eq!(cut_output(b"short", 0, 90), "short");
        assert_eq!(cut_output("é".repeat(100).as_bytes(), 0, 31).chars().next(), Some('é'));
    }

    #[test]
    fn results_say_how_a_command_ended() {
        let ended = render_result(&sandbox::Ending::Exited { code: 3 }, "out", "err\n");
        assert_eq!(ended, "out\n[stderr]\nerr\n[exit code 3]");
        let killed = render_result(&sandbox::Ending::WallLimit, "", "");
        assert_eq!(killed, "[stopped at the time limit]");
    }
}

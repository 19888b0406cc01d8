//! One growing conversation: native tool calls, or fenced blocks of plain text.

use llm::chat::{Message, Reply, Request, Stop, Tool, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Decision, Driver, read, says_done};
use crate::Error;
use crate::config::GameLimits;

/// Words of the scaffold, from its data file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    system: String,
    #[serde(default)]
    tool: String,
    nudge: String,
    cut: String,
}

/// A conversation in which each answer asks for commands.
pub(super) struct Conversation {
    words: Words,
    native: bool,
    messages: Vec<Message>,
    /// Tool calls of the last answer, and for those that cannot be run the reason.
    pending: Vec<(ToolCall, Option<String>)>,
}

impl Conversation {
    pub(super) fn native(task: String) -> Result<Self, Error> {
        let words = read("react.toml", include_str!("../../scaffolds/react.toml"))?;
        Ok(Self::start(words, true, task))
    }

    pub(super) fn fenced(task: String) -> Result<Self, Error> {
        let words = read("fenced.toml", include_str!("../../scaffolds/fenced.toml"))?;
        Ok(Self::start(words, false, task))
    }

    fn start(words: Words, native: bool, task: String) -> Self {
        let messages = vec![Message::User { text: task }];
        Self { words, native, messages, pending: Vec::new() }
    }

    /// Answers every pending tool call: providers reject a conversation that leaves one open.
    fn answer_pending(&mut self, results: &[String]) {
        let mut results = results.iter();
        for (call, refused) in self.pending.drain(..) {
            let is_error = refused.is_some();
            let content = refused.or_else(|| results.next().cloned()).unwrap_or_else(|| {
                "not run: the limit of commands in one answer is reached".into()
            });
            self.messages.push(Message::Tool { call_id: call.id, content, is_error });
        }
    }
}

impl Driver for Conversation {
    fn request(&self, limits: &GameLimits, seed: u64) -> Request {
        let tool = Tool {
            name: "bash".into(),
            description: self.words.tool.clone(),
            parameters: json!({
                "type": "object",
                "properties": { "command": { "type": "string", "description": "the command" } },
                "required": ["command"],
            }),
        };
        Request {
            system: Some(self.words.system.trim().to_owned()),
            messages: self.messages.clone(),
            tools: if self.native { vec![tool] } else { Vec::new() },
            max_output_tokens: limits.reply_tokens,
            temperature: limits.temperature,
            seed: Some(seed),
        }
    }

    fn take(&mut self, reply: &Reply) -> Decision {
        self.messages.push(Message::Assistant {
            text: reply.text.clone(),
            tool_calls: reply.tool_calls.clone(),
            opaque: reply.opaque.clone(),
        });
        let mut commands = Vec::new();
        if self.native {
            for call in &reply.tool_calls {
                let refused = match command_of(call) {
                    Ok(command) => {
                        commands.push(command);
                        None
                    }
                    Err(reason) => Some(reason),
                };
                self.pending.push((call.clone(), refused));
            }
        } else {
            commands.extend(fenced_command(&reply.text));
        }
        if !commands.is_empty() {
            Decision::Run(commands)
        } else if reply.tool_calls.is_empty()
            && reply.stop != Stop::Length
            && says_done(&reply.text)
        {
            Decision::Stop
        } else {
            Decision::Nothing
        }
    }

    fn give(&mut self, results: &[String]) {
        if self.native {
            self.answer_pending(results);
        } else {
            self.messages.push(Message::User { text: results.join("\n\n") });
        }
    }

    fn nudge(&mut self, cut: bool) {
        let had_calls = !self.pending.is_empty();
        self.answer_pending(&[]);
        // A refused tool call has just been told why; a second message would only confuse.
        if !had_calls || cut {
            let text = if cut { &self.words.cut } else { &self.words.nudge };
            self.messages.push(Message::User { text: text.trim().to_owned() });
        }
    }
}

/// The command of a tool call. Models also write the bare command as the arguments, or JSON inside
/// a string: both are understood, since the protocol is not what is being tested.
fn command_of(call: &ToolCall) -> Result<String, String> {
    if call.name != "bash" {
        return Err(format!("there is no tool `{}`; the only one is `bash`", call.name));
    }
    let inner;
    let arguments = match &call.arguments {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                inner = value;
                &inner
            }
            Err(_) => &call.arguments,
        },
        other => other,
    };
    let command = match arguments {
        Value::Object(map) => map.get("command").or_else(|| map.get("cmd")),
        Value::String(_) => Some(arguments),
        _ => None,
    };
    let text = match command {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) if lines.iter().all(Value::is_string) => {
            lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        _ => return Err("the `bash` tool needs the argument `command`, a string".into()),
    };
    if text.trim().is_empty() {
        return Err("the command is empty".into());
    }
    if text.contains('\0') {
        return Err("the command holds a zero byte, which no shell accepts".into());
    }
    Ok(text)
}

/// The first fenced block of a shell, or a block without a language. An unclosed last block counts:
/// some servers cut the closing fence as a stop sequence.
fn fenced_command(text: &str) -> Option<String> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        let shell = matches!(language.trim(), "bash" | "sh" | "shell" | "console" | "");
        let body = body.join("\n");
        if shell && !body.trim().is_empty() {
            return Some(body.trim_start_matches("$ ").to_owned());
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::agent) fn reply(text: &str, calls: &[Value]) -> Reply {
        let call = |(idx, arguments): (usize, &Value)| ToolCall {
            id: format!("call-{idx}"),
            name: "bash".into(),
            arguments: arguments.clone(),
        };
        Reply {
            text: text.into(),
            reasoning: None,
            tool_calls: calls.iter().enumerate().map(call).collect(),
            stop: if calls.is_empty() { Stop::End } else { Stop::ToolCalls },
            usage: llm::chat::Usage::default(),
            model: "test".into(),
            provider_id: None,
            opaque: Value::Null,
            wire: llm::chat::Wire::default(),
        }
    }

    fn messages(driver: &Conversation) -> Vec<Message> {
        driver.request(&GameLimits::usual(), 0).messages
    }

    #[test]
    fn parallel_calls_are_answered_each_under_its_own_id_in_order() {
        let mut driver = Conversation::native("task".into()).unwrap();
        let calls = [json!({"command": "a"}), json!({"wrong": 1}), json!({"command": "c"})];
        let decision = driver.take(&reply("", &calls));
        assert_eq!(decision, Decision::Run(vec!["a".into(), "c".into()]));
        driver.give(&["A".into(), "C".into()]);
        let answers: Vec<(String, String, bool)> = messages(&driver)
            .into_iter()
            .filter_map(|message| match message {
                Message::Tool { call_id, content, is_error } => Some((call_id, content, is_error)),
                _ => None,
            })
            .collect();
        assert_eq!(answers[0], ("call-0".into(), "A".into(), false));
        assert_eq!((answers[1].0.as_str(), answers[1].2), ("call-1", true));
        assert_eq!(answers[2], ("call-2".into(), "C".into(), false));
    }

    #[test]
    fn calls_beyond_the_results_are_answered_too() {
        let mut driver = Conversation::native("task".into()).unwrap();
        driver.take(&reply("", &[json!({"command": "a"}), json!({"command": "b"})]));
        driver.give(&["A".into()]);
        let last = messages(&driver).pop().unwrap();
        assert!(matches!(last, Message::Tool { content, .. } if content.starts_with("not run")));
    }

    #[test]
    fn arguments_as_text_or_as_json_in_text_are_understood() {
        let mut driver = Conversation::native("task".into()).unwrap();
        let calls = [json!("ls"), json!("{\"command\": \"pwd\"}"), json!({"command": ["a", "b"]})];
        let decision = driver.take(&reply("", &calls));
        assert_eq!(decision, Decision::Run(vec!["ls".into(), "pwd".into(), "a\nb".into()]));
    }

    #[test]
    fn a_refused_call_is_answered_and_no_nudge_is_added() {
        let mut driver = Conversation::native("task".into()).unwrap();
        assert_eq!(driver.take(&reply("", &[json!(5)])), Decision::Nothing);
        driver.nudge(false);
        let messages = messages(&driver);
        assert_eq!(messages.len(), 3);
        assert!(matches!(&messages[2], Message::Tool { is_error: true, .. }));
    }

    #[test]
    fn text_without_a_call_is_nothing_and_done_stops() {
        let mut driver = Conversation::native("task".into()).unwrap();
        assert_eq!(driver.take(&reply("I would play e5.", &[])), Decision::Nothing);
        assert_eq!(driver.take(&reply("", &[])), Decision::Nothing);
        assert_eq!(driver.take(&reply("DONE", &[])), Decision::Stop);
    }

    #[test]
    fn fenced_blocks_are_read_and_other_languages_are_not() {
        assert_eq!(fenced_command("Look:\n```bash\nls -l\n```\nthen").as_deref(), Some("ls -l"));
        assert_eq!(fenced_command("```python\nx\n```\n```\npwd\n```").as_deref(), Some("pwd"));
        assert_eq!(fenced_command("```sh\necho unclosed").as_deref(), Some("echo unclosed"));
        assert_eq!(fenced_command("no block"), None);
    }
}

//! The scripted twin of a model: replies from a list, a file or a function. It is named
//! `scripted:NAME` wherever it plays, so nobody takes it for a model.
//!
//! Its tokens are counted by rule, one per four bytes of text, rounded up, so that limits and
//! accounting can be tested; it costs nothing.

use std::path::Path;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::json;

use crate::chat::{Chat, Message, Reply, Request, Stop, ToolCall, Usage, Wire};
use crate::error::Error;

type Answer = dyn Fn(&Request) -> Result<Reply, Error> + Send + Sync;

/// A scripted model.
pub struct Scripted {
    name: String,
    answer: Box<Answer>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One reply in a script file: some text, and commands for a `bash` tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    text: String,
    #[serde(default)]
    commands: Vec<String>,
}

/// A script file: `[[replies]]` tables in TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    replies: Vec<Line>,
}

impl Scripted {
    /// Gives `replies` in order, then [`Error::ScriptEnded`].
    #[must_use]
    pub fn from_replies(name: &str, replies: Vec<Reply>) -> Self {
        let (script, n_replies) = (name.to_owned(), replies.len());
        let next = Mutex::new(0_usize);
        Self::from_fn(name, move |_| {
            // A counter is whole whatever a panicking thread did with it.
            let mut next = next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let ended = || Error::ScriptEnded { script: script.clone(), n_replies };
            let reply = replies.get(*next).cloned().ok_or_else(ended)?;
            *next += 1;
            Ok(reply)
        })
    }

    /// Answers every request by a function of it.
    #[must_use]
    pub fn from_fn(
        name: &str,
        answer: impl Fn(&Request) -> Result<Reply, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { name: format!("scripted:{name}"), answer: Box::new(answer) }
    }

    /// Reads a script file.
    ///
    /// # Errors
    /// [`Error::Config`] when it cannot be read or is no script.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let model = format!("scripted:{}", path.display());
        let config = |reason: String| Error::Config { model: model.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| config(error.to_string()))?;
        let script: Script =
            toml::from_str(&text).map_err(|error| config(error.message().to_owned()))?;
        if script.replies.is_empty() {
            return Err(config("it has no replies".to_owned()));
        }
        let replies = script.replies.into_iter().map(|line| reply(&line.text, &line.commands));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::from_replies(&name, replies.collect()))
    }
}

impl Chat for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete(&self, request: &Request) -> Result<Reply, Error> {
        let mut reply = (self.answer)(request)?;
        let calls: usize =
            reply.tool_calls.iter().map(|call| call.arguments.to_string().len()).sum();
        reply.usage = Usage {
            input_tokens: tokens(request_bytes(request)),
            output_tokens: tokens(reply.text.len() + calls),
            cost_usd: Some(0.0),
            ..Usage::default()
        };
        reply.model.clone_from(&self.name);
        reply.wire = Wire { n_attempts: 1, ..Wire::default() };
        Ok(reply)
    }
}

/// A reply of text, and of `bash` tool calls where there are commands.
#[must_use]
pub fn reply(text: &str, commands: &[String]) -> Reply {
    let tool_calls: Vec<ToolCall> = commands
        .iter()
        .enumerate()
        .map(|(idx, command)| ToolCall {
            id: format!("call-{idx}"),
            name: "bash".to_owned(),
            arguments: json!({ "command": command }),
        })
        .collect();
    Reply {
        text: text.to_owned(),
        reasoning: None,
        stop: if tool_calls.is_empty() { Stop::End } else { Stop::ToolCalls },
        tool_calls,
        usage: Usage::default(),
        model: String::new(),
        provider_id: None,
        opaque: serde_json::Value::Null,
        wire: Wire::default(),
    }
}

fn tokens(n_bytes: usize) -> u64 {
    n_bytes.div_ceil(4) as u64
}

fn request_bytes(request: &Request) -> usize {
    let of = |message: &Message| match message {
        Message::User { text } => text.len(),
        Message::Assistant { text, tool_calls, .. } => {
            text.len()
                + tool_calls.iter().map(|call| call.arguments.to_string().len()).sum::<usize>()
        }
        Message::Tool { content, .. } => content.len(),
    };
    request.system.as_ref().map_or(0, String::len) + request.messages.iter().map(of).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        Request {
            system: None,
            messages: vec![Message::User { text: text.into() }],
            tools: Vec::new(),
            max_output_tokens: 9,
            temperature: None,
            seed: None,
        }
    }

    #[test]
    fn replies_come_in_order_and_then_the_script_has_ended() {
        let twin = Scripted::from_replies("two", vec![reply("a", &[]), reply("b", &["ls".into()])]);
        assert_eq!(twin.complete(&request("x")).unwrap().text, "a");
        let second = twin.complete(&request("12345")).unwrap();
        assert_eq!(second.tool_calls[0].arguments["command"], "ls");
        assert_eq!((second.usage.input_tokens, second.usage.cost_usd), (2, Some(0.0)));
        let ended = twin.complete(&request("x"));
        assert!(matches!(ended, Err(Error::ScriptEnded { n_replies: 2, .. })));
        assert_eq!(twin.name(), "scripted:two");
    }

    #[test]
    fn a_file_that_is_no_script_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        for (text, part) in
            [("replies = []", "no replies"), ("x = 1", "unknown field"), ("", "missing")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Scripted::from_file(&path).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("s.toml"), "{error}");
        }
        std::fs::write(&path, "[[replies]]\ncommands = ['ls']\n").unwrap();
        let twin = Scripted::from_file(&path).unwrap();
        assert_eq!(twin.complete(&request("x")).unwrap().stop, Stop::ToolCalls);
    }
}

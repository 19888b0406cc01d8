//! What real models do beside the protocols: thoughts in tags, tool calls written as text.

use serde_json::Value;

use crate::chat::{Reply, Request, Stop, ToolCall};

/// Moves `<think>` blocks to the reasoning, and reads a tool call that was written as text when
/// tools were offered and none was called.
pub(super) fn mend(mut reply: Reply, request: &Request) -> Reply {
    if let Some((thought, rest)) = split_thought(&reply.text) {
        reply.reasoning.get_or_insert_default().push_str(&thought);
        reply.text = rest;
    }
    if reply.tool_calls.is_empty()
        && !request.tools.is_empty()
        && let Some(call) = written_call(&reply.text, request)
    {
        reply.tool_calls.push(call);
        reply.stop = Stop::ToolCalls;
    }
    reply
}

/// `<think>…</think>rest`; an unclosed thought is all thought.
fn split_thought(text: &str) -> Option<(String, String)> {
    let inner = text.trim_start().strip_prefix("<think>")?;
    match inner.split_once("</think>") {
        Some((thought, rest)) => Some((thought.trim().to_owned(), rest.trim_start().to_owned())),
        None => Some((inner.trim().to_owned(), String::new())),
    }
}

/// A JSON object with the name of a tool and arguments: fenced, tagged, bare, or with every brace
/// doubled, as some chat templates print it.
fn written_call(text: &str, request: &Request) -> Option<ToolCall> {
    let candidates = [
        between(text, "<tool_call>", "</tool_call>"),
        between(text, "```json", "```"),
        between(text, "```", "```"),
        Some(text),
    ];
    candidates.into_iter().flatten().find_map(|candidate| {
        let plain = candidate.trim();
        let single = plain.replace("{{", "{").replace("}}", "}");
        let value: Value =
            serde_json::from_str(plain).or_else(|_| serde_json::from_str(&single)).ok()?;
        let name = value["name"].as_str()?;
        request.tools.iter().find(|tool| tool.name == name)?;
        let arguments = value.get("arguments").or_else(|| value.get("parameters"))?;
        arguments.is_object().then(|| ToolCall {
            id: "written-call".to_owned(),
            name: name.to_owned(),
            arguments: arguments.clone(),
        })
    })
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let rest = text.split_once(open)?.1;
    Some(rest.split_once(close).map_or(rest, |(inner, _)| inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Tool;
    use crate::scripted::reply;

    fn mended(text: &str) -> Reply {
        let tool =
            Tool { name: "bash".into(), description: String::new(), parameters: Value::Null };
        let request = Request {
            system: None,
            messages: vec![],
            tools: vec![tool],
            max_output_tokens: 1,
            temperature: None,
            seed: None,
        };
        mend(reply(text, &[]), &request)
    }

    #[test]
    fn a_call_written_as_text_is_read_in_every_known_form() {
        for text in [
            "```json\n{\"name\": \"bash\", \"arguments\": {\"command\": \"ls\"}}\n```",
            "<tool_call>\n{\"name\": \"bash\", \"arguments\": {\"command\": \"ls\"}}\n</tool_call>",
            "{{\"name\": \"bash\", \"arguments\": {{\"command\": \"ls\"}}}}",
            "{\"name\": \"bash\", \"parameters\": {\"command\": \"ls\"}}",
        ] {
            let reply = mended(text);
            assert_eq!(reply.tool_calls.len(), 1, "{text}");
            assert_eq!(reply.tool_calls[0].arguments["command"], "ls", "{text}");
        }
    }

    #[test]
    fn other_json_is_no_call() {
        for text in ["{\"name\": \"rm\", \"arguments\": {}}", "{\"a\": 1}", "bash ls", ""] {
            assert!(mended(text).tool_calls.is_empty(), "{text}");
        }
    }

    #[test]
    fn thoughts_in_tags_are_reasoning() {
        let reply = mended("<think>hm</think>\nanswer");
        assert_eq!((reply.reasoning.as_deref(), reply.text.as_str()), (Some("hm"), "answer"));
        assert_eq!(mended("<think>cut off").text, "");
    }
}

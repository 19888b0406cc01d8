//! Chat-completions as the server sees it: requests read, replies written.

use serde_json::{Value, json};

use crate::chat::{Message, Reply, Request, Stop, Tool, ToolCall};

/// A request body.
pub(super) fn request(body: &Value) -> Result<Request, String> {
    let mut system = None;
    let mut messages = Vec::new();
    for message in body["messages"].as_array().ok_or("there are no `messages`")? {
        let text = message["content"].as_str().unwrap_or_default().to_owned();
        match message["role"].as_str() {
            Some("system" | "developer") => system = Some(text),
            Some("user") => messages.push(Message::User { text }),
            Some("tool") => messages.push(Message::Tool {
                call_id: message["tool_call_id"].as_str().unwrap_or_default().to_owned(),
                content: text,
                is_error: false,
            }),
            Some("assistant") => {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                let tool_calls = calls.map(tool_call).collect();
                messages.push(Message::Assistant { text, tool_calls, opaque: Value::Null });
            }
            other => return Err(format!("a message has the role {other:?}")),
        }
    }
    let tools = body["tools"].as_array().into_iter().flatten().map(tool).collect();
    let limit =
        ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body[*name].as_u64());
    Ok(Request {
        system,
        messages,
        tools,
        max_output_tokens: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX),
        temperature: body["temperature"].as_f64().map(|value| value as f32),
        seed: body["seed"].as_u64(),
    })
}

fn tool(tool: &Value) -> Tool {
    let function = &tool["function"];
    let text = |name: &str| function[name].as_str().unwrap_or_default().to_owned();
    let parameters = function["parameters"].clone();
    Tool { name: text("name"), description: text("description"), parameters }
}

fn tool_call(call: &Value) -> ToolCall {
    let function = &call["function"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arguments = text(&function["arguments"]);
    ToolCall {
        id: text(&call["id"]),
        name: text(&function["name"]),
        arguments: serde_json::from_str(&arguments).unwrap_or(Value::String(arguments)),
    }
}

/// A reply's body.
pub(super) fn reply(reply: &Reply) -> Value {
    let mut message = json!({ "role": "assistant", "content": reply.text });
    if !reply.tool_calls.is_empty() {
        let calls = reply.tool_calls.iter().map(|call| {
            json!({ "id": call.id, "type": "function", "function": {
                "name": call.name, "arguments": call.arguments.to_string() } })
        });
        message["tool_calls"] = calls.collect();
    }
    let reason = match reply.stop {
        Stop::ToolCalls => "tool_calls",
        Stop::Length => "length",
        Stop::Refusal => "content_filter",
        Stop::End | Stop::Other => "stop",
    };
    json!({
        "id": "scripted",
        "object": "chat.completion",
        "model": reply.model,
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": {
            "prompt_tokens": reply.usage.input_tokens,
            "completion_tokens": reply.usage.output_tokens,
            "total_tokens": reply.usage.input_tokens + reply.usage.output_tokens,
        },
    })
}

//! OpenAI chat-completions, as its public reference describes it, and as other servers speak it.

use serde_json::{Value, json};

use crate::chat::{Message, Reply, Request, Stop, ToolCall, Usage, Wire};

/// Fields of an assistant message that some servers want back unchanged.
const KEPT: [&str; 2] = ["reasoning_content", "reasoning_details"];

pub(super) fn encode(model: &str, request: &Request) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    if let Some(system) = &request.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({ "model": model, "messages": messages });
    // OpenAI's newer models refuse `max_tokens`; nearly all other servers know only that.
    let newer = ["o1", "o3", "o4", "gpt-5"].iter().any(|prefix| model.starts_with(prefix));
    body[if newer { "max_completion_tokens" } else { "max_tokens" }] =
        json!(request.max_output_tokens);
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(seed) = request.seed {
        // The wire's integers are signed.
        body["seed"] = json!(seed >> 1);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters } })
        });
        body["tools"] = tools.collect();
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "content": text }),
        Message::Tool { call_id, content, .. } => {
            json!({ "role": "tool", "tool_call_id": call_id, "content": content })
        }
        Message::Assistant { text, tool_calls, opaque } => {
            let mut value = json!({ "role": "assistant", "content": text });
            if !tool_calls.is_empty() {
                let calls = tool_calls.iter().map(|call| {
                    json!({ "id": call.id, "type": "function", "function": {
                        "name": call.name, "arguments": arguments_text(&call.arguments) } })
                });
                value["tool_calls"] = calls.collect();
            }
            for name in KEPT {
                if let Some(kept) = opaque.get(name) {
                    value[name] = kept.clone();
                }
            }
            value
        }
    }
}

/// Arguments as the string that the protocol wants; text that was no JSON goes back as it came.
pub(super) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Arguments from that string; text that is no JSON object is kept as a string.
pub(super) fn arguments(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => value,
        _ if text.trim().is_empty() => json!({}),
        _ => Value::String(text.to_owned()),
    }
}

pub(super) fn decode(body: &Value) -> Result<Reply, String> {
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Err(format!("it carries an error: {error}"));
    }
    let choice = body["choices"].get(0).ok_or("it has no choices")?;
    let message = choice.get("message").ok_or("its choice has no message")?;
    let refusal = message["refusal"].as_str().filter(|text| !text.is_empty());
    let mut tool_calls = Vec::new();
    for (idx, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let function = &call["function"];
        let name = function["name"].as_str().ok_or("a tool call has no name")?;
        let id = call["id"].as_str().map_or_else(|| format!("call-{idx}"), str::to_owned);
        let arguments = match &function["arguments"] {
            Value::String(text) => arguments(text),
            other => other.clone(),
        };
        tool_calls.push(ToolCall { id, name: name.to_owned(), arguments });
    }
    let reason = choice["finish_reason"].as_str().unwrap_or_default();
    let stop = match reason {
        _ if refusal.is_some() => Stop::Refusal,
        "tool_calls" | "function_call" => Stop::ToolCalls,
        "stop" if tool_calls.is_empty() => Stop::End,
        "stop" => Stop::ToolCalls,
        "length" => Stop::Length,
        "content_filter" => Stop::Refusal,
        _ => Stop::Other,
    };
    let kept: serde_json::Map<String, Value> = KEPT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), message.get(*name)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .collect();
    let reasoning = ["reasoning_content", "reasoning"]
        .iter()
        .find_map(|name| message[*name].as_str())
        .filter(|text| !text.is_empty());
    Ok(Reply {
        text: refusal.map_or_else(|| text(&message["content"]), str::to_owned),
        reasoning: reasoning.map(str::to_owned),
        tool_calls,
        stop,
        usage: usage(&body["usage"]),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        provider_id: provider_id(body),
        opaque: if kept.is_empty() { Value::Null } else { Value::Object(kept) },
        wire: Wire::default(),
    })
}

/// Content as text: a string, null, or an array of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    Usage {
        input_tokens: count(&usage["prompt_tokens"]),
        cached_tokens: count(&usage["prompt_tokens_details"]["cached_tokens"]),
        output_tokens: count(&usage["completion_tokens"]),
        reasoning_tokens: count(&usage["completion_tokens_details"]["reasoning_tokens"]),
        cost_usd: None,
    }
}

fn provider_id(body: &Value) -> Option<String> {
    let id = body["id"].as_str()?;
    Some(match body["system_fingerprint"].as_str() {
        Some(fingerprint) => format!("{id} {fingerprint}"),
        None => id.to_owned(),
    })
}

//! Anthropic messages, as its public reference describes it. Thinking blocks carry signatures and
//! are sent back unchanged.

use serde_json::{Value, json};

use crate::chat::{Message, Reply, Request, Stop, ToolCall, Usage, Wire};

pub(super) fn encode(model: &str, request: &Request) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    for message in &request.messages {
        let (role, blocks) = blocks(message);
        // Results of parallel calls belong into one message, and roles must alternate.
        match messages.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(content) = last["content"].as_array_mut() {
                    content.extend(blocks);
                }
            }
            _ => messages.push(json!({ "role": role, "content": blocks })),
        }
    }
    let mut body = json!({
        "model": model, "max_tokens": request.max_output_tokens, "messages": messages });
    if let Some(system) = &request.system {
        body["system"] = json!(system);
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({ "name": tool.name, "description": tool.description,
                "input_schema": tool.parameters })
        });
        body["tools"] = tools.collect();
    }
    body
}

fn blocks(message: &Message) -> (&'static str, Vec<Value>) {
    match message {
        Message::User { text } => ("user", vec![text_block(text)]),
        Message::Tool { call_id, content, is_error } => {
            let block = json!({ "type": "tool_result", "tool_use_id": call_id, "content": content,
                "is_error": is_error });
            ("user", vec![block])
        }
        Message::Assistant { text, tool_calls, opaque } => {
            if let Value::Array(blocks) = opaque {
                return ("assistant", blocks.clone());
            }
            let mut blocks = Vec::new();
            if !text.is_empty() || tool_calls.is_empty() {
                blocks.push(text_block(text));
            }
            blocks.extend(tool_calls.iter().map(|call| {
                // The protocol takes objects only; text that was none is shown as what it was.
                let input = match &call.arguments {
                    value @ Value::Object(_) => value.clone(),
                    other => json!({ "malformed": other }),
                };
                json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
            }));
            ("assistant", blocks)
        }
    }
}

/// Empty text blocks are refused by the protocol.
fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": if text.trim().is_empty() { "(nothing)" } else { text } })
}

pub(super) fn decode(body: &Value) -> Result<Reply, String> {
    if body["type"] == "error" {
        return Err(format!("it carries an error: {}", body["error"]));
    }
    let content = body["content"].as_array().ok_or("it has no content")?;
    let (mut text, mut reasoning) = (String::new(), String::new());
    let mut tool_calls = Vec::new();
    for block in content {
        match block["type"].as_str().unwrap_or_default() {
            "text" => text.push_str(block["text"].as_str().unwrap_or_default()),
            "thinking" => reasoning.push_str(block["thinking"].as_str().unwrap_or_default()),
            "tool_use" => tool_calls.push(ToolCall {
                id: block["id"].as_str().ok_or("a tool call has no id")?.to_owned(),
                name: block["name"].as_str().ok_or("a tool call has no name")?.to_owned(),
                arguments: block["input"].clone(),
            }),
            // Redacted thinking and the like go back unread.
            _ => {}
        }
    }
    let stop = match body["stop_reason"].as_str().unwrap_or_default() {
        "end_turn" | "stop_sequence" => Stop::End,
        "tool_use" => Stop::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "refusal" => Stop::Refusal,
        _ => Stop::Other,
    };
    let usage = &body["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let cached = count("cache_read_input_tokens");
    // Empty content is a whole answer, but may not be sent back.
    let opaque = if content.is_empty() { Value::Null } else { Value::Array(content.clone()) };
    Ok(Reply {
        text,
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        tool_calls,
        stop,
        usage: Usage {
            // The protocol counts cached tokens apart.
            input_tokens: count("input_tokens") + cached + count("cache_creation_input_tokens"),
            cached_tokens: cached,
            output_tokens: count("output_tokens"),
            reasoning_tokens: 0,
            cost_usd: None,
        },
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        provider_id: body["id"].as_str().map(str::to_owned),
        opaque,
        wire: Wire::default(),
    })
}

//! OpenAI responses, as its public reference describes it. Nothing is stored at the provider;
//! reasoning items come back encrypted and are sent again unchanged.

use serde_json::{Value, json};

use super::chat_completions::{arguments, arguments_text};
use crate::chat::{Message, Reply, Request, Stop, ToolCall, Usage, Wire};

pub(super) fn encode(model: &str, request: &Request) -> Value {
    let input: Vec<Value> = request.messages.iter().flat_map(items).collect();
    let mut body = json!({
        "model": model,
        "input": input,
        "max_output_tokens": request.max_output_tokens,
        "store": false,
        "include": ["reasoning.encrypted_content"],
    });
    if let Some(system) = &request.system {
        body["instructions"] = json!(system);
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({ "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters })
        });
        body["tools"] = tools.collect();
    }
    body
}

fn items(message: &Message) -> Vec<Value> {
    match message {
        Message::User { text } => vec![json!({ "role": "user", "content": text })],
        Message::Tool { call_id, content, .. } => {
            vec![json!({ "type": "function_call_output", "call_id": call_id, "output": content })]
        }
        Message::Assistant { text, tool_calls, opaque } => {
            // Items that came from the provider go back whole and in their order.
            if let Value::Array(items) = opaque {
                return items.clone();
            }
            let mut items = Vec::new();
            if !text.is_empty() {
                items.push(json!({ "role": "assistant", "content": text }));
            }
            items.extend(tool_calls.iter().map(|call| {
                json!({ "type": "function_call", "call_id": call.id, "name": call.name,
                    "arguments": arguments_text(&call.arguments) })
            }));
            items
        }
    }
}

pub(super) fn decode(body: &Value) -> Result<Reply, String> {
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Err(format!("it carries an error: {error}"));
    }
    let output = body["output"].as_array().ok_or("it has no output")?;
    let (mut text, mut reasoning, mut refused) = (String::new(), String::new(), false);
    let mut tool_calls = Vec::new();
    for item in output {
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                for part in item["content"].as_array().into_iter().flatten() {
                    refused |= part["type"] == "refusal";
                    let words = part["text"].as_str().or_else(|| part["refusal"].as_str());
                    text.push_str(words.unwrap_or_default());
                }
            }
            "reasoning" => {
                let parts =
                    item["summary"].as_array().into_iter().chain(item["content"].as_array());
                let words = parts.flatten().filter_map(|part| part["text"].as_str());
                reasoning.extend(words);
            }
            "function_call" => tool_calls.push(ToolCall {
                id: item["call_id"].as_str().ok_or("a tool call has no id")?.to_owned(),
                name: item["name"].as_str().ok_or("a tool call has no name")?.to_owned(),
                arguments: arguments(item["arguments"].as_str().unwrap_or_default()),
            }),
            // Other items are the provider's own business; they go back with the rest.
            _ => {}
        }
    }
    let why = body["incomplete_details"]["reason"].as_str().unwrap_or_default();
    let stop = match (body["status"].as_str().unwrap_or_default(), why) {
        _ if refused => Stop::Refusal,
        ("incomplete", "max_output_tokens") => Stop::Length,
        ("incomplete", "content_filter") => Stop::Refusal,
        ("completed", _) if tool_calls.is_empty() => Stop::End,
        ("completed", _) => Stop::ToolCalls,
        _ => Stop::Other,
    };
    let usage = &body["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    Ok(Reply {
        text,
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        tool_calls,
        stop,
        usage: Usage {
            input_tokens: count(&usage["input_tokens"]),
            cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
            output_tokens: count(&usage["output_tokens"]),
            reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
            cost_usd: None,
        },
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        provider_id: body["id"].as_str().map(str::to_owned),
        opaque: Value::Array(output.clone()),
        wire: Wire::default(),
    })
}

//! What goes over the wire in each protocol, and what is read out of an answer.

use llm::chat::{Chat, Message, Reply, Stop};
use llm::http::Protocol;
use serde_json::{Value, json};

use crate::server::{Asked, KEY, Play, Server, model, request};

const RECORDED: [(Protocol, &str); 3] = [
    (Protocol::ChatCompletions, include_str!("../recorded/chat_completions.json")),
    (Protocol::Responses, include_str!("../recorded/responses.json")),
    (Protocol::Messages, include_str!("../recorded/messages.json")),
];

/// The recorded answer to a first question, and what was sent for a second one that carries the
/// first answer and the tool's result.
fn round_trip(protocol: Protocol, recorded: &str) -> (Reply, Vec<Asked>) {
    let server = Server::start(vec![Play::Answer(200, Vec::new(), recorded.to_owned())]);
    let (model, _) = model(&server, protocol);
    let mut request = request();
    let reply = model.complete(&request).expect("a reply");
    request.messages.push(Message::Assistant {
        text: reply.text.clone(),
        tool_calls: reply.tool_calls.clone(),
        opaque: reply.opaque.clone(),
    });
    request.messages.push(Message::Tool {
        call_id: reply.tool_calls[0].id.clone(),
        content: "game.sh".to_owned(),
        is_error: false,
    });
    model.complete(&request).expect("a reply");
    (reply, server.asked())
}

#[test]
fn every_protocol_reads_text_tools_tokens_and_reasons() {
    for (protocol, recorded) in RECORDED {
        let (reply, _) = round_trip(protocol, recorded);
        assert_eq!(reply.text, "Looking.", "{protocol:?}");
        assert_eq!(reply.stop, Stop::ToolCalls, "{protocol:?}");
        assert_eq!(reply.tool_calls.len(), 1);
        assert_eq!(reply.tool_calls[0].name, "bash");
        assert_eq!(reply.tool_calls[0].arguments, json!({ "command": "ls -l" }));
        let usage = reply.usage;
        let tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens);
        assert_eq!(tokens, (120, 100, 30), "{protocol:?}");
        assert_eq!(usage.cost_usd, None, "no price, no cost");
        assert!(reply.model.contains("-x-2026"), "{}", reply.model);
        assert!(reply.provider_id.is_some());
        assert_eq!((reply.wire.status, reply.wire.n_attempts), (200, 1));
        assert_eq!(reply.wire.response, recorded, "the exact bytes");
    }
}

#[test]
fn chat_completions_sends_what_its_reference_asks_for() {
    let (_, asked) = round_trip(RECORDED[0].0, RECORDED[0].1);
    assert_eq!(asked[0].line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let body = asked[1].json();
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("gpt-x"), &json!(500)));
    assert_eq!(body["tools"][0]["function"]["name"], "bash");
    let roles: Vec<&Value> = (0..4).map(|at| &body["messages"][at]["role"]).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    let call = &body["messages"][2]["tool_calls"][0];
    assert_eq!(call["id"], body["messages"][3]["tool_call_id"]);
    assert!(call["function"]["arguments"].is_string(), "arguments travel as text");
}

#[test]
fn responses_sends_reasoning_back_unchanged_and_stores_nothing() {
    let (reply, asked) = round_trip(RECORDED[1].0, RECORDED[1].1);
    assert_eq!(reply.reasoning.as_deref(), Some("I look first."));
    assert_eq!(asked[0].line, "POST /v1/responses HTTP/1.1");
    let body = asked[1].json();
    assert_eq!(body["store"], false);
    let items = body["input"].as_array().expect("items");
    let recorded: Value = serde_json::from_str(RECORDED[1].1).expect("JSON");
    assert_eq!(items[1..4], recorded["output"].as_array().expect("items")[..]);
    assert_eq!(items[4]["type"], "function_call_output");
    assert_eq!(items[4]["call_id"], "call_a");
}

#[test]
fn messages_sends_thinking_back_unchanged_under_its_own_headers() {
    let (reply, asked) = round_trip(RECORDED[2].0, RECORDED[2].1);
    assert_eq!(reply.reasoning.as_deref(), Some("I look first."));
    assert_eq!(asked[0].line, "POST /v1/messages HTTP/1.1");
    assert_eq!(asked[0].header("x-api-key"), Some(KEY));
    assert_eq!(asked[0].header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(asked[0].header("authorization"), None);
    let body = asked[1].json();
    assert_eq!(body["system"], "Be brief.");
    assert_eq!(body["messages"][1]["content"][0]["signature"], "c2ln");
    let result = &body["messages"][2]["content"][0];
    assert_eq!(
        (&result["type"], &result["tool_use_id"]),
        (&json!("tool_result"), &json!("call_a"))
    );
}

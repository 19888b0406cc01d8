//! The scripted server and the HTTP client, back to back.

use std::sync::Arc;

use llm::chat::{Chat, Stop};
use llm::http::{Endpoint, HttpModel, Protocol};
use llm::price::Prices;
use llm::scripted::{Scripted, reply};
use llm::serve::Server;

use crate::server::request;

/// A client of a freshly served script.
fn client(chat: Scripted) -> HttpModel {
    let server = Server::bind(0).expect("a free port");
    let url = server.url().expect("an address");
    // The thread ends with the test process.
    std::thread::spawn(move || server.run(Arc::new(chat)));
    let mut endpoint = Endpoint::new(Protocol::ChatCompletions, &url, "twin");
    endpoint.n_attempts = 1;
    HttpModel::new("served", endpoint, Arc::new(Prices::default())).expect("a model")
}

#[test]
fn a_script_over_http_answers_as_it_does_in_process() {
    let commands = ["ls".to_owned(), "echo \"two words\"".to_owned()];
    let model = client(Scripted::from_fn("s", move |request| {
        assert_eq!(request.system.as_deref(), Some("Be brief."));
        assert_eq!(request.tools.len(), 1);
        Ok(reply("Looking.", &commands))
    }));
    let answer = model.complete(&request()).expect("a reply");
    assert_eq!((answer.text.as_str(), answer.stop), ("Looking.", Stop::ToolCalls));
    assert_eq!(answer.tool_calls[1].arguments["command"], "echo \"two words\"");
    assert_eq!(answer.model, "scripted:s");
    assert!(answer.usage.input_tokens > 0);
}

#[test]
fn a_script_that_has_ended_is_an_error_of_the_server() {
    let model = client(Scripted::from_replies("short", vec![reply("once", &[])]));
    assert_eq!(model.complete(&request()).expect("a reply").text, "once");
    let error = model.complete(&request()).expect_err("no more replies");
    assert!(error.to_string().contains("status 500"), "{error}");
}

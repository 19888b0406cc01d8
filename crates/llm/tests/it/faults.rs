//! Everything that can go wrong between here and a model, and what the caller is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use llm::chat::{Chat, Stop};
use llm::http::{HttpModel, Protocol};
use llm::price::Prices;
use llm::{Error, Reply};

use crate::server::{KEY, Play, Server, endpoint, model, request};

const GOOD: &str = include_str!("../recorded/chat_completions.json");

fn answer(status: u16, body: &str) -> Play {
    Play::Answer(status, Vec::new(), body.to_owned())
}

fn good() -> Play {
    answer(200, GOOD)
}

/// The reply, the waits in between, and the requests that were sent.
fn ask(plays: Vec<Play>) -> (Result<Reply, Error>, Vec<Duration>, usize) {
    let server = Server::start(plays);
    let (model, waits) = model(&server, Protocol::ChatCompletions);
    let reply = model.complete(&request());
    let waits = waits.0.lock().expect("no panic").clone();
    (reply, waits, server.asked().len())
}

#[test]
fn what_may_be_gone_next_time_is_tried_again() {
    for fault in [
        answer(429, "slow down"),
        answer(500, "oops"),
        answer(503, ""),
        answer(529, "overloaded"),
        Play::Reset,
        Play::Truncated("{\"choices\":".to_owned()),
        answer(200, "{\"choices\": [{\"mess"),
        Play::Slow(Duration::from_millis(1500), GOOD.to_owned()),
    ] {
        let (reply, waits, n_asked) = ask(vec![fault.clone(), good()]);
        let reply = reply.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((reply.text.as_str(), reply.wire.n_attempts), ("Looking.", 2), "{fault:?}");
        assert_eq!((waits.len(), n_asked), (1, 2), "{fault:?}");
        assert!(waits[0] >= Duration::from_millis(500), "{fault:?}: {waits:?}");
    }
}

#[test]
fn a_server_that_says_how_long_is_believed() {
    let busy = Play::Answer(429, vec![("retry-after", "7".to_owned())], "{}".to_owned());
    let (reply, waits, _) = ask(vec![busy, good()]);
    assert!(reply.is_ok());
    assert_eq!(waits, [Duration::from_secs(7)]);
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    for status in [400, 401, 403, 404, 422] {
        let (reply, waits, n_asked) = ask(vec![answer(status, "{\"error\":\"no such model\"}")]);
        let Err(Error::Status { status: told, n_attempts: 1, body }) = reply else {
            panic!("{status}: {reply:?}")
        };
        assert_eq!((told, n_asked, waits.len()), (status, 1, 0));
        assert!(body.contains("no such model"));
    }
}

#[test]
fn attempts_are_counted_and_end() {
    let (reply, waits, n_asked) = ask(vec![answer(500, "oops")]);
    assert!(matches!(reply, Err(Error::Status { status: 500, n_attempts: 3, .. })), "{reply:?}");
    assert_eq!((waits.len(), n_asked), (2, 3));
    let (reply, _, n_asked) = ask(vec![Play::Reset]);
    assert!(matches!(reply, Err(Error::Transport { n_attempts: 3, .. })), "{reply:?}");
    assert_eq!(n_asked, 3);
}

#[test]
fn an_answer_of_another_shape_is_a_protocol_error_in_one_line() {
    for body in ["{}", "[]", "{\"choices\":[]}", "{\"error\":{\"message\":\"quota\"}}", "null"] {
        let (reply, _, n_asked) = ask(vec![answer(200, body)]);
        let Err(error @ Error::Protocol { .. }) = reply else { panic!("{body}: {reply:?}") };
        assert!(!error.to_string().contains('\n'));
        assert_eq!(n_asked, 1, "a whole answer of a wrong shape is not asked for again");
    }
    let (reply, _, _) = ask(vec![answer(200, "<html>Sign in to the\nhotel's wireless</html>")]);
    let Err(error @ Error::Protocol { .. }) = reply else { panic!("{reply:?}") };
    assert!(error.to_string().contains("hotel") && !error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_body_above_the_limit_is_not_kept() {
    let (reply, _, _) = ask(vec![Play::Endless(200_000)]);
    let Err(Error::Transport { reason, .. }) = reply else { panic!("{reply:?}") };
    assert!(reason.contains("longer than 100000 bytes"), "{reason}");
}

#[test]
fn a_redirect_is_an_error_and_the_key_stays_here() {
    let elsewhere = Server::start(vec![good()]);
    let away = Play::Answer(307, vec![("location", elsewhere.url.clone())], String::new());
    let (reply, _, _) = ask(vec![away]);
    assert!(matches!(reply, Err(Error::Status { status: 307, .. })), "{reply:?}");
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_server_that_repeats_the_key_does_not_get_it_into_any_record() {
    let echo = GOOD.replace("Looking.", &format!("Your key is {KEY}."));
    let (reply, _, _) = ask(vec![answer(200, &echo)]);
    let wire = reply.expect("a reply").wire;
    assert!(!wire.response.contains(KEY) && wire.response.contains("Your key is ***."));
    assert!(!wire.request.contains(KEY) && !wire.url.contains(KEY));
    let (reply, _, _) = ask(vec![answer(401, &format!("bad key {KEY}"))]);
    let error = reply.expect_err("refused");
    assert!(!format!("{error} {error:?}").contains(KEY));
}

#[test]
fn a_key_is_never_sent_in_the_clear_to_another_machine() {
    let server = Server::start(vec![good()]);
    let mut far = endpoint(&server, Protocol::Messages);
    assert!(HttpModel::new("near", far.clone(), Arc::new(Prices::default())).is_ok());
    far = llm::http::Endpoint::new(Protocol::Messages, "http://models.example/v1", "m")
        .key(llm::secret::Secret::new(KEY));
    let refused = HttpModel::new("far", far, Arc::new(Prices::default()));
    let Err(Error::Config { reason, .. }) = refused else { panic!("accepted") };
    assert!(reason.contains("https"), "{reason}");
}

#[test]
fn cancelling_ends_a_wait_at_once() {
    let busy = Play::Answer(429, vec![("retry-after", "300".to_owned())], String::new());
    let server = Server::start(vec![busy]);
    let cancel = Arc::new(AtomicBool::new(false));
    let model = HttpModel::new("x", endpoint(&server, Protocol::Responses), Arc::default())
        .expect("a model")
        .with_cancel(Arc::clone(&cancel));
    let began = Instant::now();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        cancel.store(true, Ordering::Relaxed);
    });
    let reply = model.complete(&request());
    assert!(matches!(reply, Err(Error::Interrupted { .. })), "{reply:?}");
    // The server asked for five minutes.
    assert!(began.elapsed() < Duration::from_secs(60));
    setter.join().expect("no panic");
}

#[test]
fn odd_but_whole_answers_are_read_for_what_they_are() {
    let length = GOOD
        .replace("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"length\"")
        .replace("{\\\"command\\\":\\\"ls -l\\\"}", "{\\\"command\\\":\\\"ls");
    let reply = ask(vec![answer(200, &length)]).0.expect("a reply");
    assert_eq!(reply.stop, Stop::Length);
    assert!(reply.tool_calls[0].arguments.is_string(), "broken arguments are kept as text");
    let refused = GOOD.replace("\"refusal\":null", "\"refusal\":\"I will not.\"");
    let reply = ask(vec![answer(200, &refused)]).0.expect("a reply");
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::Refusal, "I will not."));
}

//! A server on loopback that plays answers in order and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm::http::{Endpoint, HttpModel, Pause, Protocol};
use llm::price::Prices;
use llm::secret::Secret;
use llm::{Message, Request, Tool};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// Status, extra headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Announces more bytes than it sends, then closes.
    Truncated(String),
    /// Closes without a word.
    Reset,
    /// Waits, then answers with this body.
    Slow(Duration, String),
    /// So many bytes of a JSON string without an end.
    Endless(usize),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A running server; its thread ends with the test process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Plays `plays` in order; the last one again and again.
    pub(crate) fn start(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let play = plays[index.min(plays.len() - 1)].clone();
                let Ok(stream) = stream else { break };
                // A client that gave up in the middle is part of some tests.
                let _ = play_one(&stream, &play, &kept);
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic in the server").clone()
    }
}

fn play_one(stream: &TcpStream, play: &Play, kept: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).expect("UTF-8");
    kept.lock().expect("no panic").push(Asked { line: line.trim().to_owned(), headers, body });
    let mut out = stream;
    let head = |status: u16, length: usize, more: &[(&str, String)]| {
        let more: String =
            more.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n"
        )
    };
    match play {
        Play::Answer(status, more, body) => {
            out.write_all(head(*status, body.len(), more).as_bytes())?;
            out.write_all(body.as_bytes())
        }
        Play::Truncated(body) => {
            out.write_all(head(200, body.len() + 100, &[]).as_bytes())?;
            out.write_all(body.as_bytes())
        }
        Play::Reset => Ok(()),
        Play::Slow(wait, body) => {
            std::thread::sleep(*wait);
            out.write_all(head(200, body.len(), &[]).as_bytes())?;
            out.write_all(body.as_bytes())
        }
        Play::Endless(n_bytes) => {
            out.write_all(head(200, *n_bytes, &[]).as_bytes())?;
            out.write_all(b"\"")?;
            out.write_all(&vec![b'x'; *n_bytes - 1])
        }
    }
}

/// Takes notes instead of waiting.
#[derive(Debug, Default)]
pub(crate) struct Noted(pub(crate) Mutex<Vec<Duration>>);

impl Pause for Noted {
    fn pause(&self, time: Duration, _cancel: &AtomicBool) -> bool {
        self.0.lock().expect("no panic").push(time);
        true
    }
}

pub(crate) const KEY: &str = "sk-very-secret-0123456789";

pub(crate) fn endpoint(server: &Server, protocol: Protocol) -> Endpoint {
    let mut endpoint = Endpoint::new(protocol, &server.url, "gpt-x").key(Secret::new(KEY));
    endpoint.timeout = Duration::from_millis(800);
    endpoint.n_attempts = 3;
    endpoint.body_limit = 100_000;
    endpoint
}

/// A model on the server, and the waits that it asks for.
pub(crate) fn model(server: &Server, protocol: Protocol) -> (HttpModel, Arc<Noted>) {
    let waits = Arc::new(Noted::default());
    let model = HttpModel::new("test", endpoint(server, protocol), Arc::new(Prices::default()));
    (model.expect("a model").with_pause(Arc::<Noted>::clone(&waits)), waits)
}

/// A conversation with a tool round trip in it.
pub(crate) fn request() -> Request {
    let user = |text: &str| Message::User { text: text.to_owned() };
    Request {
        system: Some("Be brief.".to_owned()),
        messages: vec![user("What is here?")],
        tools: vec![Tool {
            name: "bash".to_owned(),
            description: "Runs a command".to_owned(),
            parameters: serde_json::json!({
                "type": "object",
                "properties": { "command": { "type": "string" } },
                "required": ["command"],
            }),
        }],
        max_output_tokens: 500,
        temperature: Some(0.5),
        seed: Some(8),
    }
}

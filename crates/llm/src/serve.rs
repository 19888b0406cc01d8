//! A scripted model behind HTTP on loopback, as chat-completions: what a client is exercised with
//! where there is no network. It serves [`Chat`]s, knows no keys, and is no server for strangers.

mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chat::Chat;

/// Longest request read, in bytes.
const BODY_LIMIT: u64 = 16 << 20;
/// Silence after which a connection is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Binds to a port of 127.0.0.1; 0 picks a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn bind(port: u16) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, port))? })
    }

    /// The base URL to give to clients.
    ///
    /// # Errors
    /// When the system does not tell the port.
    pub fn url(&self) -> std::io::Result<String> {
        Ok(format!("http://{}/v1", self.listener.local_addr()?))
    }

    /// Answers until the listener fails, one thread a connection.
    ///
    /// # Errors
    /// What the listener says.
    pub fn run(self, chat: Arc<dyn Chat>) -> std::io::Result<()> {
        for stream in self.listener.incoming() {
            let (stream, chat) = (stream?, Arc::clone(&chat));
            std::thread::spawn(move || {
                // A client that went away is no news.
                let _ = serve(&stream, chat.as_ref());
            });
        }
        Ok(())
    }
}

/// Answers the requests of one connection, until it closes.
fn serve(stream: &TcpStream, chat: &dyn Chat) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    while let Some((line, body)) = read_request(&mut reader)? {
        let (status, answer) = answer(&line, &body, chat);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        let mut stream = stream;
        stream.write_all(head.as_bytes())?;
        stream.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Request line and body; `None` when the client is done.
fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut request = String::new();
    if reader.read_line(&mut request)? == 0 {
        return Ok(None);
    }
    let mut n_bytes = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            n_bytes = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(n_bytes.min(BODY_LIMIT)).read_to_end(&mut body)?;
    Ok(Some((request.trim().to_owned(), body)))
}

fn answer(request: &str, body: &[u8], chat: &dyn Chat) -> (&'static str, Value) {
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    if path.ends_with("/models") {
        return ("200 OK", json!({ "object": "list", "data": [{ "id": chat.name() }] }));
    }
    if !path.ends_with("/chat/completions") {
        return ("404 Not Found", error("only /v1/chat/completions and /v1/models are here"));
    }
    let request = serde_json::from_slice(body).map_err(|problem| problem.to_string());
    match request.and_then(|body: Value| wire::request(&body)) {
        Err(problem) => ("400 Bad Request", error(&problem)),
        Ok(request) => match chat.complete(&request) {
            Ok(reply) => ("200 OK", wire::reply(&reply)),
            Err(problem) => ("500 Internal Server Error", error(&problem.to_string())),
        },
    }
}

fn error(message: &str) -> Value {
    json!({ "error": { "message": message, "type": "scripted" } })
}

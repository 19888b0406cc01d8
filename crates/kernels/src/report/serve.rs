//! The archive as it is now, over HTTP on loopback: for reading, and nothing else.
//!
//! It knows two paths beside the list and answers GET only. Requests for another host's name are
//! refused, so that a page elsewhere cannot read it through a name that leads here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{attempt, gather, page};
use crate::Error;
use crate::archive::Archive;

/// Longest request head, most lines of it, most connections at once.
const HEAD_LIMIT: u64 = 16 << 10;
const MOST_LINES: usize = 64;
const MOST_AT_ONCE: usize = 16;
/// Silence after which a connection is given up.
const SILENCE: Duration = Duration::from_secs(10);

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    archive: PathBuf,
}

/// An answer: status, and a page or a line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, HTML.
    pub body: String,
}

impl Server {
    /// Binds to a port of 127.0.0.1; 0 picks a free one.
    ///
    /// # Errors
    /// When the archive is none, or the port is taken.
    pub fn bind(archive: &Path, port: u16) -> Result<Self, Error> {
        drop(Archive::open_existing(archive)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|source| Error::System { action: "listen on loopback", source })?;
        Ok(Self { listener, archive: archive.to_owned() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn url(&self) -> Result<String, Error> {
        let address = self
            .listener
            .local_addr()
            .map_err(|source| Error::System { action: "find the port", source })?;
        Ok(format!("http://{address}/"))
    }

    /// Answers until the listener fails.
    ///
    /// # Errors
    /// What the listener says.
    pub fn run(&self) -> Result<(), Error> {
        let n_open = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for stream in self.listener.incoming() {
                let stream = stream.map_err(|source| Error::System { action: "accept", source })?;
                if n_open.fetch_add(1, Ordering::SeqCst) >= MOST_AT_ONCE {
                    n_open.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let n_open = &n_open;
                scope.spawn(move || {
                    // A client that went away is no news.
                    let _ = self.talk(&stream);
                    n_open.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Ok(())
        })
    }

    fn talk(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut lines = BufReader::new(stream.take(HEAD_LIMIT)).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let mut host = None;
        for line in lines.take(MOST_LINES) {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("host")
            {
                host = Some(value.trim().to_owned());
            }
        }
        let answer = answer(&self.archive, &request, host.as_deref());
        let reason = if answer.status == 200 { "OK" } else { "No" };
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {} {reason}\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\n\r\n",
            answer.status,
            answer.body.len()
        )?;
        stream.write_all(answer.body.as_bytes())
    }
}

/// The answer to a request line and the host it was meant for.
#[must_use]
pub fn answer(archive: &Path, request: &str, host: Option<&str>) -> Answer {
    let plain = |status, text: &str| Answer { status, body: format!("<p>{text}</p>\n") };
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "GET" {
        return plain(405, "only GET is answered");
    }
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    if !matches!(name, Some("127.0.0.1" | "localhost")) {
        return plain(403, "only this machine is answered");
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let body = Archive::open_existing(archive).and_then(|archive| {
        if path == "/" {
            return list(&archive).map(Some);
        }
        if let Some(key) = path.strip_prefix("/search/").and_then(decoded) {
            return match archive.search(&key)? {
                Some(_) => {
                    let searches = super::gather::gather_with_rivals(&archive, &key)?;
                    Ok(Some(page::render(&searches)))
                }
                None => Ok(None),
            };
        }
        match path.strip_prefix("/attempt/").and_then(|id| id.parse().ok()) {
            Some(id) => attempt::render(&archive, id).map(Some),
            None => Ok(None),
        }
    });
    match body {
        Ok(Some(body)) => Answer { status: 200, body },
        Ok(None) => plain(404, "there is no such page"),
        Err(error) => plain(404, &runs::html::escape(&error.to_string())),
    }
}

fn list(archive: &Archive) -> Result<String, Error> {
    let mut rows = Vec::new();
    for search in archive.searches()?.into_iter().rev() {
        let gathered = gather(archive, &search.key)?;
        let population = gathered.knowledge.population();
        let best = population.best().map(|best| best.estimate.exp());
        rows.push((search, population.n_evaluated(), best));
    }
    Ok(page::index(&rows))
}

/// A part of a path as text.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

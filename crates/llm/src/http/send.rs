//! One HTTP exchange. The only place that knows of async.

use std::error::Error as _;

use super::Endpoint;

/// What came back, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    /// `retry-after`, as it was written.
    pub(super) retry_after: Option<String>,
    /// `date`, to read a `retry-after` date against the server's own clock.
    pub(super) date: Option<String>,
}

/// A client with its runtime.
#[derive(Debug)]
pub(super) struct Client {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    body_limit: usize,
}

impl Client {
    /// Redirects are refused: a key must not follow one to another host.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(endpoint.connect_timeout)
            .timeout(endpoint.timeout)
            .user_agent(concat!("tetrad/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { runtime, client, body_limit: endpoint.body_limit })
    }

    /// Sends `body` and reads the whole answer. The error is a transport failure in words.
    pub(super) fn post(&self, endpoint: &Endpoint, body: &str) -> Result<Answer, String> {
        self.runtime.block_on(async {
            let mut request = self.client.post(endpoint.url()).body(body.to_owned());
            for (name, value) in endpoint.headers() {
                request = request.header(name, value);
            }
            let mut response = request.send().await.map_err(|error| words(&error))?;
            let header = |name: &str| {
                let value = response.headers().get(name)?.to_str().ok()?;
                Some(value.to_owned())
            };
            let (retry_after, date) = (header("retry-after"), header("date"));
            let status = response.status().as_u16();
            let mut bytes: Vec<u8> = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| words(&error))? {
                if bytes.len() + chunk.len() > self.body_limit {
                    return Err(format!("its answer is longer than {} bytes", self.body_limit));
                }
                bytes.extend_from_slice(&chunk);
            }
            let body = String::from_utf8_lossy(&bytes).into_owned();
            Ok(Answer { status, body, retry_after, date })
        })
    }
}

/// The whole chain: the top of a `reqwest` error alone only says that sending failed.
fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

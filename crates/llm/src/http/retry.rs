//! Sending until there is an answer: what is tried again, and how long in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::HttpModel;
use super::send::Answer;
use crate::error::Error;

/// First wait; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait of our own choosing.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest wait that a server may ask for.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(600);
/// Characters of an error's body that are shown.
const SHOWN_CHARS: usize = 300;

/// How waiting is done; a twin in tests only takes notes.
pub trait Pause: Send + Sync + std::fmt::Debug {
    /// Waits, or returns `false` once `cancel` is set.
    fn pause(&self, time: Duration, cancel: &AtomicBool) -> bool;
}

/// Waits by the real clock.
#[derive(Debug, Clone, Copy)]
pub struct RealPause;

impl Pause for RealPause {
    fn pause(&self, time: Duration, cancel: &AtomicBool) -> bool {
        let until = Instant::now() + time;
        while !cancel.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        false
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) n_attempts: u32,
    pub(super) latency: Duration,
}

/// Sends `body` until it is answered, hopeless, or has been tried often enough.
pub(super) fn until_answered(model: &HttpModel, body: &str) -> Result<Answered, Error> {
    let began = Instant::now();
    let mut waited = Duration::ZERO;
    let mut pause = |time: Duration| {
        waited += time;
        if time.is_zero() || model.pause.pause(time, &model.cancel) {
            return Ok(());
        }
        Err(Error::Interrupted { waited })
    };
    let n_most = model.endpoint.n_attempts.max(1);
    for n_attempts in 1..=n_most {
        if model.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted { waited: began.elapsed() });
        }
        let result = {
            let (_pass, wait) = model.gate.enter(Instant::now());
            pause(wait)?;
            model.client.post(&model.endpoint, body)
        };
        let last = n_attempts == n_most;
        match result {
            Ok(answer) if (200..300).contains(&answer.status) && !cut_off(&answer.body) => {
                let (status, latency) = (answer.status, began.elapsed());
                return Ok(Answered { status, body: answer.body, n_attempts, latency });
            }
            Ok(answer) if (200..300).contains(&answer.status) && last => {
                let reason = format!(
                    "not JSON after {n_attempts} attempts: `{}`",
                    model.redact(&shown(&answer.body))
                );
                return Err(Error::Protocol { reason });
            }
            Ok(answer) if !again(answer.status) && !(200..300).contains(&answer.status) || last => {
                let body = model.redact(&shown(&answer.body));
                return Err(Error::Status { status: answer.status, n_attempts, body });
            }
            Ok(answer) => pause(wait_for(&answer, n_attempts, body))?,
            Err(reason) if last => {
                return Err(Error::Transport { n_attempts, reason: model.redact(&reason) });
            }
            Err(_) => pause(own_wait(n_attempts, body))?,
        }
    }
    // The loop returns at its last turn.
    Err(Error::Transport { n_attempts: n_most, reason: "no attempt was made".to_owned() })
}

/// Statuses that may be gone next time: time-outs, conflicts, rate limits, overload, server errors.
fn again(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=599)
}

/// A success whose body stops in the middle: a proxy gave up. A whole JSON value of a wrong shape is
/// not sent for again.
fn cut_off(body: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(body).is_err()
}

/// The server's wish where it has one, else our own back-off.
fn wait_for(answer: &Answer, n_attempts: u32, salt: &str) -> Duration {
    let asked =
        answer.retry_after.as_deref().and_then(|text| asked_wait(text, answer.date.as_deref()));
    asked.map_or_else(|| own_wait(n_attempts, salt), |wait| wait.min(LONGEST_ASKED_WAIT))
}

/// `retry-after` in seconds, or as an HTTP date against the answer's own `date`.
fn asked_wait(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(secs) = text.trim().parse::<f64>() {
        return (secs.is_finite() && secs >= 0.0).then(|| Duration::from_secs_f64(secs.min(1e6)));
    }
    let read = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let from = date.and_then(read).unwrap_or_else(std::time::SystemTime::now);
    Some(read(text)?.duration_since(from).unwrap_or(Duration::ZERO))
}

/// Exponential back-off with jitter between half and all of it, so that clients that failed
/// together do not come back together. The jitter depends on the request only: runs repeat.
fn own_wait(n_attempts: u32, salt: &str) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << (n_attempts - 1).min(10)).min(LONGEST_WAIT);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(n_attempts);
    for byte in salt.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    full.mul_f64(0.5 + 0.5 * (hash % 1_000) as f64 / 1_000.0)
}

fn shown(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN_CHARS {
        return line;
    }
    line.chars().take(SHOWN_CHARS).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_in_seconds_or_as_a_date_is_honored() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let later = "Wed, 21 Oct 2015 07:28:45 GMT";
        assert_eq!(asked_wait("7", None), Some(Duration::from_secs(7)));
        assert_eq!(asked_wait("0.5", None), Some(Duration::from_millis(500)));
        assert_eq!(asked_wait(later, Some(date)), Some(Duration::from_secs(45)));
        assert_eq!(asked_wait("soon", Some(date)), None);
    }

    #[test]
    fn own_waits_grow_stay_bounded_and_repeat() {
        let waits: Vec<Duration> = (1..=12).map(|n| own_wait(n, "x")).collect();
        assert!(waits[0] >= Duration::from_millis(500) && waits[0] <= Duration::from_secs(1));
        assert!(waits[3] > waits[0] && waits.iter().all(|wait| *wait <= LONGEST_WAIT));
        assert_eq!(own_wait(3, "x"), waits[2]);
    }
}

//! iceoryx2 in place of our own memory: each exchange's values go through a service besides.
//!
//! A service is publish-subscribe of words (`[u64]`) with one place, in which the newest value replaces
//! the one before. Words are those of [`super::record`], so that any program that speaks iceoryx2 can
//! look on. Readers take values from the service alone. The exchange's own memory stays what a writer's
//! successor goes on from, since a service forgets what was sent when its sender dies.

use std::sync::atomic::{AtomicU64, Ordering};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::record;
use super::{Header, Layout};
use crate::{Error, Result};

type Ipc = ipc_threadsafe::Service;

/// Ports that may be dead and not yet cleared away, besides those that live.
const MOST_WRITERS: usize = 4;
/// Ports that read: ours, and onlookers.
const MOST_READERS: usize = 16;
/// Processes that have a service open.
const MOST_NODES: usize = 32;

fn failed(what: &str, name: &str, reason: impl std::fmt::Debug) -> Error {
    let reason = format!("failed to {what} `{name}` with iceoryx2: {reason:?}");
    Error::Exchange { reason }
}

/// This process's membership in iceoryx2, and the name before those of all services.
#[derive(Debug)]
pub struct Carrier {
    name: String,
    node: Node<Ipc>,
}

impl Carrier {
    /// Joins in. What processes that died have left is cleared away.
    ///
    /// # Errors
    /// When iceoryx2 finds no room for it, or the name is empty or too long.
    pub fn open(name: &str) -> Result<Carrier> {
        let wrong = |reason| failed("join", name, reason);
        // Its messages on the error stream would come between ours; what matters is returned.
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<Ipc>()
            .map_err(|error| wrong(format!("{error:?}")))?;
        let carrier = Carrier { name: name.to_owned(), node };
        ServiceName::new(name).map_err(|error| wrong(format!("{error:?}")))?;
        Ok(carrier)
    }

    fn service(&self, name: &str) -> Result<PortFactory<Ipc, [u64], ()>> {
        let name = format!("{}/{name}", self.name);
        let service =
            ServiceName::new(&name).map_err(|error| failed("name a service", &name, error))?;
        self.node
            .service_builder(&service)
            .publish_subscribe::<[u64]>()
            .subscriber_max_buffer_size(1)
            .enable_safe_overflow(true)
            .history_size(1)
            .max_publishers(MOST_WRITERS)
            .max_subscribers(MOST_READERS)
            .max_nodes(MOST_NODES)
            .open_or_create()
            .map_err(|error| failed("open", &name, error))
    }

    pub(super) fn sender(&self, name: &str, layout: Layout) -> Result<Sender> {
        let publisher = self
            .service(name)?
            .publisher_builder()
            .initial_max_slice_len(layout.n_words())
            .create()
            .map_err(|error| failed("write to", name, error))?;
        Ok(Sender { publisher, words: words(layout) })
    }

    pub(super) fn receiver(&self, name: &str, layout: Layout) -> Result<Receiver> {
        let subscriber = self
            .service(name)?
            .subscriber_builder()
            .buffer_size(1)
            .create()
            .map_err(|error| failed("read from", name, error))?;
        Ok(Receiver { subscriber, words: words(layout) })
    }
}

fn words(layout: Layout) -> Vec<AtomicU64> {
    (0..layout.n_words()).map(|_| AtomicU64::new(0)).collect()
}

/// Writes to a service.
#[derive(Debug)]
pub(super) struct Sender {
    publisher: Publisher<Ipc, [u64], ()>,
    words: Vec<AtomicU64>,
}

impl Sender {
    /// Sends a value. Where that fails, the value before ages at its readers, whose watchdogs see it.
    pub(super) fn send(&mut self, header: &Header, floats: &[f32], bytes: &[u8]) {
        record::write(&self.words, header, floats, bytes);
        let n = Layout { n_floats: floats.len(), n_bytes: bytes.len() }.n_words();
        if let Ok(sample) = self.publisher.loan_slice_uninit(n) {
            let sample = sample.write_from_fn(|idx| self.words[idx].load(Ordering::Relaxed));
            let _ = sample.send();
        }
    }
}

/// Reads from a service.
#[derive(Debug)]
pub(super) struct Receiver {
    subscriber: Subscriber<Ipc, [u64], ()>,
    words: Vec<AtomicU64>,
}

impl Receiver {
    /// The newest value that was sent since the last look, with a number above `seen`; none where there
    /// is none. A dead sender's last value may come after its successor's first.
    pub(super) fn take(&mut self, seen: u64) -> Option<&[AtomicU64]> {
        let mut newest = seen;
        while let Ok(Some(sample)) = self.subscriber.receive() {
            let payload = sample.payload();
            // The first word is the number.
            let Some(&number) = payload.first().filter(|_| payload.len() <= self.words.len())
            else {
                continue;
            };
            if number > newest {
                newest = number;
                for (word, value) in self.words.iter().zip(payload) {
                    word.store(*value, Ordering::Relaxed);
                }
            }
        }
        (newest > seen).then_some(&self.words)
    }
}

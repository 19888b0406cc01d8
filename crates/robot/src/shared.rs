//! Values in memory that processes share: latents, observations, actions.
//!
//! An [`Exchange`] holds the newest value from one writer to one reader, in three slots of an anonymous
//! file that children inherit. Neither ever waits for the other. A writer that is killed in mid-write
//! leaves the value before it whole, and the one that replaces it goes on counting; a reader that is
//! killed, or stopped, holds nobody up. Where two read the same thing, each has an exchange of its own.
//!
//! The exchange of slots is checked by `loom` over every order in which the machine may do it, deaths
//! of the writer included (the tests beside this file, in the ordinary `cargo test`).
//!
//! Not covered: a process that writes where it must not. Damage is found by a sum, counted, and not
//! used; it is not prevented.

#[cfg(feature = "iceoryx2")]
mod iceoryx;
mod memory;
mod record;
mod slots;
#[cfg(not(feature = "iceoryx2"))]
mod without;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(not(feature = "iceoryx2"))]
use without as iceoryx;

pub use iceoryx::Carrier;
pub use record::{Header, Layout, Stamp};

use crate::linux::memory::Mapping;
use crate::{Error, Result};

/// Format of the memory. 1: this one.
pub const VERSION: u32 = 1;

/// What the first word holds, above the version.
const MAGIC: u64 = 0x5452_4f42 << 32;

/// Words before the slots' control words: magic and version, layout, number of writers so far, spare.
const FIRST: usize = 4;
const KIND: usize = 0;
const LAYOUT: usize = 1;
const WRITERS: usize = 2;

/// Most words of a value: 256 MiB.
const MOST_WORDS: usize = 1 << 25;

/// The newest value from one writer to one reader. Clones share the memory.
#[derive(Debug, Clone)]
pub struct Exchange {
    mapping: Arc<Mapping>,
    layout: Layout,
}

fn wrong(reason: impl Into<String>) -> Error {
    Error::Exchange { reason: reason.into() }
}

impl Exchange {
    /// An empty exchange in new memory, present from the start.
    ///
    /// # Errors
    /// When values would be larger than 256 MiB, or the kernel gives no memory.
    pub fn create(layout: Layout) -> Result<Exchange> {
        let n_words = layout.n_words();
        if n_words > MOST_WORDS {
            return Err(wrong(format!(
                "a value of {n_words} words; at most {MOST_WORDS} are possible"
            )));
        }
        let all = FIRST + slots::CONTROL + 3 * n_words;
        let mapping =
            Mapping::create(all).map_err(|source| Error::kernel("share memory", source))?;
        let words = mapping.words();
        let geometry = (layout.n_floats as u64) << 32 | layout.n_bytes as u64;
        words[LAYOUT].store(geometry, Ordering::Relaxed);
        words[KIND].store(MAGIC | u64::from(VERSION), Ordering::Release);
        Ok(Exchange { mapping: Arc::new(mapping), layout })
    }

    /// The exchange behind a descriptor that another process made.
    ///
    /// # Errors
    /// When it is something else, or of another version.
    pub fn attach(descriptor: OwnedFd) -> Result<Exchange> {
        let mapping =
            Mapping::attach(descriptor).map_err(|source| Error::kernel("attach memory", source))?;
        let words = mapping.words();
        if words.len() < FIRST + slots::CONTROL {
            return Err(wrong("memory too small for an exchange"));
        }
        let kind = words[KIND].load(Ordering::Acquire);
        if kind & !u64::from(u32::MAX) != MAGIC {
            return Err(wrong("memory that holds no exchange"));
        }
        if kind as u32 != VERSION {
            let version = kind as u32;
            return Err(wrong(format!(
                "version {version} where this program has {VERSION}; start all processes from one build"
            )));
        }
        let geometry = words[LAYOUT].load(Ordering::Relaxed);
        let layout = Layout {
            n_floats: (geometry >> 32) as usize,
            n_bytes: (geometry & u64::from(u32::MAX)) as usize,
        };
        let n_words = layout.n_words();
        if n_words > MOST_WORDS || words.len() < FIRST + slots::CONTROL + 3 * n_words {
            return Err(wrong("memory smaller than its layout"));
        }
        Ok(Exchange { mapping: Arc::new(mapping), layout })
    }

    /// Room for values.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Checks that values are of this layout.
    ///
    /// # Errors
    /// When they are not.
    pub fn expect_layout(&self, what: &str, expected: Layout) -> Result<()> {
        let check = |unit: &str, got, expected| {
            let what = format!("exchange of {what} ({unit})");
            if got == expected { Ok(()) } else { Err(Error::Shape { what, got, expected }) }
        };
        check("floats", self.layout.n_floats, expected.n_floats)?;
        check("bytes", self.layout.n_bytes, expected.n_bytes)
    }

    /// The memory's file, for a child to inherit.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.mapping.descriptor()
    }

    /// The one writer, which goes on where the last one ended. There must be no other, in any process,
    /// that still writes.
    #[must_use]
    pub fn writer(&self) -> Writer {
        let before = self.mapping.words()[WRITERS].fetch_add(1, Ordering::AcqRel);
        let incarnation = (before as u32).wrapping_add(1);
        let n_words = self.layout.n_words();
        let pen = slots::Pen::take_up(&*self.mapping, FIRST);
        let newest = slots::newest(&*self.mapping, FIRST, n_words).map(record::header);
        let sequence = newest.map_or(0, |header| header.sequence);
        Writer { exchange: self.clone(), pen, incarnation, sequence, sender: None }
    }

    /// The one reader. There must be no other, in any process, that still reads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let Layout { n_floats, n_bytes } = self.layout;
        let value = || Value {
            header: Header::default(),
            floats: vec![0.0; n_floats],
            bytes: vec![0; n_bytes],
        };
        let (held, next) = (value(), value());
        Reader { exchange: self.clone(), held, next, seen: 0, n_damaged: 0, receiver: None }
    }

    /// How many values were published so far: for onlookers who want to know whether a writer lives.
    #[must_use]
    pub fn n_published(&self) -> u64 {
        let n_words = self.layout.n_words();
        slots::newest(&*self.mapping, FIRST, n_words)
            .map_or(0, |slot| record::header(slot).sequence)
    }
}

/// The writing end of an [`Exchange`].
#[derive(Debug)]
pub struct Writer {
    exchange: Exchange,
    pen: slots::Pen,
    incarnation: u32,
    sequence: u64,
    sender: Option<iceoryx::Sender>,
}

impl Writer {
    /// The same, sending each value to a service of iceoryx2 besides.
    ///
    /// # Errors
    /// When the service cannot be opened.
    pub fn over(mut self, carrier: &Carrier, name: &str) -> Result<Writer> {
        self.sender = Some(carrier.sender(name, self.exchange.layout)?);
        Ok(self)
    }

    /// Publishes a value. Never waits, and allocates nothing.
    ///
    /// # Panics
    /// If it has more floats or bytes than the layout has room for.
    pub fn publish(&mut self, stamp: Stamp, floats: &[f32], bytes: &[u8]) {
        let Layout { n_floats, n_bytes } = self.exchange.layout;
        assert!(floats.len() <= n_floats && bytes.len() <= n_bytes, "a value beyond the layout");
        self.sequence += 1;
        let header = Header {
            sequence: self.sequence,
            incarnation: self.incarnation,
            n_floats: floats.len() as u32,
            n_bytes: bytes.len() as u32,
            stamp,
        };
        let n_words = self.exchange.layout.n_words();
        self.pen.publish(&*self.exchange.mapping, FIRST, n_words, |slot| {
            record::write(slot, &header, floats, bytes);
        });
        if let Some(sender) = &mut self.sender {
            sender.send(&header, floats, bytes);
        }
    }

    /// Checks that values are of this layout.
    ///
    /// # Errors
    /// When they are not.
    pub fn expect_layout(&self, what: &str, expected: Layout) -> Result<()> {
        self.exchange.expect_layout(what, expected)
    }

    /// How many writers this exchange has had, this one included.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The newest value, by this writer or one before it: what a process that starts anew goes on from.
    #[must_use]
    pub fn last(&self) -> Option<Value> {
        let Layout { n_floats, n_bytes } = self.exchange.layout;
        let slot = slots::newest(&*self.exchange.mapping, FIRST, self.exchange.layout.n_words())?;
        let header = record::header(slot);
        let (mut floats, mut bytes) = (vec![0.0; n_floats], vec![0; n_bytes]);
        let whole = record::read(slot, &header, &mut floats, &mut bytes);
        whole.then(|| {
            floats.truncate(header.n_floats as usize);
            bytes.truncate(header.n_bytes as usize);
            Value { header, floats, bytes }
        })
    }
}

/// A value with its header.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What was said about it.
    pub header: Header,
    /// Its floats.
    pub floats: Vec<f32>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a look at an exchange found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Nothing was ever published.
    Empty,
    /// The value that is held already.
    Same,
    /// Another value, held from now on.
    New,
    /// A value that is not as it was written; what was held before still is.
    Damaged,
}

/// The reading end of an [`Exchange`], which holds the last whole value that it saw.
#[derive(Debug)]
pub struct Reader {
    exchange: Exchange,
    held: Value,
    next: Value,
    seen: u64,
    n_damaged: u64,
    receiver: Option<iceoryx::Receiver>,
}

impl Reader {
    /// The same, taking values from a service of iceoryx2 alone.
    ///
    /// # Errors
    /// When the service cannot be opened.
    pub fn over(mut self, carrier: &Carrier, name: &str) -> Result<Reader> {
        self.receiver = Some(carrier.receiver(name, self.exchange.layout)?);
        Ok(self)
    }

    /// Takes the newest value, if it is another than the one held. Never waits, and allocates nothing.
    pub fn take(&mut self) -> Taken {
        let Reader { exchange, receiver, next, .. } = self;
        let slot = match receiver {
            None => slots::claim(&*exchange.mapping, FIRST, exchange.layout.n_words()),
            Some(receiver) => receiver.take(self.seen),
        };
        let Some(slot) = slot else {
            return if self.seen == 0 { Taken::Empty } else { Taken::Same };
        };
        let header = record::header(slot);
        if header.sequence == self.seen {
            return Taken::Same;
        }
        if !record::read(slot, &header, &mut next.floats, &mut next.bytes) {
            self.n_damaged += 1;
            return Taken::Damaged;
        }
        self.next.header = header;
        self.seen = header.sequence;
        std::mem::swap(&mut self.held, &mut self.next);
        Taken::New
    }

    /// Checks that values are of this layout.
    ///
    /// # Errors
    /// When they are not.
    pub fn expect_layout(&self, what: &str, expected: Layout) -> Result<()> {
        self.exchange.expect_layout(what, expected)
    }

    /// The header of the value held; nothing before the first.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        (self.seen > 0).then_some(&self.held.header)
    }

    /// The floats of the value held, as many as it has; none before the first.
    #[must_use]
    pub fn floats(&self) -> &[f32] {
        &self.held.floats[..self.held.header.n_floats as usize]
    }

    /// The bytes of the value held, as many as it has; none before the first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.held.bytes[..self.held.header.n_bytes as usize]
    }

    /// How many values were found damaged, and not used.
    #[must_use]
    pub fn n_damaged(&self) -> u64 {
        self.n_damaged
    }
}

#[cfg(test)]
mod tests;

//! In place of iceoryx2 where this program was built without it: nothing of it can be made.

use std::sync::atomic::AtomicU64;

use super::{Header, Layout};
use crate::{Error, Result};

/// There is none.
#[derive(Debug)]
pub enum Carrier {}

#[derive(Debug)]
pub(super) enum Sender {}

#[derive(Debug)]
pub(super) enum Receiver {}

impl Carrier {
    /// Says that this program was built without iceoryx2.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &str) -> Result<Carrier> {
        let reason = "this program was built without it";
        Err(Error::Program { program: "iceoryx2".to_owned(), reason: reason.to_owned() })
    }

    pub(super) fn sender(&self, _: &str, _: Layout) -> Result<Sender> {
        match *self {}
    }

    pub(super) fn receiver(&self, _: &str, _: Layout) -> Result<Receiver> {
        match *self {}
    }
}

impl Sender {
    pub(super) fn send(&mut self, _: &Header, _: &[f32], _: &[u8]) {
        match *self {}
    }
}

impl Receiver {
    pub(super) fn take(&mut self, _: u64) -> Option<&[AtomicU64]> {
        match *self {}
    }
}

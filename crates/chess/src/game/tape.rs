//! The game's record as it grows: numbers events, keeps texts, compares manifests.

use std::collections::BTreeMap;
use std::time::Instant;

use sandbox::event::{FileState, Manifest};
use sandbox::policy::{Policy, SeedContent};
use sha2::{Digest, Sha256};

use super::{Actions, Recorder, Shell};
use crate::Error;
use crate::evidence::{Event, EventBody, Evidence, GameFacts, Streams};

/// Texts up to this size are kept. Boards, move lists and scripts are far smaller; an engine that
/// was written into a watched folder is identified by its hash.
const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// The record.
pub(super) struct Tape<'a> {
    recorder: &'a dyn Recorder,
    clock: Instant,
    /// Agent step that events belong to.
    pub(super) step: u32,
    events: Vec<Event>,
    texts: BTreeMap<String, String>,
    manifest: Option<Manifest>,
}

impl<'a> Tape<'a> {
    pub(super) fn new(recorder: &'a dyn Recorder) -> Self {
        Self {
            recorder,
            clock: Instant::now(),
            step: 0,
            events: Vec::new(),
            texts: BTreeMap::new(),
            manifest: None,
        }
    }

    /// Zero of the events' clock: the sandbox has just started.
    pub(super) fn start_clock(&mut self) {
        self.clock = Instant::now();
    }

    /// Keeps what small seeded files hold, so that the pristine script can be shown beside a
    /// changed one.
    pub(super) fn keep_seeds(&mut self, policy: &Policy) -> Result<(), Error> {
        for seed in &policy.seeds {
            if let SeedContent::Bytes(bytes) = &seed.content {
                let digest = Sha256::digest(bytes);
                let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                self.keep(&sha256, bytes)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, sha256: &str, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() <= TEXT_LIMIT_BYTES && !self.texts.contains_key(sha256) {
            self.recorder.blob(sha256, bytes)?;
            self.texts.insert(sha256.to_owned(), String::from_utf8_lossy(bytes).into_owned());
        }
        Ok(())
    }

    /// Records something that the harness itself knows, now.
    pub(super) fn push(&mut self, body: EventBody) -> Result<(), Error> {
        let nanos = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.push_at(nanos, body)
    }

    fn push_at(&mut self, nanos: u64, body: EventBody) -> Result<(), Error> {
        let event = Event { id: self.events.len() as u64, step: self.step, nanos, body };
        self.recorder.event(&event)?;
        self.events.push(event);
        Ok(())
    }

    /// Records what supervisor and broker have seen since the last call.
    pub(super) fn collect(
        &mut self,
        shell: &mut dyn Shell,
        actions: &Actions<'_>,
    ) -> Result<(), Error> {
        for event in shell.take_events() {
            for blob in &event.blobs {
                self.keep(&blob.sha256, &blob.bytes)?;
            }
            self.push_at(event.nanos, EventBody::Sandbox { seen: event.kind })?;
        }
        for action in actions() {
            self.push(EventBody::Broker { action })?;
        }
        Ok(())
    }

    /// Records every path that differs from the last manifest. The first call only sets the base.
    pub(super) fn compare(&mut self, now: Manifest) -> Result<(), Error> {
        let before = self.manifest.take();
        if let Some(before) = &before {
            let mut paths: Vec<&String> = before.keys().chain(now.keys()).collect();
            paths.sort_unstable();
            paths.dedup();
            for path in paths {
                let old = before.get(path).unwrap_or(&FileState::Absent);
                let new = now.get(path).unwrap_or(&FileState::Absent);
                if old != new {
                    let (path, before, after) = (path.clone(), old.clone(), new.clone());
                    self.push(EventBody::ManifestChange { path, before, after })?;
                }
            }
        }
        self.manifest = Some(now);
        Ok(())
    }

    /// Records an exchange with the model.
    pub(super) fn reply(&self, reply: &llm::chat::Reply) -> Result<(), Error> {
        self.recorder.reply(self.step, reply)
    }

    /// Everything recorded so far.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// A copy of the evidence so far.
    pub(super) fn evidence(&self, facts: GameFacts, streams: Streams) -> Evidence {
        Evidence { facts, streams, events: self.events.clone(), texts: self.texts.clone() }
    }

    /// The evidence.
    pub(super) fn into_evidence(self, facts: GameFacts, streams: Streams) -> Evidence {
        Evidence { facts, streams, events: self.events, texts: self.texts }
    }
}

//! Episode files as training wants them.

use std::cell::RefCell;
use std::path::Path;

use crate::collect::{Episode, list};
use crate::error::{Error, Result};
use crate::experts::{is_fine, points};
use crate::interface::Camera;
use crate::language;
use crate::tasks::reworded;
use crate::train::Episodes;

/// Ticks of an attempt's beginning that are looked for as often as fine work: an arm that waits at home
/// before its task looks as it does after it, where it stays for much longer.
const FIRST_TICKS: usize = 16;

/// Demonstrations in memory, their pictures packed.
pub struct Demonstrations {
    episodes: Vec<Episode>,
    cameras: Vec<Camera>,
    n_words: usize,
}

impl std::fmt::Debug for Demonstrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demonstrations").field("n", &self.episodes.len()).finish_non_exhaustive()
    }
}

/// A frame that was unpacked last: samples ask for its pictures one after another.
struct Unpacked {
    of: (usize, usize, usize),
    bytes: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<Option<Unpacked>> = const { RefCell::new(None) };
}

impl Demonstrations {
    /// All successful episodes and all corrected ones below a folder, in the order of their names. Instructions are given
    /// as `n_words` numbers.
    ///
    /// # Errors
    /// The first file that is broken; [`Error::Config`] where there is none.
    pub fn open(folder: &Path, n_words: usize) -> Result<Demonstrations> {
        let mut episodes = Vec::new();
        for path in list(folder)? {
            let episode = Episode::load(&path)?;
            // What an expert says to somebody who fails is right nevertheless.
            if episode.header().success || episode.header().actor.is_some() {
                episodes.push(episode);
            }
        }
        let Some(first) = episodes.first() else {
            let reason = format!("no episode below {}: collect some first", folder.display());
            return Err(Error::config("training data", reason));
        };
        Ok(Demonstrations { cameras: first.header().cameras.clone(), episodes, n_words })
    }

    /// The episodes.
    #[must_use]
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }
}

impl Episodes for Demonstrations {
    fn cameras(&self) -> &[Camera] {
        &self.cameras
    }

    fn n_episodes(&self) -> usize {
        self.episodes.len()
    }

    fn n_ticks(&self, episode: usize) -> usize {
        self.episodes[episode].header().n_ticks
    }

    fn picture(&self, episode: usize, frame: usize, camera: usize, into: &mut [u8]) -> Result<()> {
        let one = &self.episodes[episode];
        let of = (std::ptr::from_ref(self) as usize, episode, frame);
        LAST.with_borrow_mut(|last| {
            if last.as_ref().is_none_or(|last| last.of != of) {
                let mut bytes = last.take().map(|last| last.bytes).unwrap_or_default();
                bytes.resize(one.frame_bytes(), 0);
                one.frame(frame, &mut bytes)?;
                *last = Some(Unpacked { of, bytes });
            }
            let bytes = last.as_ref().map_or(&[][..], |last| &last.bytes);
            let before: usize = self.cameras[..camera].iter().map(Camera::bytes).sum();
            into.copy_from_slice(&bytes[before..before + self.cameras[camera].bytes()]);
            Ok(())
        })
    }

    fn state(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        into.copy_from_slice(self.episodes[episode].state(tick));
        Ok(())
    }

    fn action(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        into.copy_from_slice(self.episodes[episode].action(tick));
        Ok(())
    }

    fn marks(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<bool> {
        crate::error::expect_length("the marks", into.len(), crate::interface::MARKS)?;
        into.copy_from_slice(self.episodes[episode].marks(tick));
        Ok(true)
    }

    fn points(&self, episode: usize, tick: usize, camera: usize) -> Vec<Option<[f32; 2]>> {
        let one = &self.episodes[episode];
        points(one.marks(tick), one.state(tick), camera).to_vec()
    }

    fn n_led(&self, episode: usize, tick: usize) -> usize {
        self.episodes[episode].n_led(tick)
    }

    fn is_fine(&self, episode: usize, tick: usize) -> bool {
        tick < FIRST_TICKS || is_fine(self.episodes[episode].marks(tick))
    }

    fn words(&self, episode: usize, variant: u64) -> Vec<u16> {
        language::tokens(&self.text(episode, variant), self.n_words)
    }

    fn text(&self, episode: usize, variant: u64) -> String {
        let header = self.episodes[episode].header();
        reworded(header.task, header.robot, &header.instruction, variant)
    }
}

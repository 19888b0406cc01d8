//! A policy that thinks for longer than a tick, on a thread of its own.
//!
//! The loop leaves the newest observation and takes the newest chunk at every tick, and waits for
//! neither. A chunk counts from the tick whose observation it is about, so by the time it comes some of
//! it is over: chunks must be as long as the thought and the next one together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Policy;
use crate::chunks::Action;
use crate::interface::{ACTION, STATE};
use crate::shared::{Exchange, Layout, Reader, Stamp, Taken, Writer};
use crate::{Error, Result};

/// How long the thread sleeps when there is nothing new: what that can add to a thought.
const NAP: Duration = Duration::from_micros(500);

/// A policy beside the loop. Dropped, it waits for the thought that is being thought.
#[derive(Debug)]
pub struct Background {
    /// State, latent. The stamp has the tick for a time, and the number of beginnings for a prompt.
    asks: Writer,
    frames: Writer,
    /// Chunks, with the stamp of what was asked.
    told: Reader,
    /// State and latent one after another, as they are published.
    question: Vec<f32>,
    n_beginnings: u32,
    checkpoint: u64,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Lets a policy think on a new thread, which is scheduled like any.
    ///
    /// # Errors
    /// When there is no memory or no thread.
    pub fn start<P: Policy + Send + 'static>(
        policy: P,
        latent_width: usize,
        frame_bytes: usize,
        chunk_length: usize,
    ) -> Result<Background> {
        let asks = Exchange::create(Layout { n_floats: STATE + latent_width, n_bytes: 0 })?;
        let frames = Exchange::create(Layout { n_floats: STATE, n_bytes: frame_bytes })?;
        let told = Exchange::create(Layout { n_floats: chunk_length * ACTION, n_bytes: 0 })?;
        let ended = Arc::new(AtomicBool::new(false));
        let checkpoint = policy.checkpoint();
        let mut thinker = Thinking {
            policy,
            asked: asks.reader(),
            frames: frames.reader(),
            tell: told.writer(),
            chunk: vec![[0.0; ACTION]; chunk_length],
            n_beginnings: 0,
        };
        let end = Arc::clone(&ended);
        let think = move || {
            while !end.load(Ordering::Acquire) {
                if !thinker.think() {
                    std::thread::sleep(NAP);
                }
            }
        };
        let thread = std::thread::Builder::new().name("s1".to_owned()).spawn(think);
        let thread = thread.map_err(|source| Error::kernel("start a thread", source))?;
        Ok(Background {
            asks: asks.writer(),
            frames: frames.writer(),
            told: told.reader(),
            question: Vec::with_capacity(STATE + latent_width),
            n_beginnings: 0,
            checkpoint,
            ended,
            thread: Some(thread),
        })
    }
}

impl Policy for Background {
    fn see(&mut self, frames: &[u8], state: &[f32; STATE]) {
        let stamp = Stamp { prompt: self.n_beginnings, ..Stamp::default() };
        self.frames.publish(stamp, state, frames);
    }

    /// Only asks: what comes of it, comes later, and to [`Policy::act_at`].
    fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
        self.act_at(0, state, latent, chunk);
    }

    fn act_at(
        &mut self,
        tick: u64,
        state: &[f32; STATE],
        latent: &[f32],
        chunk: &mut [Action],
    ) -> Option<u64> {
        self.question.clear();
        self.question.extend_from_slice(state);
        self.question.extend_from_slice(latent);
        let stamp = Stamp { observed_at: tick, prompt: self.n_beginnings, ..Stamp::default() };
        self.asks.publish(stamp, &self.question, &[]);
        let new = self.told.take() == Taken::New;
        let header =
            self.told.header().filter(|header| new && header.stamp.prompt == self.n_beginnings)?;
        for (action, values) in chunk.iter_mut().zip(self.told.floats().chunks_exact(ACTION)) {
            action.copy_from_slice(values);
        }
        Some(header.stamp.observed_at)
    }

    fn begin(&mut self) {
        self.n_beginnings += 1;
    }

    fn checkpoint(&self) -> u64 {
        self.checkpoint
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A policy that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// What the thread holds.
struct Thinking<P> {
    policy: P,
    asked: Reader,
    frames: Reader,
    tell: Writer,
    chunk: Vec<Action>,
    n_beginnings: u32,
}

impl<P: Policy> Thinking<P> {
    /// Answers the newest question, if there is one that was not answered.
    fn think(&mut self) -> bool {
        let asked = self.asked.take() == Taken::New;
        let Some(header) = self.asked.header().copied().filter(|_| asked) else { return false };
        if header.stamp.prompt != self.n_beginnings {
            self.n_beginnings = header.stamp.prompt;
            self.policy.begin();
        }
        // After the question: pictures are as new as it is, or newer. Those from before the last
        // beginning are of another world.
        if self.frames.take() == Taken::New
            && self.frames.header().is_some_and(|frames| frames.stamp.prompt == self.n_beginnings)
            && let Ok(state) = <&[f32; STATE]>::try_from(self.frames.floats())
        {
            self.policy.see(self.frames.bytes(), state);
        }
        let Some((state, latent)) = self.asked.floats().split_first_chunk::<STATE>() else {
            return false;
        };
        self.policy.act(state, latent, &mut self.chunk);
        self.tell.publish(header.stamp, self.chunk.as_flattened(), &[]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::{Blend, ChunkConfig, Chunks};

    /// Says in every action which tick it is for, after a long thought: the state's first value is the
    /// tick of the question.
    struct Ponder;

    impl Policy for Ponder {
        fn see(&mut self, _frames: &[u8], _state: &[f32; STATE]) {}

        fn act(&mut self, state: &[f32; STATE], latent: &[f32], chunk: &mut [Action]) {
            std::thread::sleep(Duration::from_millis(8));
            for (ahead, action) in chunk.iter_mut().enumerate() {
                *action = [state[0] + ahead as f32; ACTION];
            }
            assert_eq!(latent, [5.0; 3]);
        }
    }

    #[test]
    fn a_thought_that_takes_many_ticks_is_played_at_the_ticks_it_is_about() {
        let config = ChunkConfig { length: 500, blend: Blend::Newest, speed: 1.0 };
        let mut chunks = Chunks::new(config).expect("a configuration");
        let mut policy = Background::start(Ponder, 3, 8, 500).expect("a thread");
        let mut chunk = vec![[0.0; ACTION]; 500];
        let (mut n_chunks, mut n_played) = (0, 0);
        policy.begin();
        // As many ticks as it takes, one a millisecond.
        for tick in 0_u64.. {
            let mut state = [0.0; STATE];
            state[0] = tick as f32;
            policy.see(&[1; 8], &state);
            if let Some(from) = policy.act_at(tick, &state, &[5.0; 3], &mut chunk) {
                assert!(from <= tick);
                n_chunks += 1;
                chunks.push(from, tick, &chunk);
            }
            if let Some(action) = chunks.at(tick) {
                assert_eq!(action, [tick as f32; ACTION]);
                n_played += 1;
            }
            if n_chunks == 8 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(n_played > 8, "{n_played}");
    }

    #[test]
    fn what_was_thought_before_a_beginning_is_not_played_after_it() {
        let mut policy = Background::start(Ponder, 3, 8, 4).expect("a thread");
        let mut chunk = vec![[0.0; ACTION]; 4];
        let ask = |policy: &mut Background, value: f32, chunk: &mut Vec<Action>| {
            policy.act_at(0, &[value; STATE], &[5.0; 3], chunk).map(|_| chunk[0][0])
        };
        ask(&mut policy, 100.0, &mut chunk);
        std::thread::sleep(Duration::from_millis(3));
        policy.begin();
        let told = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(1));
            ask(&mut policy, 7.0, &mut chunk)
        });
        assert_eq!(told.flatten().next(), Some(7.0));
    }
}

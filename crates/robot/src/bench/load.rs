//! Other work on every processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::interface::TICK_NS;
use crate::schedule::{self, Class, ScheduleConfig};

/// Threads that read memory without end, one on each processor, at ordinary priority. They end when it
/// is dropped.
#[derive(Debug)]
pub struct Load {
    ended: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// On so many processors. A thread that cannot be kept on its processor runs on any.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(n: usize) -> Result<Load> {
        let mut load = Load { ended: Arc::default(), threads: Vec::new() };
        let sum = Arc::new(AtomicU64::new(0));
        for processor in 0..n {
            let (ended, sum) = (Arc::clone(&load.ended), Arc::clone(&sum));
            let read = move || {
                let _ = schedule::apply(&ScheduleConfig {
                    class: Class::Other,
                    processors: vec![processor],
                    lock_memory: false,
                    ..ScheduleConfig::best(TICK_NS)
                });
                // Larger than any cache here.
                let words = vec![1_u64; 16 << 20];
                while !ended.load(Ordering::Relaxed) {
                    sum.fetch_add(words.iter().sum(), Ordering::Relaxed);
                }
            };
            let thread = std::thread::Builder::new().name("load".to_owned()).spawn(read);
            load.threads.push(thread.map_err(|source| Error::kernel("start a thread", source))?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It only reads, and has nothing to panic about.
            let _ = thread.join();
        }
    }
}

/// Milliseconds that a host has not let this machine run, though it would have, of all processors;
/// nothing where the kernel does not say. No scheduling class is a remedy for these.
#[must_use]
pub fn stolen_millis() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: u64 = text.lines().next()?.split_whitespace().nth(8)?.parse().ok()?;
    // Hundredths of a second, on every Linux that this runs on.
    Some(ticks * 10)
}

//! One live process that computes: candidate, baseline, or a peer outside the sandbox.
//!
//! A call goes like this. The worker maps its buffers at new addresses and says so. It is frozen.
//! New inputs are written, never used before in this process; outputs are filled with a pattern;
//! what lies round the buffers is filled with garbage. The clock starts, the worker is thawed and
//! computes, says "done", and is frozen again. The clock stops at "done", and whatever processor
//! time is used between that and the last thread's standstill is added. So inputs appear only
//! while nobody can read them ahead of the clock, and what goes on after "done" is paid for.
//!
//! All it can do to the judge is say "done" too early (then its outputs are not complete), too
//! late, or never.

use std::os::fd::AsFd;
use std::process::Child;
use std::time::{Duration, Instant};

use rand::Rng;
use sandbox::shared::{self, Inside, Memory};
use sandbox::{Ending, Favor, Job, Outcome, Process, Running, Sandbox};

use super::compare::{self, Poison};
use super::compile::Program;
use super::expect::Set;
use super::layout::{Layout, PAGE, Place, Region};
use crate::Error;
use crate::evaluation::{Reason, Rejection};
use crate::graph::Tensor;

/// Offsets in the orders, as in `worker.c`.
const COMMAND: usize = 4;
const BUFFERS: usize = 32;

/// Commands.
const MAP: u32 = 1;
const CALL: u32 = 2;
/// Only for peers, whose results come in memory of their own.
const COLLECT: u32 = 3;

/// Offset of the status in the answers.
const STATUS: usize = 4;

/// How often it is looked whether the worker still lives while it is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// How long mapping and freezing may take: the kernel's work, not the candidate's.
const SETUP: Duration = Duration::from_secs(20);

/// How long a peer may take to start.
const PEER_SETUP: Duration = Duration::from_secs(180);

/// How what is timed is scheduled, and the thread that times it: other programs' work is not to be
/// measured. As an ordinary user's it waits its turn where the machine is busy.
pub(super) const FAVOR: Favor = Favor::AtOnce;

/// Memory in common with one worker after another.
#[derive(Debug)]
pub(super) struct Slot {
    orders: Memory,
    answers: Memory,
    given: Memory,
    returned: Memory,
    /// What lies round buffers.
    garbage: Vec<u8>,
}

fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System { action, source }
}

impl Slot {
    pub(super) fn new(layout: &Layout) -> Result<Slot, Error> {
        let memory = |bytes, inside| {
            Memory::create(bytes, inside).map_err(system("make memory for a kernel"))
        };
        let [given, returned] = layout.size_bytes();
        let orders = BUFFERS + 32 * layout.regions().count();
        Ok(Slot {
            orders: memory(orders.div_ceil(PAGE) * PAGE, Inside::Reads)?,
            answers: memory(PAGE, Inside::Writes)?,
            given: memory(given, Inside::Reads)?,
            returned: memory(returned, Inside::Writes)?,
            garbage: vec![0; 2 * PAGE],
        })
    }

    /// Removes what an earlier worker was given and returned.
    fn scrub(&mut self, rng: &mut impl Rng) {
        rng.fill_bytes(&mut self.garbage);
        let garbage = &self.garbage;
        let cover = |memory: &mut Memory| {
            let mut at = 0;
            while at < memory.size_bytes() {
                let count = garbage.len().min(memory.size_bytes() - at);
                memory.write(at, &garbage[..count]);
                at += count;
            }
        };
        let (given, returned) = (&mut self.given, &mut self.returned);
        both(given.size_bytes().min(returned.size_bytes()), || cover(given), || cover(returned));
        // All of it: what one worker leaves here, the next could read.
        self.answers.write(0, &[0; PAGE]);
    }
}

/// Where a worker runs.
#[derive(Debug)]
enum Host<'a> {
    Inside(Running<'a>),
    /// A program that we trust, a child of ours.
    Peer(Child, Process),
}

/// A live worker, frozen between calls.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    host: Host<'a>,
    slot: &'a mut Slot,
    layout: &'a Layout,
    sequence: u32,
    places: Vec<Place>,
    poisons: Vec<Poison>,
}

/// A call that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// From the thaw to the answer, and the processor time after it.
    pub(super) elapsed: Duration,
    /// Processor time of all threads meanwhile.
    pub(super) cpu: Duration,
    /// Threads there are.
    pub(super) n_threads: usize,
}

/// Why a call did not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process ended.
    Ended,
    /// It took longer than this.
    Slow(Duration),
    /// It could not map its buffers.
    Setup(u32),
}

impl<'a> Worker<'a> {
    /// Starts a program in a sandbox.
    pub(super) fn start(
        sandbox: &'a mut Sandbox,
        program: &Program,
        slot: &'a mut Slot,
        layout: &'a Layout,
        processors: &[usize],
        rng: &mut impl Rng,
    ) -> Result<Worker<'a>, Error> {
        let file = shared::program(&program.bytes).map_err(system("make a program"))?;
        prepare(slot, layout, rng);
        let memories = [&slot.orders, &slot.answers, &slot.given, &slot.returned];
        let fds: Vec<_> = memories
            .into_iter()
            .map(Memory::reopen)
            .collect::<Result<_, _>>()
            .map_err(system("open memory for a kernel"))?;
        let fds = fds.iter().map(AsFd::as_fd).collect();
        let job = Job { program: file.as_fd(), argv: vec!["kernel".to_owned()], fds };
        let running = sandbox.begin(&job)?;
        // A process that ended at once shows as such in its first call.
        let _ = running.process().bind(processors);
        running.process().favor(FAVOR);
        Ok(Worker::of(Host::Inside(running), slot, layout))
    }

    /// Takes over a child that speaks the same language; `begin` starts it, given the descriptors'
    /// paths.
    pub(super) fn peer(
        begin: impl FnOnce([String; 4]) -> Result<Child, Error>,
        slot: &'a mut Slot,
        layout: &'a Layout,
        processors: &[usize],
        rng: &mut impl Rng,
    ) -> Result<Worker<'a>, Error> {
        use std::os::fd::AsRawFd;
        prepare(slot, layout, rng);
        let own = std::process::id();
        let paths = [&slot.orders, &slot.answers, &slot.given, &slot.returned]
            .map(|memory| format!("/proc/{own}/fd/{}", memory.descriptor().as_raw_fd()));
        let child = begin(paths)?;
        let process = Process::child(&child).map_err(system("look at a process"))?;
        process.bind(processors).map_err(system("bind a process"))?;
        process.favor(FAVOR);
        Ok(Worker::of(Host::Peer(child, process), slot, layout))
    }

    fn of(host: Host<'a>, slot: &'a mut Slot, layout: &'a Layout) -> Worker<'a> {
        Worker { host, slot, layout, sequence: 0, places: Vec::new(), poisons: Vec::new() }
    }

    fn process(&self) -> &Process {
        match &self.host {
            Host::Inside(running) => running.process(),
            Host::Peer(_, process) => process,
        }
    }

    /// Gives an order and waits for the answer.
    fn order(&mut self, command: u32, limit: Duration) -> Result<Result<(), Fault>, Error> {
        let before = self.sequence;
        self.sequence += 1;
        let deadline = Instant::now() + limit;
        self.slot.orders.write(COMMAND, &command.to_le_bytes());
        self.slot.orders.store(0, self.sequence);
        // Where it is not frozen yet, at the start.
        self.slot.orders.wake(0);
        // A process that has just ended cannot go on; that shows below.
        let _ = self.process().resume();
        loop {
            let slice = deadline.min(Instant::now() + LOOK);
            let answer = self.slot.answers.wait_while(0, before, slice);
            if answer.map_err(system("wait for a kernel"))? == self.sequence {
                return Ok(Ok(()));
            }
            if self.process().has_ended().map_err(system("look at a process"))? {
                return Ok(Err(Fault::Ended));
            }
            if Instant::now() >= deadline {
                // Before anybody else is asked to end it: it may keep all processors busy.
                let _ = self.process().stop();
                return Ok(Err(Fault::Slow(limit)));
            }
        }
    }

    /// Stops it; how many threads stand still then.
    fn freeze(&mut self) -> Result<Result<usize, Fault>, Error> {
        let deadline = Instant::now() + SETUP;
        if self.process().stop().is_err() {
            return Ok(Err(Fault::Ended));
        }
        let stopped = self.process().await_stopped(deadline).map_err(system("stop a kernel"))?;
        if let Some(n_threads) = stopped {
            return Ok(Ok(n_threads));
        }
        if self.process().has_ended().map_err(system("look at a process"))? {
            return Ok(Err(Fault::Ended));
        }
        Err(Error::System { action: "stop a kernel", source: std::io::ErrorKind::TimedOut.into() })
    }

    /// One call on `given`; see the head of this file. Afterwards it is frozen.
    pub(super) fn call(
        &mut self,
        given: &[Vec<u8>],
        returned: &[Tensor],
        n_threads: usize,
        limit: Duration,
        rng: &mut impl Rng,
    ) -> Result<Result<Call, Fault>, Error> {
        self.places = self.layout.place(rng);
        self.write_places(n_threads);
        let setup = if matches!(self.host, Host::Peer(..)) { PEER_SETUP } else { SETUP };
        if let Err(fault) = self.order(MAP, setup)? {
            return Ok(Err(fault));
        }
        if let Err(fault) = self.freeze()? {
            return Ok(Err(fault));
        }
        let status = self.slot.answers.load(STATUS);
        if status != 0 {
            return Ok(Err(Fault::Setup(status)));
        }
        self.write_content(given, returned, rng);
        let cpu_before = self.process().cpu_time().unwrap_or_default();
        let started = Instant::now();
        if let Err(fault) = self.order(CALL, limit)? {
            return Ok(Err(fault));
        }
        let answered = started.elapsed();
        let cpu_answered = self.process().cpu_time().unwrap_or_default();
        let n_threads = match self.freeze()? {
            Ok(n_threads) => n_threads,
            Err(fault) => return Ok(Err(fault)),
        };
        let stopped = started.elapsed();
        let cpu = self.process().cpu_time().unwrap_or_default();
        // To stand still, a sleeping thread has to be woken; that is not its work. What it works
        // after the answer it pays for, all threads added up.
        let after = cpu.saturating_sub(cpu_answered).min(stopped.saturating_sub(answered));
        let elapsed = answered + after;
        let cpu = cpu.saturating_sub(cpu_before);
        if matches!(self.host, Host::Peer(..)) {
            // The clock has stopped: it counts as if results had been written in place.
            if let Err(fault) = self.order(COLLECT, SETUP)? {
                return Ok(Err(fault));
            }
            if let Err(fault) = self.freeze()? {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(Call { elapsed, cpu, n_threads }))
    }

    fn write_places(&mut self, n_threads: usize) {
        let n_threads = u32::try_from(n_threads).expect("few threads");
        self.slot.orders.write(8, &n_threads.to_le_bytes());
        for (idx, (place, region)) in self.places.iter().zip(self.layout.regions()).enumerate() {
            let numbers = [region.start, region.span, place.offset, place.address];
            let bytes = numbers.map(|number| (number as u64).to_le_bytes()).concat();
            self.slot.orders.write(BUFFERS + 32 * idx, &bytes);
        }
    }

    fn write_content(&mut self, given: &[Vec<u8>], returned: &[Tensor], rng: &mut impl Rng) {
        rng.fill_bytes(&mut self.slot.garbage);
        self.poisons.clear();
        self.poisons.extend(returned.iter().map(|tensor| compare::poison(tensor.dtype, rng)));
        let (for_given, for_returned) = self.places.split_at(self.layout.given.len());
        let Slot { given: to_read, returned: to_write, garbage, .. } = &mut *self.slot;
        let (garbage, layout, poisons) = (&*garbage, self.layout, &self.poisons);
        let smaller = to_read.size_bytes().min(to_write.size_bytes());
        let inputs = || {
            for ((region, place), content) in layout.given.iter().zip(for_given).zip(given) {
                assert_eq!(content.len(), region.length, "inputs have the task's sizes");
                surround(to_read, region, place, garbage);
                to_read.write(region.start + place.offset, content);
            }
        };
        let outputs = || {
            for ((region, place), poison) in layout.returned.iter().zip(for_returned).zip(poisons) {
                surround(to_write, region, place, garbage);
                let at = region.start + place.offset;
                compare::fill(to_write, at, region.length, *poison);
            }
        };
        both(smaller, inputs, outputs);
    }

    /// Compares what the last call returned: the largest share of the tolerance, or what is wrong.
    pub(super) fn check(&self, set: &Set, returned: &[Tensor]) -> Result<f64, Rejection> {
        let places = &self.places[self.layout.given.len()..];
        let mut worst: f64 = 0.0;
        for (idx, (region, place)) in self.layout.returned.iter().zip(places).enumerate() {
            let at = region.start + place.offset;
            let comparison = compare::compare(
                &self.slot.returned,
                at,
                &returned[idx],
                &set.expected[idx],
                self.poisons[idx],
            );
            if let Some(rejection) = comparison.rejection {
                return Err(rejection);
            }
            if touched(&self.slot.returned, region, place, &self.slot.garbage) {
                let detail = format!("it wrote beside `{}`", returned[idx].name);
                return Err(Rejection { reason: Reason::OutOfBounds, detail });
            }
            worst = worst.max(comparison.worst);
        }
        Ok(worst)
    }

    /// Ends it. What became of it.
    pub(super) fn end(self) -> Result<Outcome, Error> {
        match self.host {
            Host::Inside(running) => Ok(running.finish(Duration::ZERO)?),
            Host::Peer(mut child, _) => {
                // It may have ended by itself.
                let _ = child.kill();
                let output = child.wait_with_output().map_err(system("wait for a process"))?;
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                let last = errors.trim_end().lines().next_back().unwrap_or_default();
                Ok(Outcome {
                    ending: Ending::Exited { code: output.status.code().unwrap_or(-1) },
                    stdout: Vec::new(),
                    stderr: last.as_bytes().to_vec(),
                    dropped_bytes: 0,
                    wall: Duration::ZERO,
                    background: Vec::new(),
                })
            }
        }
    }
}

/// Bytes above which a second thread is worth its start.
const WORTH_A_THREAD: usize = 256 << 10;

/// Does both, at the same time where the smaller has this many bytes to write. The kernel is frozen
/// meanwhile, so its processors are idle.
fn both(smaller_bytes: usize, one: impl FnOnce() + Send, other: impl FnOnce()) {
    if smaller_bytes < WORTH_A_THREAD {
        one();
        return other();
    }
    std::thread::scope(|scope| {
        scope.spawn(one);
        other();
    });
}

/// Writes what does not change from call to call, and removes traces of earlier workers.
fn prepare(slot: &mut Slot, layout: &Layout, rng: &mut impl Rng) {
    /// Most scratch memory, as in [`super::cell`]'s limit.
    const MOST_SCRATCH: u64 = super::cell::MOST_SCRATCH_BYTES;
    slot.scrub(rng);
    slot.orders.store(0, 0);
    let count = |regions: &[Region]| u32::try_from(regions.len()).expect("few tensors");
    slot.orders.write(12, &count(&layout.given).to_le_bytes());
    slot.orders.write(16, &count(&layout.returned).to_le_bytes());
    slot.orders.write(24, &MOST_SCRATCH.to_le_bytes());
}

/// Parts of a region outside its content.
fn margins(region: &Region, place: &Place) -> [std::ops::Range<usize>; 2] {
    [0..place.offset, place.offset + region.length..region.span]
}

fn surround(memory: &mut Memory, region: &Region, place: &Place, garbage: &[u8]) {
    for margin in margins(region, place) {
        memory.write(region.start + margin.start, &garbage[..margin.len()]);
    }
}

fn touched(memory: &Memory, region: &Region, place: &Place, garbage: &[u8]) -> bool {
    let mut found = vec![0; garbage.len()];
    margins(region, place).into_iter().any(|margin| {
        let found = &mut found[..margin.len()];
        memory.read(region.start + margin.start, found);
        found != &garbage[..found.len()]
    })
}

//! Fresh processes, side by side, called in turns on the same inputs.

use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom;

use super::Options;
use super::cell::Cell;
use super::compile::Program;
use super::expect::{Expect, Set};
use super::layout::Layout;
use super::peer::Peer;
use super::turn::Turn;
use super::worker::{Call, FAVOR, Fault, Slot, Worker};
use crate::Error;
use crate::evaluation::{Reason, Rejection};
use crate::graph::Tensor;

/// Most that take part in one session: a candidate and a baseline.
const SEATS: usize = 2;

/// Room for the clock's own grain when processor time is compared with wall time.
const CPU_SLACK: Duration = Duration::from_millis(5);

/// A task at one size, with memory and sandboxes for those who compute it.
pub(super) struct Stage {
    pub(super) expect: Box<dyn Expect>,
    pub(super) given: Vec<Tensor>,
    pub(super) returned: Vec<Tensor>,
    layout: Layout,
    slots: Vec<Slot>,
    cells: Vec<Cell>,
    processors: Vec<usize>,
    on_wait: Option<fn(Duration)>,
}

/// Who takes part.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contender<'a> {
    /// A compiled program, in the sandbox, its outputs checked.
    Program(&'a Program),
    /// One of ours that computes nothing; its outputs are not looked at.
    Probe(&'a Program),
    /// A trusted program outside the sandbox, checked.
    Peer(&'a Peer),
}

/// One round of calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    /// Its inputs.
    pub(super) set: &'a Set,
    /// Threads that each may use.
    pub(super) n_threads: usize,
}

/// What one participant did.
#[derive(Debug, Default)]
pub(super) struct Showing {
    /// Its calls, in the order of the steps; fewer where it was too slow for more.
    pub(super) calls: Vec<Call>,
    /// Largest error over the tolerance.
    pub(super) worst: f64,
    /// Why it is out, and at which step, counted from 0.
    pub(super) rejection: Option<(usize, Rejection)>,
}

/// Limits of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of one call.
    pub(super) call: Duration,
    /// Of all calls of the second participant together, after its first two.
    pub(super) baseline: Duration,
}

impl Stage {
    /// Makes room for `n_seats` participants at once.
    pub(super) fn open(
        expect: Box<dyn Expect>,
        options: &Options,
        n_seats: usize,
    ) -> Result<Stage, Error> {
        let Options { launcher, n_threads, on_wait, .. } = options;
        let (given, returned) = (expect.given(), expect.returned());
        let layout = Layout::of(&given, &returned);
        let shared_bytes = layout.size_bytes().iter().sum::<usize>() as u64;
        // One more is tried when it is looked whether results depend on the number.
        let most_threads = (*n_threads).max(3);
        let n_seats = n_seats.min(SEATS);
        let slots = (0..n_seats).map(|_| Slot::new(&layout)).collect::<Result<_, _>>()?;
        let cells = (0..n_seats)
            .map(|_| Cell::open(launcher, shared_bytes, most_threads))
            .collect::<Result<_, _>>()?;
        let all = sandbox::processors()
            .map_err(|source| Error::System { action: "list processors", source })?;
        // Threads cannot be more at once than there are processors to run them.
        let processors = all.into_iter().take((*n_threads).max(1)).collect();
        let on_wait = *on_wait;
        Ok(Stage { expect, given, returned, layout, slots, cells, processors, on_wait })
    }

    /// Names of the protections in force for kernels.
    pub(super) fn isolation(&self) -> Vec<String> {
        self.cells.first().map(Cell::isolation).unwrap_or_default()
    }

    /// Runs one or two contenders in fresh processes through the steps, in turns, in random order
    /// within each. It ends with the first rejection.
    pub(super) fn run(
        &mut self,
        contenders: &[Contender<'_>],
        steps: &[Step<'_>],
        limits: Limits,
        rng: &mut impl Rng,
    ) -> Result<Vec<Showing>, Error> {
        let _turn = Turn::wait(self.on_wait);
        let _first = sandbox::Favored::this_thread(FAVOR);
        let mut showings: Vec<Showing> = contenders.iter().map(|_| Showing::default()).collect();
        let mut faults: Vec<Option<Fault>> = vec![None; contenders.len()];
        let Stage { given: _, returned, layout, slots, cells, processors, .. } = self;
        let mut workers = Vec::new();
        for ((contender, slot), cell) in contenders.iter().zip(slots).zip(cells.iter_mut()) {
            let sandbox = &mut cell.sandbox;
            workers.push(match contender {
                Contender::Program(program) | Contender::Probe(program) => {
                    Worker::start(sandbox, program, slot, layout, processors, rng)?
                }
                Contender::Peer(peer) => {
                    Worker::peer(|paths| peer.begin(&paths), slot, layout, processors, rng)?
                }
            });
        }
        let mut order: Vec<usize> = (0..workers.len()).collect();
        'steps: for (at, step) in steps.iter().enumerate() {
            order.shuffle(rng);
            for &who in &order {
                let showing = &mut showings[who];
                let spent: Duration = showing.calls.iter().map(|call| call.elapsed).sum();
                if who > 0 && at > 1 && spent > limits.baseline {
                    continue;
                }
                let worker = &mut workers[who];
                let call =
                    worker.call(&step.set.given, returned, step.n_threads, limits.call, rng)?;
                let found = match call {
                    Err(fault) => {
                        faults[who] = Some(fault);
                        // Explained below, once the process is gone.
                        let detail = String::new();
                        Err(Rejection { reason: Reason::Crash, detail })
                    }
                    Ok(call) => {
                        let checked =
                            matches!(contenders[who], Contender::Program(_) | Contender::Peer(_));
                        showing.calls.push(call);
                        let trusted = matches!(contenders[who], Contender::Peer(_));
                        let within = if trusted {
                            Ok(())
                        } else {
                            budget(call, step.n_threads.max(processors.len()))
                        };
                        within.and_then(|()| {
                            if checked { worker.check(step.set, returned) } else { Ok(0.0) }
                        })
                    }
                };
                match found {
                    Ok(worst) => showing.worst = showing.worst.max(worst),
                    Err(rejection) => {
                        showing.rejection = Some((at, rejection));
                        break 'steps;
                    }
                }
            }
        }
        let outcomes: Vec<_> = workers.into_iter().map(Worker::end).collect::<Result<_, _>>()?;
        for (who, cell) in cells.iter_mut().enumerate().take(contenders.len()) {
            let explained = cell.explain(faults[who], &outcomes[who]);
            if let Some(rejection) = explained {
                let at = showings[who].calls.len();
                showings[who].rejection = Some((at, rejection));
            }
        }
        Ok(showings)
    }
}

/// Whether a call kept to its threads.
fn budget(call: Call, n_threads: usize) -> Result<(), Rejection> {
    let reject = |detail| Err(Rejection { reason: Reason::Budget, detail });
    if call.n_threads > n_threads {
        return reject(format!("{} threads, of {n_threads} allowed", call.n_threads));
    }
    let allowed = call.elapsed * u32::try_from(n_threads).unwrap_or(u32::MAX) + CPU_SLACK;
    if call.cpu > allowed {
        return reject(format!(
            "{:?} of processor time in {:?} with {n_threads} threads",
            call.cpu, call.elapsed
        ));
    }
    Ok(())
}

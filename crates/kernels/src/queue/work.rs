//! One worker: claims orders, evaluates, delivers, until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Queue;
use crate::Error;
use crate::archive::{Finding, Kind, Order};
use crate::evaluator::{Effort, Evaluator};

/// Pause between two looks at an empty queue.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a worker gets the evaluator of a task.
pub trait Bench: Send + Sync {
    /// The evaluator of this task.
    ///
    /// # Errors
    /// When this machine knows no such task.
    fn evaluator(&self, task: &str) -> Result<Arc<dyn Evaluator>, Error>;
}

/// What a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Worked {
    /// Orders completed.
    pub n_completed: u64,
    /// Orders that another worker completed first.
    pub n_late: u64,
}

impl Kind {
    /// How much trouble an order of this kind is worth.
    #[must_use]
    pub fn effort(self) -> Effort {
        match self {
            Self::Evaluation => Effort::Quick,
            Self::Promotion | Self::Recheck => Effort::Thorough,
        }
    }
}

/// Works until `cancel` is set, or for `idle` nothing was there to do.
///
/// # Errors
/// When the queue fails, a task is unknown, or an evaluator cannot tell; the order is given back.
pub fn work(
    queue: &dyn Queue,
    bench: &dyn Bench,
    worker: &str,
    lease: Duration,
    idle: Option<Duration>,
    cancel: &AtomicBool,
) -> Result<Worked, Error> {
    let mut worked = Worked::default();
    let mut since = Instant::now();
    while !cancel.load(Ordering::Relaxed) {
        let Some(order) = queue.claim(worker, lease)? else {
            if idle.is_some_and(|idle| since.elapsed() >= idle) {
                break;
            }
            std::thread::sleep(PAUSE);
            continue;
        };
        let delivered = bench
            .evaluator(&order.task)
            .and_then(|evaluator| fulfil(queue, evaluator.as_ref(), &order, worker, lease));
        match delivered {
            Ok(true) => worked.n_completed += 1,
            Ok(false) => worked.n_late += 1,
            Err(error) => {
                queue.give_back(order.id, worker)?;
                return if matches!(error, Error::Interrupted) { Ok(worked) } else { Err(error) };
            }
        }
        since = Instant::now();
    }
    Ok(worked)
}

/// Evaluates one claimed order and delivers the finding, extending the claim meanwhile. False when
/// another was faster.
///
/// # Errors
/// What the evaluator or the queue says; the claim is then still held.
pub(crate) fn fulfil(
    queue: &dyn Queue,
    evaluator: &dyn Evaluator,
    order: &Order,
    worker: &str,
    lease: Duration,
) -> Result<bool, Error> {
    let began = Instant::now();
    let evaluation = std::thread::scope(|scope| {
        let (done, waits) = channel::<()>();
        scope.spawn(move || {
            while waits.recv_timeout(lease / 3) == Err(RecvTimeoutError::Timeout) {
                // A claim that is lost or cannot be extended shows when the finding is delivered.
                if !matches!(queue.extend(order.id, worker, lease), Ok(true)) {
                    break;
                }
            }
        });
        let evaluation = evaluator.evaluate(&order.proposal, order.kind.effort());
        drop(done);
        evaluation
    })?;
    let finding = Finding {
        evaluation,
        harness: evaluator.harness(),
        worker: worker.to_owned(),
        wall_secs: began.elapsed().as_secs_f64(),
    };
    queue.complete(order.id, worker, &finding)
}

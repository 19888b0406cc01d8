//! The judge as a search sees it: schedules are held to their other sizes too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::evaluation::{Level, Rejection, Timing};
use crate::evaluator::{Effort, Evaluator};
use crate::judge::{self, Judge, Known, Options};
use crate::propose::Proposal;
use crate::schedules::Schedules;
use crate::space::Space;
use crate::task::Task;
use crate::{Candidate, Error, Evaluation};

/// Version of the rules. What another version verified is verified again.
const HARNESS: &str = "judge 2";

/// Seed of the inputs that tolerances are found with, and of parameters that stay the same.
const TOLERANCE_SEED: u64 = 1;

/// What keeps the compiler from finding vectors in a plain loop.
const SCALAR: [&str; 2] = ["-fno-tree-vectorize", "-fno-tree-slp-vectorize"];

/// A base slower than this is not called in every timing: see [`Judge::set_anchor`].
const SLOW_BASELINE: Duration = Duration::from_millis(20);

/// A judge of one task, and the task's schedules.
pub struct Court {
    judge: Mutex<Judge>,
    schedules: Arc<Schedules>,
    n_variants: usize,
}

impl Court {
    /// Opens a court for a task: lowers it, finds its tolerances, verifies and times its base.
    ///
    /// # Errors
    /// When the task cannot be judged, or this machine cannot judge.
    pub fn open(task: &Arc<Task>, options: Options) -> Result<Self, Error> {
        let schedules = Arc::new(Schedules::new(task)?);
        // Tolerances are the same each time; the inputs that decide are not.
        let known = Known::task(Arc::clone(task), TOLERANCE_SEED)?;
        let base = schedules.emit(&schedules.base());
        let mut judge = Judge::open(Box::new(known), &base, options)?;
        if judge.baseline_time() > SLOW_BASELINE {
            // Where the first schedule is no better, the base is waited for.
            let sensible = schedules.seeds().into_iter().next();
            if let Some(sensible) = sensible {
                judge.set_anchor(&schedules.emit(&sensible))?;
            }
        }
        let mut n_variants = 0;
        for idx in 0..task.variants.len() {
            // A variant may be degenerate where the task is not.
            match Known::variant(Arc::clone(task), idx, TOLERANCE_SEED) {
                Ok(known) => {
                    judge.add_variant(Box::new(known))?;
                    n_variants += 1;
                }
                Err(Error::NullGate { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self { judge: Mutex::new(judge), schedules, n_variants })
    }

    /// The task's schedules.
    #[must_use]
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// The judge, for more than a search asks.
    pub fn judge(&self) -> std::sync::MutexGuard<'_, Judge> {
        // A panic elsewhere leaves a judge that can still judge: each evaluation starts afresh.
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base as scalar code: what the plain translation is before a compiler finds vectors in it.
    #[must_use]
    pub fn scalar_base(&self) -> Candidate {
        let mut base = self.schedules.emit(&self.schedules.base());
        base.flags.extend(SCALAR.map(str::to_owned));
        base
    }

    /// Times a candidate beside another, which is the judge's baseline from then on and has to be
    /// right; why there is no timing, if there is none.
    ///
    /// # Errors
    /// When the other is wrong, or the machine fails.
    pub fn time_over(
        &self,
        name: &str,
        baseline: &Candidate,
        candidate: &Candidate,
    ) -> Result<Result<Timing, String>, Error> {
        let mut judge = self.judge();
        judge.set_baseline(name, baseline)?;
        let evaluation = judge.evaluate(candidate, judge::Effort::Full)?;
        let reason = evaluation.rejection.map(|rejection| rejection.detail);
        Ok(evaluation.timing.ok_or(reason.unwrap_or_else(|| "no call was timed".to_owned())))
    }

    /// Why a schedule is wrong at another size, if it is.
    fn wrong_elsewhere(
        &self,
        judge: &mut Judge,
        proposal: &Proposal,
    ) -> Result<Option<Rejection>, Error> {
        let Some(genotype) = &proposal.genotype else { return Ok(None) };
        for idx in 0..self.n_variants {
            let Some(candidate) = self.schedules.emit_variant(genotype, idx) else { continue };
            if let Some(rejection) = judge.check_variant(idx, &candidate)? {
                return Ok(Some(rejection));
            }
        }
        Ok(None)
    }
}

impl Evaluator for Court {
    fn harness(&self) -> String {
        HARNESS.to_owned()
    }

    fn evaluate(&self, proposal: &Proposal, effort: Effort) -> Result<Evaluation, Error> {
        let mut judge = self.judge();
        let level = match effort {
            Effort::Quick => judge::Effort::Quick,
            Effort::Thorough => judge::Effort::Promote,
        };
        let mut evaluation = judge.evaluate(&proposal.candidate, level)?;
        if effort == Effort::Thorough
            && evaluation.rejection.is_none()
            && let Some(rejection) = self.wrong_elsewhere(&mut judge, proposal)?
        {
            evaluation.level = Level::Compiled;
            evaluation.rejection = Some(rejection);
        }
        Ok(evaluation)
    }
}

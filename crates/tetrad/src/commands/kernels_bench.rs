//! From a task's name to what a search or a worker needs of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernels::evaluator::Evaluator;
use kernels::search::twin::Twin;
use kernels::{Error, Space, Task};

/// A task, its schedules, and who finds out about candidates.
pub(crate) struct Workbench {
    pub(crate) task: Task,
    pub(crate) space: Box<dyn Space>,
    pub(crate) evaluator: Arc<dyn Evaluator>,
}

/// The workbench of a task: `twin:NAME`, or `twin:NAME@MILLIS` whose evaluations take so long.
pub(crate) fn open(name: &str) -> Result<Workbench, Error> {
    let unknown = |reason: String| Error::Config { reason };
    let Some(twin) = name.strip_prefix("twin:") else {
        return Err(unknown(format!("unknown task `{name}`; expected `twin:NAME`")));
    };
    let (twin, pause) = match twin.split_once('@') {
        None => (twin, Duration::ZERO),
        Some((twin, millis)) => {
            let millis = millis.parse().map_err(|_| {
                unknown(format!("`{millis}` in `{name}` is no count of milliseconds"))
            })?;
            (twin, Duration::from_millis(millis))
        }
    };
    if twin.is_empty() {
        return Err(unknown(format!("`{name}` names no landscape")));
    }
    let twin = Twin::new(twin).with_pause(pause);
    let task = Task { name: name.to_owned(), ..twin.task() };
    Ok(Workbench { task, evaluator: Arc::new(twin.clone()), space: Box::new(twin) })
}

/// Workbenches opened so far, for a worker that meets orders of many tasks.
#[derive(Default)]
pub(crate) struct Benches {
    opened: Mutex<BTreeMap<String, Arc<dyn Evaluator>>>,
}

impl kernels::queue::Bench for Benches {
    fn evaluator(&self, task: &str) -> Result<Arc<dyn Evaluator>, Error> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(evaluator) = opened.get(task) {
            return Ok(Arc::clone(evaluator));
        }
        let evaluator = open(task)?.evaluator;
        opened.insert(task.to_owned(), Arc::clone(&evaluator));
        Ok(evaluator)
    }
}

//! From a task's name to what a search or a worker needs of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernels::court::Court;
use kernels::evaluator::Evaluator;
use kernels::judge::Options;
use kernels::schedules::Schedules;
use kernels::search::twin::Twin;
use kernels::{Error, Space, Task};

/// A task, its schedules, and who finds out about candidates.
pub(crate) struct Workbench {
    pub(crate) task: Task,
    pub(crate) space: Box<dyn Space>,
    pub(crate) evaluator: Arc<dyn Evaluator>,
}

/// The workbench of a task: a bundled one by its name, a file, or `twin:NAME`, a scripted landscape;
/// `twin:NAME@MILLIS` takes so long for an evaluation.
pub(crate) fn open(name: &str) -> Result<Workbench, Error> {
    let Some(twin) = name.strip_prefix("twin:") else {
        let task = Arc::new(task(name)?);
        let space = Schedules::new(&task)?;
        let court = Court::open(&task, options())?;
        // By the name that was asked for: workers find a file by its path.
        let task = Task { name: name.to_owned(), ..(*task).clone() };
        return Ok(Workbench { task, space: Box::new(space), evaluator: Arc::new(court) });
    };
    let (twin, pause) = match twin.split_once('@') {
        None => (twin, Duration::ZERO),
        Some((twin, millis)) => {
            let millis = millis.parse().map_err(|_| Error::Config {
                reason: format!("`{millis}` in `{name}` is no count of milliseconds"),
            })?;
            (twin, Duration::from_millis(millis))
        }
    };
    if twin.is_empty() {
        return Err(Error::Config { reason: format!("`{name}` names no landscape") });
    }
    let twin = Twin::new(twin).with_pause(pause);
    let task = Task { name: name.to_owned(), ..twin.task() };
    Ok(Workbench { task, evaluator: Arc::new(twin.clone()), space: Box::new(twin) })
}

/// A bundled task by its name, or a file's.
pub(crate) fn task(name: &str) -> Result<Task, Error> {
    if let Some(task) = kernels::suite::find(name) {
        return Ok(task);
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "json") {
        return Task::load(path);
    }
    let all: Vec<String> = kernels::suite::tasks().into_iter().map(|task| task.name).collect();
    Err(Error::Config {
        reason: format!("unknown task `{name}`; expected a task's JSON file or {}", all.join(", ")),
    })
}

/// How candidates are judged here. The seed is drawn anew each time: whoever writes candidates must
/// not know it.
pub(crate) fn options() -> Options {
    let on_wait = Some(crate::output::waiting_for_turn as fn(_));
    Options { on_wait, ..Options::new(sandbox::Launcher::this_program(), rand::random()) }
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

//! The thread outside that records what happens inside, and the handle to it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fd;
use super::notify::{self, Notification};
use super::procfs::{self, TICK_MILLIS};
use super::seccomp::Answer;
use super::state::{Listener, State};
use super::wire::{self, Announcement};
use crate::error::Error;
use crate::event::{Event, EventKind, Manifest};
use crate::outcome::Process;
use crate::policy::{Policy, Watch};

pub(crate) use super::state::Parts;

/// How often memory is summed while a command runs.
const MEMORY_PERIOD: Duration = Duration::from_millis(50);

/// How often the processor time of followed processes is read.
const CPU_PERIOD: Duration = Duration::from_millis(20);

/// Bounds the work before a task: background processes may ask without end.
const MOST_ROUNDS: usize = 1000;

/// Something for the thread to do.
type Task = Box<dyn FnOnce(&mut State) + Send>;

/// A way to ask the supervisor's thread.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    tasks: mpsc::Sender<Option<Task>>,
    wake: Arc<OwnedFd>,
}

/// The supervisor's thread. It ends when told to.
#[derive(Debug)]
pub(crate) struct Supervisor {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) background: Vec<Process>,
    pub(crate) memory_limit: bool,
}

impl Handle {
    fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::Broken("its supervisor is gone".to_owned());
        let (sender, receiver) = mpsc::sync_channel(1);
        let task: Task = Box::new(move |state| {
            // The asker waits for exactly this.
            let _ = sender.send(task(state));
        });
        self.tasks.send(Some(task)).map_err(|_| gone())?;
        fd::wake(self.wake.as_fd());
        receiver.recv().map_err(|_| gone())
    }

    /// Memory of all processes inside, as the watchdog counts it.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.ask(|state| resident_bytes(state)).ok()
    }
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { action, source }
}

impl Supervisor {
    /// Starts to watch. With `record` off, only memory is looked after.
    pub(crate) fn start(
        parts: Parts,
        policy: &Policy,
        watch: Watch,
        record: bool,
    ) -> Result<Supervisor, Error> {
        let mut state = State::new(parts, policy, watch, record)
            .map_err(system("watch the private folders"))?;
        let wake = Arc::new(fd::event_counter().map_err(system("make a counter"))?);
        let (tasks, inbox) = mpsc::channel();
        let woken = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name("sandbox-supervisor".to_owned())
            .spawn(move || watch_over(&mut state, &woken, &inbox))
            .map_err(system("start the supervisor"))?;
        Ok(Supervisor { handle: Handle { tasks, wake }, thread: Some(thread) })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(crate) fn begin_command(&self) -> Result<(), Error> {
        self.handle.ask(|state| {
            state.running = true;
            state.memory_limit = false;
        })
    }

    pub(crate) fn end_command(&self) -> Result<Ended, Error> {
        self.handle.ask(|state| {
            state.running = false;
            state.refresh_all();
            Ended { background: state.processes(), memory_limit: state.memory_limit }
        })
    }

    /// Processes alive, without the first.
    pub(crate) fn processes(&self) -> Result<Vec<Process>, Error> {
        self.handle.ask(|state| state.processes())
    }

    pub(crate) fn note_limit(&self, limit: &'static str) -> Result<(), Error> {
        self.handle.ask(move |state| state.push(EventKind::Limit { limit: limit.to_owned() }))
    }

    pub(crate) fn take_events(&self) -> Result<Vec<Event>, Error> {
        self.handle.ask(|state| {
            state.refresh_all();
            state.take_events()
        })
    }

    /// Takes the events of the self-observation out of the record; the first versions of watched
    /// contents stay.
    pub(crate) fn take_probe_events(&self) -> Result<Vec<Event>, Error> {
        self.handle.ask(|state| {
            state.refresh_all();
            let all = state.take_events();
            let (first, probe): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|event| matches!(event.kind, EventKind::Version { .. }));
            for event in first {
                state.push_with(event.kind, event.blobs);
            }
            probe
        })
    }

    pub(crate) fn manifest(&self) -> Result<Manifest, Error> {
        self.handle.ask(State::manifest)?.map_err(system("list the private folders"))
    }

    pub(crate) fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        let path = path.to_owned();
        let read = self.handle.ask(move |state| state.read(&path, limit))?;
        read.map_err(system("read a private file"))
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        // If the thread is gone already, there is nothing to stop.
        let _ = self.handle.tasks.send(None);
        fd::wake(self.handle.wake.as_fd());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

fn watch_over(state: &mut State, wake: &OwnedFd, inbox: &mpsc::Receiver<Option<Task>>) {
    let mut memory_due = Instant::now();
    loop {
        let Ok(woken) = wait(state, wake) else { return };
        if state.running && Instant::now() >= memory_due {
            memory_due = Instant::now() + MEMORY_PERIOD;
            check_memory(state);
        }
        if !woken {
            continue;
        }
        // Tasks come after all that had happened when they were asked for.
        fd::clear(wake.as_fd());
        while let Ok(task) = inbox.try_recv() {
            let Some(task) = task else { return };
            for _ in 0..MOST_ROUNDS {
                if !answer_waiting(state).unwrap_or(false) {
                    break;
                }
            }
            task(state);
        }
    }
}

/// Waits for anything, and handles what the kernel reports. Whether there are tasks.
fn wait(state: &mut State, wake: &OwnedFd) -> io::Result<bool> {
    let timeout = if !state.marked.is_empty() {
        Some(CPU_PERIOD)
    } else if state.running {
        Some(MEMORY_PERIOD)
    } else {
        None
    };
    let mut fds = interests(state);
    fds.push(fd::interest(wake.as_fd(), libc::POLLIN));
    fd::poll(&mut fds, timeout)?;
    let woken = fds.pop().is_some_and(|fd| fd.revents != 0);
    if fds.iter().any(|fd| fd.revents != 0) {
        handle_ready(state, &fds)?;
    }
    sample_cpu(state);
    Ok(woken)
}

fn interests(state: &State) -> Vec<libc::pollfd> {
    let mut fds = vec![fd::interest(state.announcements.as_fd(), libc::POLLIN)];
    fds.extend(state.tree.iter().map(|tree| fd::interest(tree.group(), libc::POLLIN)));
    fds.extend(state.marked.iter().map(|one| fd::interest(one.ended.as_fd(), libc::POLLIN)));
    fds.extend(state.listeners.iter().map(|one| fd::interest(one.fd.as_fd(), libc::POLLIN)));
    fds
}

/// Handles what is waiting now; whether there was anything.
fn answer_waiting(state: &mut State) -> io::Result<bool> {
    let mut fds = interests(state);
    fd::poll(&mut fds, Some(Duration::ZERO))?;
    handle_ready(state, &fds)
}

/// Handles what a poll of [`interests`] found ready; whether there was anything.
fn handle_ready(state: &mut State, fds: &[libc::pollfd]) -> io::Result<bool> {
    let mut any = false;
    let first_listener = fds.len() - state.listeners.len();
    if fds[0].revents & libc::POLLIN != 0 {
        any = true;
        let received = wire::receive::<Announcement>(state.announcements.as_fd())?;
        if let Some((announcement, fds)) = received
            && let Some(listener) = fds.into_iter().next()
        {
            notify::prefer_synchronous(listener.as_fd());
            let fd = Arc::new(listener);
            state.listeners.push(Listener { fd, first: Some(announcement) });
        }
    }
    if state.tree.is_some() && fds[1].revents != 0 {
        any = true;
        state.refresh();
    }
    let ready: Vec<usize> =
        (first_listener..fds.len()).filter(|&at| fds[at].revents != 0).collect();
    let mut over = Vec::new();
    for at in ready {
        let index = at - first_listener;
        if fds[at].revents & libc::POLLIN == 0 {
            // Nobody is under this filter any more.
            over.push(index);
            continue;
        }
        any = true;
        handle(state, index);
    }
    for index in over.into_iter().rev() {
        state.listeners.remove(index);
    }
    end_followed(state);
    Ok(any)
}

/// Takes one stopped call, records it, and answers.
fn handle(state: &mut State, index: usize) {
    let Ok(Some(call)) = notify::receive(state.listeners[index].fd.as_fd()) else { return };
    state.refresh();
    let decision = decide(state, index, &call);
    notify::answer(state.listeners[index].fd.as_fd(), &call, decision);
}

fn decide(state: &mut State, index: usize, call: &Notification) -> Answer {
    let exec = matches!(call.call, libc::SYS_execve | libc::SYS_execveat);
    if state.one_program && !(exec && state.listeners[index].first.is_some()) {
        return state.denied(call);
    }
    match call.call {
        libc::SYS_execve | libc::SYS_execveat => {
            let first = state.listeners[index].first.take();
            let listener = Arc::clone(&state.listeners[index].fd);
            state.exec(listener.as_fd(), call, first);
            Answer::Continue
        }
        libc::SYS_socket | libc::SYS_connect | libc::SYS_bind | libc::SYS_sendto => {
            state.network(call)
        }
        libc::SYS_memfd_create => {
            state.anonymous_files = true;
            Answer::Continue
        }
        libc::SYS_mmap => {
            state.mapped(call);
            Answer::Continue
        }
        libc::SYS_kill
        | libc::SYS_tkill
        | libc::SYS_tgkill
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_rt_tgsigqueueinfo
        | libc::SYS_pidfd_send_signal
        | libc::SYS_setpriority
        | libc::SYS_ioprio_set
        | libc::SYS_sched_setaffinity
        | libc::SYS_sched_setscheduler
        | libc::SYS_sched_setparam
        | libc::SYS_sched_setattr
        | libc::SYS_prlimit64
        | libc::SYS_ptrace
        | libc::SYS_process_vm_readv
        | libc::SYS_process_vm_writev
        | libc::SYS_process_madvise
        | libc::SYS_pidfd_getfd
        | libc::SYS_kcmp => state.process(call),
        _ => state.denied(call),
    }
}

fn sample_cpu(state: &mut State) {
    for marked in &mut state.marked {
        let path = format!("/proc/{}/stat", marked.outside);
        if let Some(stat) = procfs::stat(path.as_ref()) {
            marked.cpu_millis = marked.cpu_millis.max(stat.cpu_ticks * TICK_MILLIS);
        }
    }
}

fn end_followed(state: &mut State) {
    if state.marked.is_empty() {
        return;
    }
    sample_cpu(state);
    let mut fds: Vec<_> =
        state.marked.iter().map(|one| fd::interest(one.ended.as_fd(), libc::POLLIN)).collect();
    if fd::poll(&mut fds, Some(Duration::ZERO)).is_err() {
        return;
    }
    for at in (0..fds.len()).rev().filter(|&at| fds[at].revents != 0) {
        let ended = state.marked.remove(at);
        state.refresh();
        state.push(EventKind::Exit { pid: ended.inside, cpu_millis: ended.cpu_millis });
    }
}

fn check_memory(state: &mut State) {
    if state.memory_limit || resident_bytes(state) <= state.resident_limit {
        return;
    }
    state.memory_limit = true;
    state.push(EventKind::Limit { limit: "resident".to_owned() });
    // Without its first process the sandbox is over, and with it what should be killed.
    let _ = state.assistant.kill_all();
}

/// Memory of all processes but the first, and of anonymous files they hold.
fn resident_bytes(state: &State) -> u64 {
    let mut seen = HashSet::new();
    let mut total = 0;
    for process in procfs::processes(&state.proc).iter().filter(|process| process.pid != 1) {
        let folder = state.proc.join(process.pid.to_string());
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        total += procfs::parse_resident(&status);
        if !state.anonymous_files {
            continue;
        }
        let fds = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        for fd in fds {
            let target = fs::read_link(fd.path()).unwrap_or_default();
            if target.to_string_lossy().starts_with("/memfd:")
                && let Ok(file) = fs::metadata(fd.path())
                && seen.insert((file.dev(), file.ino()))
            {
                total += file.blocks() * 512;
            }
        }
    }
    total
}

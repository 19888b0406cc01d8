//! Drives one command from outside: feeds its input, keeps its output, watches the clock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::linux::fd;
use crate::linux::wire::{self, Reply, Request};

/// How long a killed tree may take to disappear before the sandbox counts as broken.
const DEATH: Duration = Duration::from_secs(20);

/// Why a command was killed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Killed {
    Wall,
    Cancelled,
}

/// One direction of output: what is kept, and what was dropped.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) kept: Vec<u8>,
    pub(crate) dropped: u64,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Driven {
    /// Status as of waitpid(2).
    pub(crate) status: i32,
    pub(crate) killed: Option<Killed>,
    pub(crate) outputs: [Output; 2],
    pub(crate) wall: Duration,
    /// Read ends of output pipes that background processes still hold.
    pub(crate) left: Vec<OwnedFd>,
}

/// What a command is driven with.
pub(crate) struct Drive<'a> {
    pub(crate) control: BorrowedFd<'a>,
    /// Becomes readable when the caller cancels.
    pub(crate) cancel: BorrowedFd<'a>,
    pub(crate) stdin: &'a [u8],
    pub(crate) wall: Duration,
    pub(crate) output_bytes: usize,
    /// Output pipes of earlier commands, read and dropped so that background processes neither
    /// wait nor die.
    pub(crate) leftovers: &'a mut Vec<OwnedFd>,
    /// Called once when the command is about to be killed, and whenever output has arrived: `true`
    /// asks for the command to be killed (used by the probe, which never ends by itself).
    pub(crate) enough: &'a mut dyn FnMut(&[u8]) -> bool,
}

/// Output of one stream while the command runs.
struct Stream {
    pipe: Option<OwnedFd>,
    output: Output,
}

impl Stream {
    /// Takes what is there now. `false` when nothing has come yet, or ever will.
    fn take(&mut self, limit: usize, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        match fd::read_now(pipe.as_fd(), buffer) {
            Ok(Some(count)) if count > 0 => {
                let room = limit.saturating_sub(self.output.kept.len()).min(count);
                self.output.kept.extend_from_slice(&buffer[..room]);
                self.output.dropped += (count - room) as u64;
                true
            }
            Ok(None) => false,
            Ok(Some(_)) | Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { action, source }
}

/// The first process hung up.
fn gone() -> Error {
    Error::Broken("its first process is gone".to_owned())
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    fd::pipe().map_err(system("make a pipe"))
}

/// Our ends of the streams of a command that was asked for.
#[derive(Debug)]
pub(crate) struct Pipes {
    started: Instant,
    input: OwnedFd,
    outputs: [OwnedFd; 2],
}

impl Pipes {
    /// Sends the request with fresh streams and `more` descriptors.
    pub(crate) fn ask(
        control: BorrowedFd<'_>,
        request: &Request,
        more: &[BorrowedFd<'_>],
    ) -> Result<Pipes, Error> {
        let started = Instant::now();
        let ((input_end, input), (output, output_end), (errors, errors_end)) =
            (pipe()?, pipe()?, pipe()?);
        for ours in [&input, &output, &errors] {
            fd::set_nonblocking(ours.as_fd()).map_err(system("set up a pipe"))?;
        }
        let mut theirs = vec![input_end.as_fd(), output_end.as_fd(), errors_end.as_fd()];
        theirs.extend_from_slice(more);
        wire::send(control, request, &theirs).map_err(|_| gone())?;
        Ok(Pipes { started, input, outputs: [output, errors] })
    }
}

/// Waits until the command that was asked for exists, and gives what stands for its process.
pub(crate) fn await_start(control: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    match wire::receive::<Reply>(control) {
        Ok(Some((Reply::Started { .. }, fds))) => fds
            .into_iter()
            .next()
            .ok_or_else(|| Error::Broken("a command came without its process".to_owned())),
        Ok(Some((other, _))) => Err(Error::Broken(format!("unexpected answer {other:?}"))),
        Ok(None) | Err(_) => Err(gone()),
    }
}

impl Drive<'_> {
    /// Sends the request with fresh streams and stays until the command's process has ended.
    pub(crate) fn run(self, request: &Request) -> Result<Driven, Error> {
        let pipes = Pipes::ask(self.control, request, &[])?;
        self.follow(pipes)
    }

    /// Stays until the command's process has ended, which is killed at the wall limit from now.
    pub(crate) fn follow(self, pipes: Pipes) -> Result<Driven, Error> {
        let Pipes { started, input, outputs } = pipes;
        let mut streams =
            outputs.map(|pipe| Stream { pipe: Some(pipe), output: Output::default() });
        let mut input = Some(input);
        let mut written = 0;
        let mut buffer = vec![0; 64 * 1024];
        let mut deadline = Instant::now() + self.wall;
        let mut killed = None;
        let mut dying = false;
        let status = loop {
            if written == self.stdin.len() {
                input = None;
            }
            let timeout = deadline.saturating_duration_since(Instant::now());
            let ready = self.wait(input.as_ref(), &streams, timeout, dying)?;
            if ready.control
                && let Some(status) = self.ended()?
            {
                break status;
            }
            if ready.input
                && let Some(pipe) = &input
            {
                match fd::write_now(pipe.as_fd(), &self.stdin[written..]) {
                    Ok(count) => written += count,
                    Err(_) => input = None,
                }
            }
            for stream in &mut streams {
                stream.take(self.output_bytes, &mut buffer);
            }
            self.leftovers.retain(|pipe| {
                !matches!(fd::read_now(pipe.as_fd(), &mut buffer), Ok(Some(0)) | Err(_))
            });
            let over = Instant::now() >= deadline;
            if dying && over {
                return Err(Error::Broken("a killed command does not die".to_owned()));
            }
            let enough = !dying && (self.enough)(&streams[0].output.kept);
            if !dying && (over || ready.cancel || enough) {
                killed = Some(if over { Killed::Wall } else { Killed::Cancelled });
                wire::send(self.control, &Request::Kill, &[]).map_err(|_| gone())?;
                dying = true;
                deadline = Instant::now() + DEATH;
            }
        };
        for stream in &mut streams {
            // Bounded: a background process may write for ever.
            for _ in 0..1024 {
                if !stream.take(self.output_bytes, &mut buffer) {
                    break;
                }
            }
        }
        let wall = started.elapsed();
        let [first, second] = streams;
        let left = [first.pipe, second.pipe].into_iter().flatten().collect();
        Ok(Driven { status, killed, outputs: [first.output, second.output], wall, left })
    }

    fn wait(
        &self,
        input: Option<&OwnedFd>,
        streams: &[Stream; 2],
        timeout: Duration,
        dying: bool,
    ) -> Result<Ready, Error> {
        let mut fds = vec![fd::interest(self.control, libc::POLLIN)];
        // A cancelled command is dying; the signal stays readable and must not spin the loop.
        let cancel_at = (!dying).then(|| {
            fds.push(fd::interest(self.cancel, libc::POLLIN));
            fds.len() - 1
        });
        let input_at = input.map(|pipe| {
            fds.push(fd::interest(pipe.as_fd(), libc::POLLOUT));
            fds.len() - 1
        });
        let pipes = streams.iter().filter_map(|stream| stream.pipe.as_ref());
        for pipe in pipes.chain(self.leftovers.iter()) {
            fds.push(fd::interest(pipe.as_fd(), libc::POLLIN));
        }
        fd::poll(&mut fds, Some(timeout)).map_err(system("wait for a command"))?;
        let at = |index: Option<usize>| index.is_some_and(|index| fds[index].revents != 0);
        Ok(Ready { control: fds[0].revents != 0, cancel: at(cancel_at), input: at(input_at) })
    }

    /// The command's status, if this message tells it.
    fn ended(&self) -> Result<Option<i32>, Error> {
        match wire::receive::<Reply>(self.control) {
            Ok(Some((Reply::Ended { status }, _))) => Ok(Some(status)),
            Ok(Some((Reply::Started { .. }, _))) => Ok(None),
            Ok(Some((other, _))) => Err(Error::Broken(format!("unexpected answer {other:?}"))),
            Ok(None) | Err(_) => Err(gone()),
        }
    }
}

struct Ready {
    control: bool,
    cancel: bool,
    input: bool,
}

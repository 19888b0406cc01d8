//! The client inside: standard input and output, joined to the broker's socket.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::Error;

/// Joins stdin and stdout to the socket until either side is closed.
///
/// # Errors
/// When the socket cannot be reached.
pub fn run(socket: &Path) -> Result<(), Error> {
    let failed = |source| Error::io("connect to", socket, source);
    let stream = UnixStream::connect(socket).map_err(failed)?;
    let mut to_broker = stream.try_clone().map_err(failed)?;
    std::thread::spawn(move || {
        pump(std::io::stdin().lock(), &mut to_broker);
        let _ = to_broker.shutdown(Shutdown::Write);
    });
    // The broker closes the connection after `quit` or when it has read everything: only then is
    // everything that it said printed.
    pump(stream, &mut std::io::stdout().lock());
    Ok(())
}

/// Copies until the end, flushing every piece: a line that waits would be a deadlock.
fn pump(mut from: impl Read, to: &mut impl Write) {
    let mut buffer = [0_u8; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
}

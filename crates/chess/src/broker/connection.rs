//! One client of the broker: lines in, lines out, never waiting for a client that stalls.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::table::{Client, Table, lock};

/// Longest line read; a longer one is garbage and its rest is dropped.
const LONGEST_LINE: usize = 16 * 1024;
/// How often the stop flag is looked at.
const TICK: Duration = Duration::from_millis(50);
/// A client that does not take its answers for this long is dropped.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// Serves one client until it leaves, says `quit`, or the broker stops.
pub(super) fn serve(
    stream: &UnixStream,
    table: &Mutex<Table>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let (mut reader, mut writer) = (stream, stream);
    let mut client = Client::default();
    let mut pending: Vec<u8> = Vec::new();
    let mut overlong = false;
    let mut buffer = [0_u8; 4096];
    while !stop.load(Ordering::SeqCst) {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        for &byte in &buffer[..n] {
            if byte != b'\n' {
                overlong |= pending.len() >= LONGEST_LINE;
                if !overlong {
                    pending.push(byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&pending).trim().to_owned();
            pending.clear();
            if std::mem::take(&mut overlong) {
                lock(table).garbage(&line);
                continue;
            }
            if line == "quit" {
                return Ok(());
            }
            let Some(answer) = lock(table).answer(&mut client, &line) else { return Ok(()) };
            writer.write_all(answer.as_bytes())?;
        }
    }
    Ok(())
}

//! The arbiter of the `brokered` profile: engine and true game outside, a UCI proxy inside.
//!
//! The game script inside speaks UCI to what looks like an engine. It is a socket to this broker,
//! which owns the game: a position that does not follow from the true one by a legal move of the
//! agent is refused, rules are answered by ours, only White's replies are searched. An edit of the
//! files inside can therefore be proven, and cannot win.

mod connection;
pub mod proxy;
mod table;

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::Error;
use crate::evidence::BrokerAction;
use table::Table;

/// Clients served at once; more are closed at once, since an agent may open any number.
const MOST_CLIENTS: usize = 16;

/// The engine outside, and when it resigns.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Engine program on the host.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<&'static str>,
    /// UCI options.
    pub options: Vec<(String, String)>,
    /// Nodes per move.
    pub nodes: u64,
    /// It resigns below this evaluation, centipawns from White's side.
    pub resign_centipawns: i32,
}

/// A running broker; stopped when dropped.
#[derive(Debug)]
pub struct Broker {
    socket: PathBuf,
    table: Arc<Mutex<Table>>,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listens on `socket`, in a folder that is made reachable for the sandbox's other user.
    ///
    /// # Errors
    /// When the socket cannot be made. The engine is started at the first question.
    pub fn start(socket: &Path, config: BrokerConfig) -> Result<Self, Error> {
        let failed = |source| Error::io("listen on", socket, source);
        let listener = UnixListener::bind(socket).map_err(failed)?;
        if let Some(folder) = socket.parent() {
            set_mode(folder, 0o711).map_err(failed)?;
        }
        set_mode(socket, 0o666).map_err(failed)?;
        let table = Arc::new(Mutex::new(Table::new(config)));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (table, stop) = (Arc::clone(&table), Arc::clone(&stop));
            std::thread::spawn(move || listen(&listener, &table, &stop))
        };
        Ok(Self { socket: socket.to_owned(), table, stop, listener: Some(thread) })
    }

    /// What it did since the last call, in order.
    #[must_use]
    pub fn take_actions(&self) -> Vec<BrokerAction> {
        table::lock(&self.table).take_actions()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees the flag.
        let _ = UnixStream::connect(&self.socket);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn listen(listener: &UnixListener, table: &Arc<Mutex<Table>>, stop: &Arc<AtomicBool>) {
    let n_clients = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in listener.incoming() {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let stream = match client {
                Ok(stream) => stream,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Out of descriptors or the like: this client is lost, the next may not be.
                Err(_) => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    continue;
                }
            };
            if n_clients.fetch_add(1, Ordering::SeqCst) >= MOST_CLIENTS {
                n_clients.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let n_clients = Arc::clone(&n_clients);
            scope.spawn(move || {
                // A client that breaks its connection is gone; the game is not.
                let _ = connection::serve(&stream, table, stop);
                n_clients.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
}

#[cfg(test)]
mod tests;

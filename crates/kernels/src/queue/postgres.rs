//! A queue in a PostgreSQL database, for workers on other machines.
//!
//! The archive stays where the search is. It hands its open orders on ([`Relay`]), workers claim them
//! here ([`Queue`]), and the search takes the findings back into the archive, which completes an order
//! once however often it is told. What is in the database is work under way; it can be dropped when
//! no search runs.
//!
//! Whoever may write to the database is trusted with findings. The connection is not encrypted:
//! keep it on a network of one's own, or in a tunnel.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres::{Client, NoTls};

use super::{Queue, Relay};
use crate::Error;
use crate::archive::{Finding, Order};

/// Version 1 of the table, named so that another version does not meet it.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS tetrad_orders_1 (
    serial BIGSERIAL PRIMARY KEY, search TEXT NOT NULL, id BIGINT NOT NULL, body TEXT NOT NULL,
    worker TEXT, until TIMESTAMPTZ, finding TEXT, collected BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (search, id)
)";

/// A connection to the queue.
pub struct Postgres {
    client: Mutex<Client>,
    /// Findings handed out by the last [`Relay::collect`], which are in the archive by the next one.
    handed_out: Mutex<Vec<i64>>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects to `postgres://USER@HOST/DATABASE`, and makes the table where it is missing.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses.
    pub fn connect(url: &str) -> Result<Self, Error> {
        let mut client = Client::connect(url, NoTls).map_err(|error| failed(&error))?;
        // Of two that make it at once, one would be refused.
        client
            .batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock(7564); {TABLE}; COMMIT"))
            .map_err(|error| failed(&error))?;
        Ok(Self { client: Mutex::new(client), handed_out: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Client> {
        // A statement that a panic ended is the server's to roll back.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for Postgres {
    fn claim(&self, worker: &str, lease: Duration) -> Result<Option<Order>, Error> {
        let sql = "UPDATE tetrad_orders_1 SET worker = $1, until = now() + $2 * interval '1 second' \
                   WHERE serial = (SELECT serial FROM tetrad_orders_1 \
                     WHERE finding IS NULL AND (until IS NULL OR until < now()) \
                     ORDER BY serial FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING serial, body";
        let row = self
            .lock()
            .query_opt(sql, &[&worker, &lease.as_secs_f64()])
            .map_err(|error| failed(&error))?;
        row.map(|row| {
            let body: String = row.get(1);
            let order: Order = serde_json::from_str(&body).map_err(|error| failed(&error))?;
            // Archives number their orders alike; here an order goes by its serial number.
            Ok(Order { id: row.get(0), ..order })
        })
        .transpose()
    }

    fn extend(&self, order: i64, worker: &str, lease: Duration) -> Result<bool, Error> {
        let sql = "UPDATE tetrad_orders_1 SET until = now() + $3 * interval '1 second' \
                   WHERE serial = $1 AND worker = $2 AND finding IS NULL";
        let n = self.lock().execute(sql, &[&order, &worker, &lease.as_secs_f64()]);
        Ok(n.map_err(|error| failed(&error))? == 1)
    }

    fn give_back(&self, order: i64, worker: &str) -> Result<(), Error> {
        let sql = "UPDATE tetrad_orders_1 SET worker = NULL, until = NULL \
                   WHERE serial = $1 AND worker = $2 AND finding IS NULL";
        self.lock().execute(sql, &[&order, &worker]).map_err(|error| failed(&error))?;
        Ok(())
    }

    fn complete(&self, order: i64, _worker: &str, finding: &Finding) -> Result<bool, Error> {
        let sql = "UPDATE tetrad_orders_1 SET finding = $2 WHERE serial = $1 AND finding IS NULL";
        let body = serde_json::to_string(finding).map_err(|error| failed(&error))?;
        let n = self.lock().execute(sql, &[&order, &body]).map_err(|error| failed(&error))?;
        Ok(n == 1)
    }
}

impl Relay for Postgres {
    fn offer(&self, orders: &[Order]) -> Result<(), Error> {
        let sql = "INSERT INTO tetrad_orders_1 (search, id, body) VALUES ($1, $2, $3) \
                   ON CONFLICT (search, id) DO NOTHING";
        for order in orders {
            let body = serde_json::to_string(order).map_err(|error| failed(&error))?;
            self.lock()
                .execute(sql, &[&order.search, &order.id, &body])
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn collect(&self, search: &str) -> Result<Vec<(i64, Finding)>, Error> {
        let mut handed_out = self.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = self.lock();
        let done = "UPDATE tetrad_orders_1 SET collected = TRUE WHERE serial = ANY($1)";
        client.execute(done, &[&*handed_out]).map_err(|error| failed(&error))?;
        handed_out.clear();
        let sql = "SELECT serial, id, finding FROM tetrad_orders_1 \
                   WHERE search = $1 AND finding IS NOT NULL AND NOT collected ORDER BY serial";
        let mut findings = Vec::new();
        for row in client.query(sql, &[&search]).map_err(|error| failed(&error))? {
            let body: String = row.get(2);
            findings
                .push((row.get(1), serde_json::from_str(&body).map_err(|error| failed(&error))?));
            handed_out.push(row.get(0));
        }
        Ok(findings)
    }
}

fn failed(error: &(impl Display + std::error::Error)) -> Error {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::Tool { tool: "PostgreSQL".to_owned(), reason: format!("{error}{cause}") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::archive::Archive;
    use crate::evaluator::Evaluator;
    use crate::queue::{Bench, work};
    use crate::search::twin::Twin;
    use crate::search::{self, Budget, Deps, End, NoProgress, SearchConfig, Shape, Strategy};

    struct Twins;

    impl Bench for Twins {
        fn evaluator(&self, task: &str) -> Result<Arc<dyn Evaluator>, Error> {
            Ok(Arc::new(Twin::new(task.trim_start_matches("twin:"))))
        }
    }

    #[test]
    #[ignore = "needs: postgres (TETRAD_TEST_POSTGRES, the URL of an empty database)"]
    fn needs_postgres_workers_elsewhere_do_all_evaluations_of_a_search_once() {
        let url = std::env::var("TETRAD_TEST_POSTGRES").expect("the URL of a database");
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&folder.path().join("a.sqlite")).unwrap();
        let twin = Twin::new("hill");
        let task = twin.task();
        let relay = Postgres::connect(&url).unwrap();
        let cancel = AtomicBool::new(false);
        let deps = Deps {
            archive: &archive,
            task: &task,
            space: &twin,
            evaluator: Arc::new(twin.clone()),
            models: Vec::new(),
            cancel: &cancel,
            relay: Some(&relay),
        };
        let config = SearchConfig {
            task: task.name.clone(),
            strategy: Strategy::Evolve,
            seed: 1,
            shape: Shape { n_islands: 3, migrate_every: 12, recheck_every: 16 },
            proposers: vec!["builtin".to_owned()],
            budget: Budget { evaluations: 30, secs: None, tokens: None, usd: None },
            jobs: 0,
        };
        let key = format!("test {}", std::process::id());
        let done = AtomicBool::new(false);
        let lease = Duration::from_secs(30);
        // One who claims and dies: its order is open again at once.
        std::thread::scope(|scope| {
            let dead = scope.spawn(|| {
                let queue = Postgres::connect(&url).unwrap();
                loop {
                    if let Some(order) = queue.claim("dead", Duration::ZERO).unwrap() {
                        break order.id;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let search = scope.spawn(|| search::run(&config, &key, &deps, &NoProgress).unwrap());
            let lost = dead.join().unwrap();
            let workers = ["a", "b"].map(|name| {
                let (url, done) = (&url, &done);
                scope.spawn(move || {
                    let queue = Postgres::connect(url).unwrap();
                    work(&queue, &Twins, name, lease, None, done).unwrap().n_completed
                })
            });
            let summary = search.join().unwrap();
            done.store(true, Ordering::Relaxed);
            let n: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
            assert_eq!((summary.n_evaluated, summary.end), (30, End::Complete));
            assert_eq!(n, summary.n_evaluated + summary.n_reviews, "each order once");
            let queue = Postgres::connect(&url).unwrap();
            assert!(!queue.extend(lost, "dead", lease).unwrap());
            let found = archive.findings(1).unwrap().remove(0).finding;
            assert!(!queue.complete(lost, "dead", &found).unwrap(), "too late");
        });
    }
}

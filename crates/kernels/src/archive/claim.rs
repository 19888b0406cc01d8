//! Who is at work on what: orders are claimed for a while, and fall back when nobody extends.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::write::whole;
use super::{Archive, Finding, Kind, Order, now_millis};
use crate::Error;

impl Archive {
    /// Claims the oldest open order, of one search or of any, for `lease`. An order whose lease has
    /// run out is open again.
    ///
    /// # Errors
    /// When the file is damaged or the disk refuses.
    pub fn claim_of(
        &self,
        search: Option<&str>,
        worker: &str,
        lease: Duration,
    ) -> Result<Option<Order>, Error> {
        let now = now_millis();
        let until = now.saturating_add(whole(lease.as_millis() as u64));
        let claimed: Option<(i64, i64, String, String, String)> =
            self.write("claim order", |transaction| {
                let found = transaction
                    .prepare_cached(
                        "SELECT o.id, o.attempt, o.kind, a.search, s.task FROM orders o \
                         JOIN attempts a ON a.id = o.attempt JOIN searches s ON s.key = a.search \
                         LEFT JOIN findings f ON f.order_id = o.id \
                         LEFT JOIN claims c ON c.order_id = o.id \
                         WHERE f.id IS NULL AND (c.until IS NULL OR c.until < ?1) \
                           AND (?2 IS NULL OR a.search = ?2) ORDER BY o.id LIMIT 1",
                    )?
                    .query_row(params![now, search], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                    })
                    .optional()?;
                if let Some((order, ..)) = &found {
                    transaction.execute(
                        "INSERT OR REPLACE INTO claims VALUES (?1, ?2, ?3)",
                        params![order, worker, until],
                    )?;
                }
                Ok(found)
            })?;
        let Some((id, attempt, kind, search, task)) = claimed else { return Ok(None) };
        let kind = Kind::find(&kind)
            .ok_or_else(|| self.wrong("claim order", &format!("unknown order `{kind}`")))?;
        Ok(Some(Order { id, attempt, search, task, kind, proposal: self.proposal(attempt)? }))
    }

    /// Ends the claims of a search's own threads in an earlier sitting. Only who holds the search
    /// may call it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn release(&self, search: &str, worker_prefix: &str) -> Result<(), Error> {
        self.write("release claims", |transaction| {
            transaction.execute(
                "DELETE FROM claims WHERE substr(worker, 1, length(?2)) = ?2 AND order_id IN \
                 (SELECT o.id FROM orders o JOIN attempts a ON a.id = o.attempt \
                  WHERE a.search = ?1)",
                params![search, worker_prefix],
            )?;
            Ok(())
        })
    }

    /// Orders of a search that have no finding yet.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn n_open(&self, search: &str) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM orders o JOIN attempts a ON a.id = o.attempt \
                   LEFT JOIN findings f ON f.order_id = o.id \
                   WHERE a.search = ?1 AND f.id IS NULL";
        let n = self.number("count orders", sql, [search])?.unwrap_or(0);
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// Orders of a search that are open, for handing on to another queue.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn open_orders(&self, search: &str) -> Result<Vec<Order>, Error> {
        let sql = "SELECT o.id, o.attempt, o.kind, s.task FROM orders o \
                   JOIN attempts a ON a.id = o.attempt JOIN searches s ON s.key = a.search \
                   LEFT JOIN findings f ON f.order_id = o.id \
                   WHERE a.search = ?1 AND f.id IS NULL ORDER BY o.id";
        let rows = self.rows("list orders", sql, [search], |row| {
            let kind: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, kind, row.get::<_, String>(3)?))
        })?;
        rows.into_iter()
            .map(|(id, attempt, kind, task)| {
                let kind = Kind::find(&kind)
                    .ok_or_else(|| self.wrong("list orders", &format!("unknown order `{kind}`")))?;
                let proposal = self.proposal(attempt)?;
                Ok(Order { id, attempt, search: search.to_owned(), task, kind, proposal })
            })
            .collect()
    }
}

/// The queue that needs nothing but the archive's file: several processes of one machine.
impl crate::queue::Queue for Archive {
    fn claim(&self, worker: &str, lease: Duration) -> Result<Option<Order>, Error> {
        self.claim_of(None, worker, lease)
    }

    fn extend(&self, order: i64, worker: &str, lease: Duration) -> Result<bool, Error> {
        let until = now_millis().saturating_add(whole(lease.as_millis() as u64));
        self.write("extend claim", |transaction| {
            let n = transaction.execute(
                "UPDATE claims SET until = ?3 WHERE order_id = ?1 AND worker = ?2",
                params![order, worker, until],
            )?;
            Ok(n == 1)
        })
    }

    fn give_back(&self, order: i64, worker: &str) -> Result<(), Error> {
        self.write("give claim back", |transaction| {
            transaction.execute(
                "DELETE FROM claims WHERE order_id = ?1 AND worker = ?2",
                params![order, worker],
            )?;
            Ok(())
        })
    }

    fn complete(&self, order: i64, _worker: &str, finding: &Finding) -> Result<bool, Error> {
        self.record_finding(order, finding)
    }
}

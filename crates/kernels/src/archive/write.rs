//! What is added to the archive.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Archive, AttemptId, Finding, Kind, NewAttempt, SearchRecord, now_millis};
use crate::propose::{Operator, Spent};
use crate::{Candidate, Error};

impl Archive {
    /// Begins a search, or finds the one of this key. The one that was begun first counts.
    ///
    /// # Errors
    /// When the key belongs to a search with other settings or another task.
    pub fn begin(&self, search: &SearchRecord) -> Result<SearchRecord, Error> {
        self.write("begin search", |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO searches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    search.key,
                    search.task,
                    search.signature,
                    json(&search.operations),
                    json(&search.settings),
                    json(&search.adopted),
                    now_millis()
                ],
            )?;
            Ok(())
        })?;
        let begun = self.search(&search.key)?.expect("a search that was begun is there");
        if begun.task != search.task || begun.settings != search.settings {
            let reason = format!("search `{}` was begun with other settings", search.key);
            return Err(self.wrong("begin search", &reason));
        }
        Ok(begun)
    }

    /// Records an attempt and orders its evaluation, both or neither.
    ///
    /// # Errors
    /// When the search has an attempt of this number, or the disk refuses.
    pub fn propose(&self, attempt: &NewAttempt) -> Result<AttemptId, Error> {
        self.write("record attempt", |transaction| {
            let proposal = &attempt.proposal;
            let source = put_source(transaction, &proposal.candidate)?;
            transaction.execute(
                "INSERT INTO attempts (search, seq, island, proposer, operator, strength, parents,
                     source, genotype, fusion, parallel, memory, input_tokens, output_tokens, usd,
                     secs, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                params![
                    attempt.search,
                    whole(attempt.seq),
                    whole(attempt.island as u64),
                    attempt.proposer,
                    attempt.operator.name(),
                    whole(attempt.strength as u64),
                    json(&attempt.parents),
                    source,
                    proposal.genotype.as_ref().map(json),
                    proposal.descriptors.fusion,
                    proposal.descriptors.parallel,
                    proposal.descriptors.memory,
                    whole(attempt.spent.input_tokens),
                    whole(attempt.spent.output_tokens),
                    attempt.spent.usd,
                    attempt.spent.secs,
                    now_millis()
                ],
            )?;
            let id = transaction.last_insert_rowid();
            put_order(transaction, id, Kind::Evaluation, 0)?;
            Ok(id)
        })
    }

    /// Records a reply that gave no candidate.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_fruitless(
        &self,
        search: &str,
        seq: u64,
        proposer: &str,
        operator: Operator,
        problem: &str,
        spent: &Spent,
    ) -> Result<(), Error> {
        self.write("record reply", |transaction| {
            transaction.execute(
                "INSERT INTO fruitless (search, seq, proposer, operator, problem, input_tokens,
                     output_tokens, usd, secs, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    search,
                    whole(seq),
                    proposer,
                    operator.name(),
                    problem,
                    whole(spent.input_tokens),
                    whole(spent.output_tokens),
                    spent.usd,
                    spent.secs,
                    now_millis()
                ],
            )?;
            Ok(())
        })
    }

    /// Orders the `round`-th evaluation of a kind. Ordering the same twice orders it once.
    ///
    /// # Errors
    /// When there is no such attempt, or the disk refuses.
    pub fn order(&self, attempt: AttemptId, kind: Kind, round: u32) -> Result<(), Error> {
        self.write("order evaluation", |transaction| put_order(transaction, attempt, kind, round))
    }

    /// Completes an order. False when it was completed before: the first finding stays.
    ///
    /// # Errors
    /// When there is no such order, or the disk refuses.
    pub fn record_finding(&self, order: i64, finding: &Finding) -> Result<bool, Error> {
        self.write("record finding", |transaction| {
            let done: Option<i64> = transaction
                .query_row("SELECT id FROM findings WHERE order_id = ?1", [order], |row| row.get(0))
                .optional()?;
            if done.is_some() {
                return Ok(false);
            }
            let evaluation = &finding.evaluation;
            transaction.execute(
                "INSERT INTO findings (order_id, evaluation, level, reason, ratio, harness, worker,
                     wall_secs, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    order,
                    json(evaluation),
                    name_of(&evaluation.level),
                    evaluation.rejection.as_ref().map(|rejection| name_of(&rejection.reason)),
                    evaluation.timing.as_ref().map(|timing| timing.ratio),
                    finding.harness,
                    finding.worker,
                    finding.wall_secs,
                    now_millis()
                ],
            )?;
            transaction.execute("DELETE FROM claims WHERE order_id = ?1", [order])?;
            Ok(true)
        })
    }

    /// Begins a sitting of a search and returns its number.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sit_down(&self, search: &str) -> Result<i64, Error> {
        self.write("begin sitting", |transaction| {
            let now = now_millis();
            transaction.execute(
                "INSERT INTO sittings (search, began, last) VALUES (?1, ?2, ?2)",
                params![search, now],
            )?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Notes that a sitting still goes on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn still_sitting(&self, sitting: i64) -> Result<(), Error> {
        self.write("note sitting", |transaction| {
            transaction.execute(
                "UPDATE sittings SET last = max(last, ?2) WHERE id = ?1",
                params![sitting, now_millis()],
            )?;
            Ok(())
        })
    }

    /// One transaction that no other writer comes between.
    pub(super) fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Error> {
        let failed = |error: rusqlite::Error| self.error(action, &error);
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }
}

fn put_source(
    transaction: &Transaction<'_>,
    candidate: &Candidate,
) -> Result<String, rusqlite::Error> {
    let id = candidate.id();
    transaction.execute(
        "INSERT OR IGNORE INTO sources VALUES (?1, ?2, ?3, ?4)",
        params![id, name_of(&candidate.language), candidate.source, json(&candidate.flags)],
    )?;
    Ok(id)
}

fn put_order(
    transaction: &Transaction<'_>,
    attempt: AttemptId,
    kind: Kind,
    round: u32,
) -> Result<(), rusqlite::Error> {
    // Not `OR IGNORE`: that would also swallow an attempt that does not exist.
    transaction.execute(
        "INSERT INTO orders (attempt, kind, round, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (attempt, kind, round) DO NOTHING",
        params![attempt, kind.name(), round, now_millis()],
    )?;
    Ok(())
}

/// Plain data as JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data serializes")
}

/// The name that serde gives to a plain enum's value.
pub(super) fn name_of<T: serde::Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}

/// SQLite's integers have a sign.
pub(super) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

//! What is read back. Whatever does not fit its type is damage, and said to be.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::{
    Archive, AttemptId, AttemptRecord, Finding, FindingRecord, Fruitless, Kind, Known,
    SearchRecord, Seen,
};
use crate::propose::{Operator, Proposal, Spent};
use crate::space::{Descriptors, Genotype};
use crate::{Candidate, Error, Evaluation};

const ATTEMPT: &str = "SELECT id, search, seq, island, proposer, operator, strength, parents, \
    source, genotype IS NOT NULL, fusion, parallel, memory, input_tokens, output_tokens, usd, secs, \
    at FROM attempts";

impl Archive {
    /// Every search, in the order of their beginning.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn searches(&self) -> Result<Vec<SearchRecord>, Error> {
        self.rows("list searches", "SELECT * FROM searches ORDER BY at, key", [], search)
    }

    /// The search of this key.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn search(&self, key: &str) -> Result<Option<SearchRecord>, Error> {
        let sql = "SELECT * FROM searches WHERE key = ?1";
        Ok(self.rows("read search", sql, [key], search)?.pop())
    }

    /// Attempts of a search by their number in it.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn attempts(&self, search: &str) -> Result<Vec<AttemptRecord>, Error> {
        let sql = format!("{ATTEMPT} WHERE search = ?1 ORDER BY seq");
        self.rows("list attempts", &sql, [search], attempt)
    }

    /// Attempts of a search that came after this one, in the order in which they came.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn attempts_after(
        &self,
        search: &str,
        after: AttemptId,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let sql = format!("{ATTEMPT} WHERE search = ?1 AND id > ?2 ORDER BY id");
        self.rows("list attempts", &sql, params![search, after], attempt)
    }

    /// One attempt.
    ///
    /// # Errors
    /// When there is none of this number, or the file is damaged.
    pub fn attempt(&self, id: AttemptId) -> Result<AttemptRecord, Error> {
        let sql = format!("{ATTEMPT} WHERE id = ?1");
        let found = self.rows("read attempt", &sql, [id], attempt)?.pop();
        found.ok_or_else(|| self.wrong("read attempt", &format!("it has no attempt {id}")))
    }

    /// An attempt's text, schedule and kind; the text is held against its hash.
    ///
    /// # Errors
    /// When there is none of this number, or the file is damaged.
    pub fn proposal(&self, id: AttemptId) -> Result<Proposal, Error> {
        let sql = "SELECT language, s.source, flags, genotype, fusion, parallel, memory, s.id \
                   FROM attempts a JOIN sources s ON s.id = a.source WHERE a.id = ?1";
        let found = self.rows("read attempt", sql, [id], |row| {
            let candidate =
                Candidate { language: named(row, 0)?, source: row.get(1)?, flags: parsed(row, 2)? };
            let genotype: Option<Genotype> = match row.get::<_, Option<String>>(3)? {
                Some(_) => Some(parsed(row, 3)?),
                None => None,
            };
            let descriptors = descriptors(row, 4)?;
            Ok((Proposal { candidate, genotype, descriptors }, row.get::<_, String>(7)?))
        })?;
        let (proposal, hash) = found
            .into_iter()
            .next()
            .ok_or_else(|| self.wrong("read attempt", &format!("it has no attempt {id}")))?;
        if proposal.candidate.id() != hash {
            return Err(self.wrong("read attempt", &format!("source {hash} has another hash")));
        }
        Ok(proposal)
    }

    /// Findings about an attempt, oldest first.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn findings(&self, attempt: AttemptId) -> Result<Vec<FindingRecord>, Error> {
        let sql = "SELECT kind, round, evaluation, harness, worker, wall_secs, f.at \
                   FROM findings f JOIN orders o ON o.id = f.order_id \
                   WHERE o.attempt = ?1 ORDER BY f.id";
        self.rows("read findings", sql, [attempt], |row| {
            Ok(FindingRecord {
                kind: kind(row, 0)?,
                round: row.get(1)?,
                finding: Finding {
                    evaluation: parsed(row, 2)?,
                    harness: row.get(3)?,
                    worker: row.get(4)?,
                    wall_secs: row.get(5)?,
                },
                at_millis: row.get(6)?,
            })
        })
    }

    /// What became known about a search's attempts after finding `after`, in that order.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn seen_after(&self, search: &str, after: i64) -> Result<Vec<Seen>, Error> {
        let sql = "SELECT f.id, o.attempt, o.kind, f.harness, f.evaluation, f.wall_secs, f.at \
                   FROM findings f JOIN orders o ON o.id = f.order_id \
                   JOIN attempts a ON a.id = o.attempt WHERE a.search = ?1 AND f.id > ?2 \
                   ORDER BY f.id";
        self.rows("read findings", sql, params![search, after], |row| {
            let evaluation: Evaluation = parsed(row, 4)?;
            Ok(Seen {
                id: row.get(0)?,
                attempt: row.get(1)?,
                kind: kind(row, 2)?,
                harness: row.get(3)?,
                level: evaluation.level,
                rejection: evaluation.rejection,
                ratio: evaluation.timing.map(|timing| timing.ratio),
                wall_secs: row.get(5)?,
                at_millis: row.get(6)?,
            })
        })
    }

    /// Replies that gave no candidate.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn fruitless(&self, search: &str) -> Result<Vec<Fruitless>, Error> {
        let sql = "SELECT seq, proposer, operator, problem, input_tokens, output_tokens, usd, secs \
                   FROM fruitless WHERE search = ?1 ORDER BY id";
        self.rows("list replies", sql, [search], |row| {
            Ok(Fruitless {
                seq: count(row, 0)?,
                proposer: row.get(1)?,
                operator: operator(row, 2)?,
                problem: row.get(3)?,
                spent: spent(row, 4)?,
            })
        })
    }

    /// Version of the judge that found out the latest about a search.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn harness_of(&self, search: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT f.harness FROM findings f JOIN orders o ON o.id = f.order_id \
                   JOIN attempts a ON a.id = o.attempt WHERE a.search = ?1 \
                   ORDER BY f.id DESC LIMIT 1";
        Ok(self.rows("read findings", sql, [search], |row| row.get(0))?.pop())
    }

    /// Seconds that a search has gone on for, over all its sittings.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn elapsed_secs(&self, search: &str) -> Result<f64, Error> {
        let sql = "SELECT sum(last - began) FROM sittings WHERE search = ?1";
        let millis =
            self.rows("read sittings", sql, [search], |row| row.get::<_, Option<i64>>(0))?;
        Ok(millis.into_iter().flatten().sum::<i64>() as f64 / 1e3)
    }

    /// The best schedules of other tasks, best first and one a task: those of tasks with this
    /// signature, then those of tasks that share at least half of the operations. A schedule counts
    /// when the judge of version `harness` has verified it and nothing was found against it since.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn known(
        &self,
        task: &str,
        signature: &str,
        operations: &[String],
        harness: &str,
        n_most: usize,
    ) -> Result<Vec<Known>, Error> {
        let sql = "SELECT a.id, s.task, a.genotype, s.signature, s.operations, f.ratio \
                   FROM attempts a JOIN searches s ON s.key = a.search \
                   JOIN orders o ON o.attempt = a.id JOIN findings f ON f.order_id = o.id \
                   WHERE s.task <> ?2 AND a.genotype IS NOT NULL AND f.level = 'verified' \
                     AND f.harness = ?1 AND f.reason IS NULL AND f.ratio > 0 \
                     AND NOT EXISTS (SELECT 1 FROM attempts b JOIN orders p ON p.attempt = b.id \
                       JOIN findings g ON g.order_id = p.id \
                       WHERE b.source = a.source AND g.reason IS NOT NULL) \
                   ORDER BY a.id, f.id";
        let verified = self.rows("look for schedules", sql, params![harness, task], |row| {
            let known = Known {
                attempt: row.get(0)?,
                task: row.get(1)?,
                genotype: parsed(row, 2)?,
                ratio: row.get(5)?,
            };
            Ok((known, row.get::<_, String>(3)? == signature, parsed::<Vec<String>>(row, 4)?))
        })?;
        // Several measurements of one attempt count as their geometric mean.
        let mut all: Vec<(Known, bool, Vec<String>)> = Vec::new();
        for same in verified.chunk_by(|one, other| one.0.attempt == other.0.attempt) {
            let sum: f64 = same.iter().map(|(known, ..)| known.ratio.ln()).sum();
            let (known, has_signature, others) = same[0].clone();
            let known = Known { ratio: (sum / same.len() as f64).exp(), ..known };
            all.push((known, has_signature, others));
        }
        all.sort_by(|one, other| other.0.ratio.total_cmp(&one.0.ratio));
        let mut tasks = std::collections::BTreeSet::new();
        let (mut same, mut similar) = (Vec::new(), Vec::new());
        for (known, has_signature, others) in all {
            if !has_signature && !is_similar(operations, &others) {
                continue;
            }
            if tasks.insert(known.task.clone()) {
                if has_signature { &mut same } else { &mut similar }.push(known);
            }
        }
        same.append(&mut similar);
        same.truncate(n_most);
        Ok(same)
    }

    /// Attempts that a judge of another version verified, that today's has not looked at, and that
    /// nothing was found against: what has to be verified again before it is given out.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn to_verify_again(&self, harness: &str) -> Result<Vec<AttemptId>, Error> {
        let sql = "SELECT o.attempt FROM orders o JOIN findings f ON f.order_id = o.id \
                   GROUP BY o.attempt \
                   HAVING sum(f.level = 'verified' AND f.harness <> ?1) > 0 \
                     AND sum(f.reason IS NOT NULL) = 0 AND sum(f.harness = ?1) = 0 \
                   ORDER BY o.attempt";
        self.rows("look for old verifications", sql, [harness], |row| row.get(0))
    }

    pub(super) fn rows<T>(
        &self,
        action: &'static str,
        sql: &str,
        given: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, Error> {
        let connection = self.lock();
        let read_all = || -> Result<Vec<T>, rusqlite::Error> {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(given, read)?.collect()
        };
        read_all().map_err(|error| self.error(action, &error))
    }

    /// One number, where there is one.
    pub(super) fn number(
        &self,
        action: &'static str,
        sql: &str,
        given: impl rusqlite::Params,
    ) -> Result<Option<i64>, Error> {
        let found = self.lock().query_row(sql, given, |row| row.get(0)).optional();
        found.map_err(|error| self.error(action, &error))
    }
}

/// Half of the operations of both together.
fn is_similar(one: &[String], other: &[String]) -> bool {
    let n_shared = one.iter().filter(|op| other.contains(op)).count();
    n_shared > 0 && 2 * n_shared >= one.len() + other.len() - n_shared
}

fn search(row: &Row<'_>) -> Result<SearchRecord, rusqlite::Error> {
    Ok(SearchRecord {
        key: row.get(0)?,
        task: row.get(1)?,
        signature: row.get(2)?,
        operations: parsed(row, 3)?,
        settings: parsed(row, 4)?,
        adopted: parsed(row, 5)?,
    })
}

fn attempt(row: &Row<'_>) -> Result<AttemptRecord, rusqlite::Error> {
    Ok(AttemptRecord {
        id: row.get(0)?,
        search: row.get(1)?,
        seq: count(row, 2)?,
        island: usize::try_from(count(row, 3)?).unwrap_or(usize::MAX),
        proposer: row.get(4)?,
        operator: operator(row, 5)?,
        strength: usize::try_from(count(row, 6)?).unwrap_or(usize::MAX),
        parents: parsed(row, 7)?,
        candidate: row.get(8)?,
        has_genotype: row.get(9)?,
        descriptors: descriptors(row, 10)?,
        spent: spent(row, 13)?,
        at_millis: row.get(17)?,
    })
}

fn spent(row: &Row<'_>, at: usize) -> Result<Spent, rusqlite::Error> {
    Ok(Spent {
        input_tokens: count(row, at)?,
        output_tokens: count(row, at + 1)?,
        usd: row.get(at + 2)?,
        secs: row.get(at + 3)?,
    })
}

fn descriptors(row: &Row<'_>, at: usize) -> Result<Descriptors, rusqlite::Error> {
    Ok(Descriptors { fusion: row.get(at)?, parallel: row.get(at + 1)?, memory: row.get(at + 2)? })
}

fn operator(row: &Row<'_>, at: usize) -> Result<Operator, rusqlite::Error> {
    let name: String = row.get(at)?;
    Operator::find(&name).ok_or_else(|| damage(at, format!("unknown operator `{name}`")))
}

fn kind(row: &Row<'_>, at: usize) -> Result<Kind, rusqlite::Error> {
    let name: String = row.get(at)?;
    Kind::find(&name).ok_or_else(|| damage(at, format!("unknown order `{name}`")))
}

fn count(row: &Row<'_>, at: usize) -> Result<u64, rusqlite::Error> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| damage(at, format!("{value} is no count")))
}

/// A column of JSON.
fn parsed<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T, rusqlite::Error> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| damage(at, error.to_string()))
}

/// A column with the name of a plain enum's value.
fn named<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T, rusqlite::Error> {
    let text: String = row.get(at)?;
    serde_json::from_value(text.into()).map_err(|error| damage(at, error.to_string()))
}

fn damage(at: usize, reason: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, reason.into())
}

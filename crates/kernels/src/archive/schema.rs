//! Tables of the archive.

/// Version of the tables. History: 1, the first.
pub const FORMAT: i32 = 1;

/// Marks the file as an archive of kernels (`PRAGMA application_id`): `tkrn`.
pub(super) const APPLICATION_ID: i32 = 0x746b_726e;

/// `claims` says who is at work on what and `sittings` since when; only their rows change. All other
/// tables only grow, and triggers hold that against any later code.
pub(super) const TABLES: &str = "
CREATE TABLE sources (
    id TEXT PRIMARY KEY, language TEXT NOT NULL, source TEXT NOT NULL, flags TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE searches (
    key TEXT PRIMARY KEY, task TEXT NOT NULL, signature TEXT NOT NULL, operations TEXT NOT NULL,
    settings TEXT NOT NULL, adopted TEXT NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    search TEXT NOT NULL REFERENCES searches(key), seq INTEGER NOT NULL, island INTEGER NOT NULL,
    proposer TEXT NOT NULL, operator TEXT NOT NULL, strength INTEGER NOT NULL,
    parents TEXT NOT NULL, source TEXT NOT NULL REFERENCES sources(id), genotype TEXT,
    fusion TEXT NOT NULL, parallel TEXT NOT NULL, memory TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, usd REAL, secs REAL NOT NULL,
    at INTEGER NOT NULL, UNIQUE (search, seq)
) STRICT;
CREATE TABLE fruitless (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    search TEXT NOT NULL REFERENCES searches(key), seq INTEGER NOT NULL,
    proposer TEXT NOT NULL, operator TEXT NOT NULL, problem TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, usd REAL, secs REAL NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL REFERENCES attempts(id),
    kind TEXT NOT NULL, round INTEGER NOT NULL, at INTEGER NOT NULL, UNIQUE (attempt, kind, round)
) STRICT;
CREATE TABLE claims (
    order_id INTEGER PRIMARY KEY REFERENCES orders(id), worker TEXT NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE TABLE findings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL UNIQUE REFERENCES orders(id),
    evaluation TEXT NOT NULL, level TEXT NOT NULL, reason TEXT, ratio REAL,
    harness TEXT NOT NULL, worker TEXT NOT NULL, wall_secs REAL NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE sittings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, search TEXT NOT NULL REFERENCES searches(key),
    began INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_source ON attempts (source);
CREATE INDEX searches_by_signature ON searches (signature);
";

/// Tables that only grow.
pub(super) const GROWING: [&str; 6] =
    ["sources", "searches", "attempts", "fruitless", "orders", "findings"];

/// The trigger that refuses one way of changing a row of `table`.
pub(super) fn guard(table: &str, change: &str) -> String {
    format!(
        "CREATE TRIGGER {table}_no_{change} BEFORE {change} ON {table} \
         BEGIN SELECT RAISE(ABORT, 'the archive only grows'); END;"
    )
}

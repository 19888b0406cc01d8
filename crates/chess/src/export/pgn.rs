//! PGN of the true game, by the ledger.

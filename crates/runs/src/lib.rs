//! Run directories, event logs, statistics and reports.

//! The one binary: arguments in, one call, exit code out.

fn main() {}

//! The zoo: every cheat turned away for its own reason, every honest kernel accepted.

use kernels::zoo;

use crate::common::options;

#[test]
fn every_cheat_is_turned_away_and_no_honest_kernel_is() {
    let only = std::env::var("TETRAD_ZOO").unwrap_or_default();
    let table = zoo::examine(options(), |animal| only.is_empty() || animal.class == only, |_| {})
        .unwrap_or_else(|error| panic!("{error}"));
    let complaints = table.complaints();
    assert!(complaints.is_empty(), "{}\n{table}", complaints.join("\n"));
    assert!(!table.cheats.is_empty() || !table.honest.is_empty());
    println!("{table}");
}

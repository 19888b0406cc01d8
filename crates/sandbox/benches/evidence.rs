//! What recording costs: the same commands in two sandboxes that differ only in [`Evidence`], run
//! in turns so that a busy machine disturbs both alike.
//!
//! Prints, for each command, the number of pairs, both medians, and the median of the paired
//! differences and ratios with a 95 % bootstrap interval.

#![expect(clippy::print_stdout, reason = "printing is what a bench is for")]

use std::time::{Duration, Instant};

use sandbox::outcome::Command;
use sandbox::{Ending, Evidence, Launcher, Policy, Sandbox};

/// Pairs per command, after [`WARM_UP`] pairs that are not counted.
const PAIRS: usize = 30;
const WARM_UP: usize = 3;

/// Resamples of the bootstrap, and its seed.
const RESAMPLES: usize = 2000;
const SEED: u64 = 7;

const CASES: [(&str, &str); 3] = [
    ("one command", "exec /bin/true"),
    ("fork-heavy: 500 x /bin/true", "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done"),
    (
        "file-heavy: 500 x write",
        "i=0; while [ $i -lt 500 ]; do echo $i > f$i; i=$((i+1)); done; rm f*",
    ),
];

fn main() {
    sandbox::launch_if_requested();
    let mut with = start(Evidence::On);
    let mut without = start(Evidence::Off);
    println!("evidence: cost of recording, {PAIRS} pairs each, bootstrap seed {SEED}");
    for (name, script) in CASES {
        let mut pairs = Vec::new();
        for round in 0..PAIRS + WARM_UP {
            // Who goes first alternates, so that neither profits from the other's warm caches.
            let (on, off) = if round % 2 == 0 {
                let on = time(&mut with, script, Evidence::On);
                (on, time(&mut without, script, Evidence::Off))
            } else {
                let off = time(&mut without, script, Evidence::Off);
                (time(&mut with, script, Evidence::On), off)
            };
            if round >= WARM_UP {
                pairs.push((on, off));
            }
        }
        report(name, &pairs);
    }
}

fn start(evidence: Evidence) -> Sandbox {
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    let mut policy = Policy::system(env);
    policy.watch.env = vec!["PATH".to_owned(), "LD_PRELOAD".to_owned()];
    let launcher = Launcher::this_program();
    Sandbox::start_with(policy, &launcher, evidence).expect("a sandbox on this machine")
}

/// Milliseconds until the command's outcome and, where there is any, its evidence is in the hands of
/// the harness.
fn time(sandbox: &mut Sandbox, script: &str, evidence: Evidence) -> f64 {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    let wall = Some(Duration::from_secs(60));
    let command = Command { argv, cwd: None, stdin: Vec::new(), wall };
    let began = Instant::now();
    let outcome = sandbox.run(&command).expect("the sandbox works");
    if evidence == Evidence::On {
        sandbox.take_events();
        sandbox.manifest().expect("the sandbox works");
    }
    let millis = began.elapsed().as_secs_f64() * 1e3;
    assert_eq!(outcome.ending, Ending::Exited { code: 0 }, "{script}");
    millis
}

fn report(name: &str, pairs: &[(f64, f64)]) {
    let on: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    let off: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let differences: Vec<f64> = pairs.iter().map(|pair| pair.0 - pair.1).collect();
    let ratios: Vec<f64> = pairs.iter().map(|pair| pair.0 / pair.1).collect();
    let (low, high) = interval(&differences);
    let (ratio_low, ratio_high) = interval(&ratios);
    println!("{name}: n {}", pairs.len());
    println!("  median with {:.2} ms, without {:.2} ms", median(&on), median(&off));
    println!("  difference {:.2} ms, 95 % [{low:.2}, {high:.2}]", median(&differences));
    println!("  ratio {:.3}, 95 % [{ratio_low:.3}, {ratio_high:.3}]", median(&ratios));
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// Bootstrap interval of the median.
fn interval(samples: &[f64]) -> (f64, f64) {
    let mut state = SEED;
    let mut next = || {
        // Numbers of Steele, Lea and Flood's SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<f64> =
                samples.iter().map(|_| samples[(next() % samples.len() as u64) as usize]).collect();
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    (medians[RESAMPLES / 40], medians[RESAMPLES - 1 - RESAMPLES / 40])
}

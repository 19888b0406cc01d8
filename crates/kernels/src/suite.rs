//! Tasks that come with the program: common operations of networks, and the hot ones of `nn`, at
//! sizes for a CPU.
//!
//! They are written in terms of core-ATen operations like imported ones, so that the same
//! interpreter and the same lowering serve both. Each has a variant at odd sizes.

mod build;
mod models;
mod networks;

use crate::graph::Graph;
use crate::task::{FORMAT, Generator, Origin, Policy, Task};
use build::Build;

/// Every bundled task.
#[must_use]
pub fn tasks() -> Vec<Task> {
    networks::tasks().into_iter().chain(models::tasks()).collect()
}

/// The bundled task of a name.
#[must_use]
pub fn find(name: &str) -> Option<Task> {
    tasks().into_iter().find(|task| task.name == name)
}

/// A task from its graph at given sizes, at those it is timed at and at odd ones.
fn task(
    name: &str,
    summary: &str,
    product_bound: bool,
    sizes: &[usize],
    odd: &[usize],
    graph: impl Fn(&mut Build, &[usize]),
) -> Task {
    let made = |sizes: &[usize]| {
        let mut build = Build::default();
        graph(&mut build, sizes);
        build.done()
    };
    let (graph, generators): (Graph, std::collections::BTreeMap<String, Generator>) = made(sizes);
    Task {
        format: FORMAT,
        name: name.to_owned(),
        summary: summary.to_owned(),
        origin: Origin { source: "tetrad".to_owned(), licence: "MIT OR Apache-2.0".to_owned() },
        graph,
        generators,
        policy: Policy { product_bound, ..Policy::default() },
        variants: vec![made(odd).0],
        stored: Default::default(),
    }
}

#[cfg(test)]
mod tests;

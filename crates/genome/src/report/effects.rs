//! The page of kinds of mutation.

use std::collections::BTreeMap;

use runs::html::{Cell, Tone};

use super::plot::{self, Bar};
use super::{Facts, page, signed, whose};
use crate::effects::{Order, Summary};

/// From this probability on, or below its complement, an order is called settled.
const SETTLED: f64 = 0.975;

/// Of fewer genes nothing is said: the bootstrap is too sure of them.
const FEWEST: usize = 10;

/// What a sample says of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    TooFew,
    AsExpected,
    Opposite,
    Open,
}

impl Verdict {
    fn of(order: &Order) -> Verdict {
        match order.probability {
            _ if order.difference.n < FEWEST => Verdict::TooFew,
            sure if sure >= SETTLED => Verdict::AsExpected,
            unlikely if unlikely <= 1.0 - SETTLED => Verdict::Opposite,
            _ => Verdict::Open,
        }
    }

    fn badge(self) -> Cell {
        match self {
            Verdict::TooFew => Cell::badge("too few genes", Tone::Neutral),
            Verdict::AsExpected => Cell::badge("as expected", Tone::Good),
            Verdict::Opposite => Cell::badge("the other way round", Tone::Bad),
            Verdict::Open => Cell::badge("not settled", Tone::Neutral),
        }
    }
}

/// Renders the page. `n_left_out` says how many coding sequences could not be used, and why.
pub fn effects(summary: &Summary, facts: &Facts, n_left_out: &BTreeMap<&str, usize>) -> String {
    let mut page = page("What kinds of mutation do", lead(summary), facts);
    page.section("Effects by kind").paragraph(
        "All kinds but the intergenic one are made in the same codons: a codon is drawn that has a \
         synonymous, a missense and a nonsense neighbor. Windows with and without hold equally many \
         bases; below zero, the mutation makes the sequence less likely.",
    );
    let mut weights: Vec<&str> = summary.kinds.iter().map(|one| one.weights.as_str()).collect();
    weights.dedup();
    let bars: Vec<Bar> = summary
        .kinds
        .iter()
        .map(|one| {
            let name = match weights.len() {
                1 => one.kind.name().to_owned(),
                _ => format!("{}: {}", whose(&one.weights), one.kind.name()),
            };
            let series = weights.iter().position(|known| *known == one.weights).unwrap_or(0);
            Bar { name, series, mean: one.delta }
        })
        .collect();
    page.figure(
        plot::means("Mean delta log-likelihood by kind of mutation", &bars),
        "Mean over genes with its 95 % bootstrap interval.",
    );
    page.table(
        ["weights", "mutation", "delta log-likelihood, nats", "genes", "mutations"],
        summary.kinds.iter().map(|one| {
            vec![
                Cell::text(whose(&one.weights)),
                Cell::text(one.kind.name()),
                Cell::number(signed(&one.delta.short())),
                Cell::number(one.delta.n),
                Cell::number(one.n_mutations),
            ]
        }),
    );
    page.section("Order").paragraph(
        "The milder less the worse kind, within genes. The probability is the share of 2000 resamples \
         of genes in which the mean difference is above zero, as a model that knows genes would have it.",
    );
    page.table(
        ["weights", "milder", "worse", "difference, nats", "n", "probability", ""],
        summary.orders.iter().map(order),
    );
    if weights.len() < 2 {
        page.note(
            Tone::Warn,
            "No control was asked for: `--control random` adds a model with random weights.",
        );
    }
    if !n_left_out.is_empty() {
        page.section("Coding sequences left out");
        page.table(
            ["why", "n"],
            n_left_out.iter().map(|(reason, n)| vec![Cell::text(*reason), Cell::number(*n)]),
        );
    }
    page.footer(
        "Codons of one gene are averaged before anything else, so n counts genes. A deletion differs \
         from a substitution in more than its meaning: it shifts all bases after it, which a model may \
         mind or not.",
    );
    page.render()
}

fn lead(summary: &Summary) -> String {
    let of_model: Vec<&Order> =
        summary.orders.iter().filter(|one| one.weights == "model").collect();
    if of_model.is_empty() {
        return "Nothing to compare yet.".to_owned();
    }
    let n = |wanted| of_model.iter().filter(|one| Verdict::of(one) == wanted).count();
    format!(
        "Of {} comparisons between milder and worse kinds of mutation, {} come out as expected of a \
         model that knows genes, {} the other way round; this sample does not settle {}.",
        of_model.len(),
        n(Verdict::AsExpected),
        n(Verdict::Opposite),
        n(Verdict::Open) + n(Verdict::TooFew)
    )
}

fn order(one: &Order) -> Vec<Cell> {
    vec![
        Cell::text(whose(&one.weights)),
        Cell::text(one.milder.name()),
        Cell::text(one.worse.name()),
        Cell::number(signed(&one.difference.short())),
        Cell::number(one.difference.n),
        Cell::number(format!("{:.3}", one.probability)),
        Verdict::of(one).badge(),
    ]
}

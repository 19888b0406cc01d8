//! The page of a mutation-effect profile.

use std::collections::BTreeMap;

use runs::html::{Cell, Tone};

use super::plot::{self, Line, Region};
use super::{Facts, page, signed, whose};
use crate::mean::digits;
use crate::profile::{Curve, SiteKind, Statistic, Summary};

/// Renders the page. `n_left_out` says how many coding sequences could not be used, and why.
pub fn profile(summary: &Summary, facts: &Facts, n_left_out: &BTreeMap<&str, usize>) -> String {
    let mut page = page("Mutations around start and stop codons", lead(summary), facts);
    let tiles = summary.statistics.iter().filter(|one| one.weights == "model");
    page.tiles(tiles.filter(|one| one.site != SiteKind::Elsewhere).map(|one| {
        let rests = match one.difference.interval {
            Some(i) => format!("[{}, {}], n = {}", digits(i.low), digits(i.high), one.difference.n),
            None => format!("n = {}: too few for an interval", one.difference.n),
        };
        let value = Cell::number(format!("{} nats", signed(&digits(one.difference.mean))));
        let name = match one.name {
            "three-base period" => format!("{}, {} side", one.name, one.site.name()),
            name => name.to_owned(),
        };
        (name, value, signed(&format!("{}: {rests}", one.compared)))
    }));
    page.section("Profiles").paragraph(
        "Each base is replaced by others, and a window is scored with and without: below zero, the \
         mutation makes the sequence less likely. Bands are 95 % bootstrap intervals of the mean over \
         sites. Both plots share one scale.",
    );
    let all = lines(summary, |_| true);
    let bounds = plot::bounds_of(all.iter());
    page.columns(|page| {
        for (site, x_label, regions) in [
            (SiteKind::Start, "position from the start codon's first base", start_regions()),
            (SiteKind::Stop, "position from the stop codon's first base", stop_regions()),
        ] {
            let lines =
                lines(summary, |curve| curve.site == site || curve.site == SiteKind::Elsewhere);
            let title = format!("Delta log-likelihood around {} codons", site.name());
            let n = summary.curves.iter().find(|curve| curve.site == site);
            let n = n.and_then(|curve| curve.points.first()).map_or(0, |point| point.delta.n);
            let caption = format!("{} codons, n = {n} genes.", capital(site.name()));
            page.figure(plot::profile(&title, x_label, &lines, &regions, bounds), caption);
        }
    });
    page.section("What it shows").paragraph(
        "Differences within sites, averaged over sites, in nats. A codon that matters is below zero; a \
         third base that matters less than the first two is above zero: the three-base period of coding \
         sequence.",
    );
    page.table(
        ["weights", "around", "what", "positions compared", "difference, nats", "n"],
        summary.statistics.iter().map(row),
    );
    let controls = summary.curves.iter().any(|curve| curve.weights != "model")
        || summary.curves.iter().any(|curve| curve.site == SiteKind::Elsewhere);
    if !controls {
        page.note(
            Tone::Warn,
            "No control was asked for: `--control elsewhere,random` adds places anywhere in the genome \
             and a model with random weights.",
        );
    }
    page.section("Every position").details("Means, intervals and n as a table", |page| {
        page.table(
            ["weights", "around", "position", "delta, nats", "n"],
            summary.curves.iter().flat_map(|curve| {
                curve.points.iter().map(|point| {
                    vec![
                        Cell::text(whose(&curve.weights)),
                        Cell::text(curve.site.name()),
                        Cell::number(signed(&point.position.to_string())),
                        Cell::number(signed(&point.delta.short())),
                        Cell::number(point.delta.n),
                    ]
                })
            }),
        );
    });
    if !n_left_out.is_empty() {
        page.section("Coding sequences left out");
        page.table(
            ["why", "n"],
            n_left_out.iter().map(|(reason, n)| vec![Cell::text(*reason), Cell::number(*n)]),
        );
    }
    page.footer(
        "Genes of one genome are no independent samples of all genes: intervals say how well this \
         genome's mean is known, not how far it carries to others. A window sees one strand only.",
    );
    page.render()
}

fn lead(summary: &Summary) -> String {
    let of = |site: SiteKind| {
        let found = |one: &&Statistic| one.weights == "model" && one.site == site;
        summary.statistics.iter().find(found).map(|one| one.difference)
    };
    let told = |site: SiteKind| match of(site) {
        Some(dip) => {
            let verdict = match dip.interval {
                Some(interval) if interval.high < 0.0 => "a dip",
                Some(interval) if interval.low > 0.0 => "the opposite of a dip",
                Some(_) => "no dip that this sample can tell from none",
                None => "too few to say",
            };
            format!("at {} codons {verdict}: {}", site.name(), signed(&dip.to_string()))
        }
        None => format!("no {} codon yet", site.name()),
    };
    format!(
        "Mean delta log-likelihood of the codon's bases less that of bases away from it, in nats: {}; {}.",
        told(SiteKind::Start),
        told(SiteKind::Stop)
    )
}

fn lines(summary: &Summary, wanted: impl Fn(&Curve) -> bool) -> Vec<Line<'_>> {
    // The model on the codon first, then its controls.
    let rank = |curve: &Curve| (curve.weights != "model", curve.site == SiteKind::Elsewhere);
    let mut curves: Vec<&Curve> = summary
        .curves
        .iter()
        // Random weights say nothing of places that they cannot tell apart.
        .filter(|curve| curve.weights == "model" || curve.site != SiteKind::Elsewhere)
        .filter(|curve| wanted(curve))
        .collect();
    curves.sort_by_key(|curve| rank(curve));
    let name = |curve: &Curve| match (curve.weights.as_str(), curve.site) {
        ("model", SiteKind::Elsewhere) => "model, anywhere".to_owned(),
        (weights, _) => whose(weights).to_owned(),
    };
    curves.into_iter().map(|curve| Line { name: name(curve), points: &curve.points }).collect()
}

fn row(one: &Statistic) -> Vec<Cell> {
    vec![
        Cell::text(whose(&one.weights)),
        Cell::text(one.site.name()),
        Cell::text(one.name),
        Cell::text(signed(one.compared)),
        Cell::number(signed(&one.difference.short())),
        Cell::number(one.difference.n),
    ]
}

fn start_regions() -> Vec<Region> {
    vec![
        Region { positions: -12..=-6, name: "Shine-Dalgarno" },
        Region { positions: 0..=2, name: "start" },
    ]
}

fn stop_regions() -> Vec<Region> {
    vec![Region { positions: 0..=2, name: "stop" }]
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

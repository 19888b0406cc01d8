//! The page of a search, and the list of an archive's searches.

use std::collections::{BTreeMap, BTreeSet};

use runs::html::{Cell, Page, Tone};
use runs::plot::{Axes, RateBar, Series, heat_table, lines, rates, scatter};
use runs::stats::Rate;

use super::ablation::{Ablation, ablation};
use super::lineage::lineage;
use super::{Gathered, attempt};
use crate::archive::{AttemptId, Kind, SearchRecord};
use crate::evaluation::Level;

/// Lines in one plot at most, before only the page's own search is drawn.
const N_LINES: usize = 4;
/// Attempts listed at most, and shown with text and diff.
const N_LISTED: usize = 400;
const N_SHOWN: usize = 24;

/// Additions to the pages' style.
pub(super) const STYLE: &str = "
pre.diff .old { color: var(--bad); background: var(--bad-bg); }
pre.diff .new { color: var(--good); background: var(--good-bg); }
pre.diff span { display: inline-block; min-width: 100%; }
pre.diff .gap { color: var(--soft); }
svg.lineage { width: auto; }
svg.lineage a:hover rect { fill-opacity: .3; }
";

/// The page of searches of one task; the first is the one it is about, the others are compared.
#[must_use]
pub fn render(searches: &[Gathered]) -> String {
    let Some(main) = searches.first() else { return Page::new("No search").render() };
    let population = main.knowledge.population();
    let mut page = Page::new(format!("Kernels for {}", main.search.task));
    page.kicker("kernel search").style(STYLE);
    page.lead(lead(main));
    page.fact("search", Cell::code(&main.search.key))
        .fact("strategy", main.strategy.name())
        .fact("seed", main.seed)
        .fact("judge", Cell::code(&main.harness))
        .fact("time", format!("{:.0} s", main.elapsed_secs));
    if main.harness.contains("scripted") {
        page.note(
            Tone::Warn,
            "A scripted twin stands in for compiler and machine: every number here is made up by a \
             rule, and says nothing about any kernel.",
        );
    }
    tiles(&mut page, main);
    page.section("Best over evaluations");
    page.figure(
        best_plot(searches),
        "Baseline's time over that of the best verified candidate so far. It falls where the best \
         one was measured again and found slower than before.",
    );
    if let Some(ablation) = ablation(&searches.iter().collect::<Vec<_>>()) {
        show_ablation(&mut page, &ablation);
    }
    page.section("How near the machine's limit");
    page.figure(
        limit_plot(main),
        "Each timed attempt: least time by the machine's bandwidth and arithmetic over its own. \
         100 % cannot be passed.",
    );
    kinds(&mut page, main);
    turned_away(&mut page, main);
    proposers(&mut page, main);
    let mut shown: Vec<AttemptId> = Vec::new();
    if let Some(best) = population.best() {
        page.section("Where the best comes from");
        page.figure(
            lineage(main, best.attempt),
            "Its ancestors, the oldest at the top; the ratio of each as far as it counts. A second \
             color marks texts that a model wrote.",
        );
        let ancestry = main.ancestry(best.attempt);
        shown.extend(ancestry.iter().take(N_SHOWN).map(|attempt| attempt.id));
    }
    attempts(&mut page, main, &shown.iter().copied().collect());
    if !shown.is_empty() {
        page.section("The best and its ancestors");
        for id in shown {
            if let Some(record) = main.knowledge.attempt(id) {
                let findings = main.findings.get(&id).map(Vec::as_slice).unwrap_or_default();
                attempt::show(&mut page, main, record, findings);
            }
        }
    }
    page.footer(
        "Ratios are of medians, measured in turn with the baseline; what counts was measured again \
         in fresh processes after it had led. Intervals are 95 %.",
    );
    page.render()
}

/// The list of searches, with links that `kernels serve` answers.
#[must_use]
pub fn index(searches: &[(SearchRecord, u64, Option<f64>)]) -> String {
    let mut page = Page::new("Kernel searches");
    page.kicker("archive");
    page.section("Searches");
    page.table(
        ["search", "task", "evaluated", "best ratio"],
        searches.iter().map(|(search, n_evaluated, best)| {
            [
                Cell::link(format!("search/{}", encoded(&search.key)), &search.key),
                Cell::text(&search.task),
                Cell::number(n_evaluated),
                best.map_or(Cell::text("–"), |ratio| Cell::number(format!("{ratio:.2}"))),
            ]
        }),
    );
    page.render()
}

/// A key as a part of a path.
pub(super) fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let each =
        |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.bytes().map(each).collect()
}

fn lead(main: &Gathered) -> String {
    let population = main.knowledge.population();
    let n = population.n_evaluated();
    match population.best() {
        Some(best) => format!(
            "The best of {n} candidates is {:.2} times as fast as the baseline and verified.",
            best.estimate.exp()
        ),
        None => format!("None of {n} candidates is verified yet."),
    }
}

fn tiles(page: &mut Page, main: &Gathered) {
    let population = main.knowledge.population();
    let best = population.best();
    let timing = best.and_then(|best| main.timing(best.attempt));
    let interval = timing
        .and_then(|timing| timing.interval)
        .map_or("no interval: too few measurements".to_owned(), |(low, high)| {
            format!("last measured {low:.2} to {high:.2}")
        });
    let n_measured = best.map_or(0, |best| best.n_measured);
    let n_reviews = main.knowledge.n_reviews();
    page.tiles([
        (
            "best ratio",
            best.map_or("–".to_owned(), |best| format!("{:.2}", best.estimate.exp())),
            format!("n = {n_measured} measurements since promotion; {interval}"),
        ),
        (
            "of the machine's limit",
            timing.map_or("–".to_owned(), |timing| {
                format!("{:.0} %", 100.0 * timing.floor_nanos / timing.candidate_nanos)
            }),
            timing.map_or(String::new(), |timing| {
                format!(
                    "{:.1} µs, limit {:.1} µs, {} {:.1} µs",
                    timing.candidate_nanos / 1e3,
                    timing.floor_nanos / 1e3,
                    timing.baseline,
                    timing.baseline_nanos / 1e3
                )
            }),
        ),
        (
            "evaluated",
            population.n_evaluated().to_string(),
            format!("and {n_reviews} measured again"),
        ),
        (
            "quarantined",
            population.quarantined().len().to_string(),
            "seemed right first, found wrong later".to_owned(),
        ),
    ]);
}

fn best_plot(searches: &[Gathered]) -> String {
    let n = if searches.len() > N_LINES { 1 } else { searches.len() };
    let series = searches[..n].iter().map(|gathered| {
        let n = gathered.knowledge.population().n_evaluated();
        let mut points = Vec::new();
        // Steps: the best stays until there is another.
        for point in gathered.knowledge.curve() {
            if let Some(&(_, ratio)) = points.last() {
                points.push((point.n_evaluated as f64, ratio));
            }
            points.push((point.n_evaluated as f64, point.ratio));
        }
        if let Some(&(_, ratio)) = points.last() {
            points.push((n as f64, ratio));
        }
        Series::new(format!("{}, seed {}", gathered.strategy.name(), gathered.seed), points)
    });
    let axes = Axes {
        y_logarithmic: true,
        ..Axes::new("Best ratio over evaluations", "evaluations", "baseline's time over its own")
    };
    lines(&axes, &series.collect::<Vec<_>>())
}

fn limit_plot(main: &Gathered) -> String {
    let point = |attempt: &crate::archive::AttemptRecord| {
        let timing = main.timing(attempt.id)?;
        Some((attempt.seq as f64, 100.0 * timing.floor_nanos / timing.candidate_nanos))
    };
    let of = |has_genotype: bool| {
        let attempts = main.attempts.iter().filter(move |it| it.has_genotype == has_genotype);
        attempts.filter_map(point)
    };
    let mut series = vec![Series::new("schedules", of(true))];
    if main.attempts.iter().any(|attempt| !attempt.has_genotype) {
        series.push(Series::new("texts of models", of(false)));
    }
    let axes = Axes::new("Share of the machine's limit", "attempt", "% of the machine's limit");
    scatter(&axes, &series)
}

fn show_ablation(page: &mut Page, ablation: &Ablation) {
    page.section("Does learning from results pay?");
    page.figure(
        &ablation.plot,
        format!(
            "Geometric mean over searches of the best verified ratio, with its 95 % bootstrap \
             interval over searches where there are several; all at {} evaluations.",
            ablation.n_evaluations
        ),
    );
    page.table(
        ["strategy", "searches", "geometric mean", "95 % interval"],
        ablation.arms.iter().map(|arm| {
            [
                Cell::text(arm.strategy.name()),
                Cell::number(arm.ratios.len()),
                Cell::number(format!("{:.2}", arm.mean)),
                arm.interval.map_or(Cell::text("one search: none"), |interval| {
                    Cell::number(format!("{:.2} to {:.2}", interval.low, interval.high))
                }),
            ]
        }),
    );
}

fn kinds(page: &mut Page, main: &Gathered) {
    let population = main.knowledge.population();
    let mut best: BTreeMap<(String, String), f64> = BTreeMap::new();
    let (mut rows, mut columns) = (BTreeSet::new(), BTreeSet::new());
    for island in 0..population.n_islands() {
        for (kind, owner) in population.owners(island) {
            let row = kind.fusion.clone();
            let column = format!("{}, {}", kind.parallel, kind.memory);
            rows.insert(row.clone());
            columns.insert(column.clone());
            let ratio = best.entry((row, column)).or_insert(0.0);
            *ratio = ratio.max(owner.estimate.exp());
        }
    }
    if rows.is_empty() {
        return;
    }
    let (rows, columns): (Vec<_>, Vec<_>) =
        (rows.into_iter().collect(), columns.into_iter().collect());
    let values: Vec<Vec<Option<f64>>> = rows
        .iter()
        .map(|row| {
            columns.iter().map(|column| best.get(&(row.clone(), column.clone())).copied()).collect()
        })
        .collect();
    page.section("The best of each kind");
    page.raw(heat_table(
        "Best ratio by loop nests that remain (rows), parallel axis and use of memory (columns), \
         over all islands.",
        &rows,
        &columns,
        &values,
        |ratio| format!("{ratio:.2}"),
    ));
}

fn turned_away(page: &mut Page, main: &Gathered) {
    let n: u64 = main.findings.values().map(|findings| findings.len() as u64).sum();
    page.section("Turned away");
    if main.knowledge.rejected().is_empty() {
        page.paragraph(format!("None of {n} evaluations."));
        return;
    }
    let bars: Vec<RateBar> = main
        .knowledge
        .rejected()
        .iter()
        .map(|(reason, hits)| RateBar::new(reason, Rate { hits: *hits, n }))
        .collect();
    page.figure(
        rates("Evaluations turned away, by reason", &bars),
        format!("Of {n} evaluations, those that measured the best again included; 95 % Wilson intervals."),
    );
}

fn proposers(page: &mut Page, main: &Gathered) {
    page.section("Proposers");
    page.paragraph(
        "Reward is 0 for what is turned away and 1 for a child twice as fast as its parents. The one \
         with the highest mean plus doubt is tried next.",
    );
    page.table(
        ["proposer", "operator", "n", "mean reward", "USD"],
        main.knowledge.bandit().records().iter().map(|((proposer, operator), record)| {
            [
                Cell::text(proposer),
                Cell::text(operator.name()),
                Cell::number(record.n),
                Cell::number(format!("{:.3}", record.reward / record.n.max(1) as f64)),
                Cell::number(format!("{:.4}", record.usd)),
            ]
        }),
    );
    let spent = main.knowledge.spent();
    if spent.tokens() > 0 {
        let usd = spent.usd.map_or("cost unknown".to_owned(), |usd| format!("{usd:.4} USD"));
        page.paragraph(format!(
            "{} tokens in, {} out, {usd}; {} replies gave no candidate.",
            spent.input_tokens,
            spent.output_tokens,
            main.knowledge.n_fruitless()
        ));
    }
}

fn attempts(page: &mut Page, main: &Gathered, shown: &BTreeSet<AttemptId>) {
    page.section("Attempts");
    let n = main.attempts.len();
    let skipped = n.saturating_sub(N_LISTED);
    if skipped > 0 {
        page.paragraph(format!("The last {N_LISTED} of {n}."));
    }
    page.details(format!("{} attempts", n.min(N_LISTED)), |page| {
        page.table(
            ["attempt", "isle", "how", "from", "level", "ratio", "found"],
            main.attempts.iter().skip(skipped).map(|attempt| row(main, attempt, shown)),
        );
    });
}

fn row(
    main: &Gathered,
    attempt: &crate::archive::AttemptRecord,
    shown: &BTreeSet<AttemptId>,
) -> [Cell; 7] {
    let findings = main.findings.get(&attempt.id).map(Vec::as_slice).unwrap_or_default();
    let link = |id: AttemptId| {
        let text = format!("#{id}");
        if shown.contains(&id) { Cell::link(format!("#a{id}"), text) } else { Cell::text(text) }
    };
    let rejection = findings
        .iter()
        .find_map(|each| each.finding.evaluation.rejection.as_ref().map(|it| (each.kind, it)));
    let level = findings.iter().map(|each| each.finding.evaluation.level).max();
    let level = match (level, &rejection) {
        (_, Some((kind, rejection))) => {
            let at = if *kind == Kind::Evaluation { "" } else { " later" };
            let reason = serde_json::to_string(&rejection.reason).unwrap_or_default();
            Cell::badge(format!("{}{at}", reason.trim_matches('"')), Tone::Bad)
        }
        (Some(Level::Verified), None) => Cell::badge("verified", Tone::Good),
        (Some(Level::Timed), None) => Cell::badge("timed", Tone::Info),
        (Some(Level::Correct), None) => Cell::badge("correct", Tone::Neutral),
        (Some(Level::Compiled), None) => Cell::badge("compiled", Tone::Neutral),
        (Some(Level::None), None) => Cell::badge("nothing", Tone::Neutral),
        (None, None) => Cell::badge("waits", Tone::Neutral),
    };
    [
        link(attempt.id),
        Cell::number(attempt.island),
        Cell::text(format!("{}, {}", attempt.operator.name(), attempt.proposer)),
        Cell::join(attempt.parents.iter().map(|id| link(*id))),
        level,
        main.timing(attempt.id)
            .map_or(Cell::text("–"), |timing| Cell::number(format!("{:.2}", timing.ratio))),
        Cell::text(rejection.map(|(_, rejection)| rejection.detail.clone()).unwrap_or_default()),
    ]
}

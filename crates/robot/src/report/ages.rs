//! Success against the latent's age, as a plot and as a table.

use runs::html::{Cell, Page};
use runs::plot::{Axes, Series, lines};
use runs::stats::Rate;

use crate::study::{AtAge, together};
use crate::tasks::Task;

/// Names and ages in the order in which they come.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

pub(super) fn section(page: &mut Page, all: &[AtAge]) {
    let policies = distinct(all.iter().map(|one| one.policy.as_str()));
    let ages = distinct(all.iter().map(|one| one.millis));
    let tasks = distinct(all.iter().map(|one| one.task));
    page.section("Success against the latent's age").paragraph(format!(
        "From a frame to the latent that S2 makes of it; each latent is used for {} ms more, until the next \
         one comes. Lines differ in how old latents were when the policy was trained.",
        AtAge::period_millis()
    ));
    let title = |of: &str| format!("Attempts done, {of}");
    let whole = |policy: &str, millis: u32| together(all, policy, millis);
    page.figure(plot(&title("all tasks"), &policies, &ages, &whole), "Bands: 95 %, Wilson.");
    if tasks.len() > 1 {
        for task in &tasks {
            let one = |policy: &str, millis: u32| of_task(all, *task, policy, millis);
            let svg = plot(&title(task.name()), &policies, &ages, &one);
            page.figure(svg, format!("{} alone.", task.name()));
        }
    }
    let mut header = vec!["policy".to_owned(), "task".to_owned()];
    header.extend(ages.iter().map(|age| format!("{age} ms")));
    let row = |policy: &str, name: &str, rate: &dyn Fn(u32) -> Rate| {
        let mut cells = vec![Cell::text(policy), Cell::text(name)];
        cells.extend(ages.iter().map(|age| Cell::text(rate(*age).to_string())));
        cells
    };
    let mut rows = Vec::new();
    for policy in &policies {
        for task in &tasks {
            rows.push(row(policy, task.name(), &|age| of_task(all, *task, policy, age)));
        }
        rows.push(row(policy, "all", &|age| together(all, policy, age)));
    }
    page.table(header, rows);
}

fn of_task(all: &[AtAge], task: Task, policy: &str, millis: u32) -> Rate {
    let is = |one: &&AtAge| one.task == task && one.policy == policy && one.millis == millis;
    all.iter().find(is).map_or(Rate::default(), |one| one.rate)
}

fn plot(title: &str, policies: &[&str], ages: &[u32], rate: &dyn Fn(&str, u32) -> Rate) -> String {
    let axes = Axes::new(title, "from a frame to its latent, ms", "done, %");
    let series: Vec<Series> = policies
        .iter()
        .map(|policy| {
            let known = |age: &u32| rate(policy, *age).share().map(|share| (*age, share));
            let points = ages.iter().filter_map(known);
            let points = points.map(|(age, share)| (f64::from(age), 100.0 * share));
            let band = ages.iter().filter_map(|age| {
                let at = rate(policy, *age).wilson()?;
                Some((f64::from(*age), 100.0 * at.low, 100.0 * at.high))
            });
            Series::new(*policy, points).with_band(band)
        })
        .collect();
    lines(&axes, &series)
}

//! One page with every component, to look at while changing them.
//!
//! `cargo run -p runs --example gallery -- /tmp/gallery.html`

use std::path::PathBuf;

use runs::html::{Cell, Page, Tone};
use runs::plot::{self, Axes, RateBar, Series, Size};
use runs::stats::{Rate, bootstrap, median};
use runs::{Status, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: gallery FILE")?;
    // A real run in a folder of its own, for the facts in the head.
    let folder = tempfile::tempdir()?;
    let mut run = Store::open(folder.path())?.create(
        "chess",
        "run",
        &[("n", 50)].into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        7,
    )?;
    run.finish(Status::Done)?;

    let mut page = Page::new("Does an agent cheat when it is losing?");
    page.kicker("Gallery of components; every number is made up")
        .lead("Three of four models never touched the board. One overwrote it in 12 of 50 games, whatever the prompt said.")
        .run_facts(run.manifest())
        .footer("Made by `examples/gallery.rs`. A page loads nothing, and reads without scripts.");
    tables(&mut page);
    rates(&mut page);
    plots(&mut page);
    blocks(&mut page);
    std::fs::write(&path, page.render())?;
    Ok(())
}

fn tables(page: &mut Page) {
    page.section("Figures and tables")
        .tiles([
            ("games", Cell::number(200), "4 models × 50, seed 7"),
            ("hacked", Cell::number("6 %"), "12/200, 95 % interval 3.5 to 10.2 %"),
            ("won on the board", Cell::number("0"), "of 188 games that were played"),
            ("cost", Cell::number("3.17 $"), "1.2 M tokens, all priced"),
        ])
        .paragraph(
            "A column of numbers is right-aligned; levels are badges; a link leads to the game.",
        )
        .table(
            ["model", "variant", "level", "hacked", "moves", "games"],
            (0..4_u64).map(|idx| {
                let (level, tone) = [
                    ("succeeded", Tone::Bad),
                    ("inspected", Tone::Warn),
                    ("none", Tone::Good),
                    ("none", Tone::Neutral),
                ][idx as usize];
                vec![
                    Cell::code(
                        [
                            "scripted:overwriter",
                            "scripted:reader",
                            "scripted:patient",
                            "scripted:<script>",
                        ][idx as usize],
                    ),
                    Cell::from(["baseline", "spooky", "powerless", "dontlook"][idx as usize]),
                    Cell::badge(level, tone),
                    Cell::from(
                        [
                            Rate { hits: 12, n: 50 },
                            Rate { hits: 0, n: 50 },
                            Rate { hits: 0, n: 50 },
                            Rate { hits: 0, n: 0 },
                        ][idx as usize],
                    ),
                    Cell::number([31, 18, 44, 7][idx as usize]),
                    Cell::link(format!("games/{idx:04}.html"), "replay"),
                ]
            }),
        )
        .note(
            Tone::Warn,
            "One model has no data: its endpoint failed, and infrastructure is in no denominator.",
        );
}

fn rates(page: &mut Page) {
    let bar =
        |label: &str, hits, n, series| RateBar { series, ..RateBar::new(label, Rate { hits, n }) };
    page.section("Rates with intervals").figure(
        plot::rates(
            "Share of games with a hack, by model and variant",
            &[
                bar("overwriter · baseline", 31, 50, 0),
                bar("overwriter · dontlook", 12, 50, 0),
                bar("reader · baseline", 3, 10, 1),
                bar("a model with a name that is much longer than there is room for", 0, 50, 2),
                bar("patient · baseline", 10, 10, 3),
                bar("endpoint that failed", 0, 0, 4),
            ],
        ),
        "Whiskers are 95 % Wilson intervals; counts are `hits/n`. Ten games say much less than fifty.",
    );
}

fn plots(page: &mut Page) {
    let wave = |phase: f64, height: f64| {
        move |idx: i32| {
            let x = f64::from(idx);
            (x, height * (x / 9.0 + phase).sin() * (-x / 60.0).exp() + height)
        }
    };
    let series = [
        Series::new("baseline", (0..80).map(wave(0.0, 1.0))),
        Series::new("spooky", (0..80).map(wave(1.2, 0.8))),
        Series::new(
            "dontlook, with a gap",
            (0..80)
                .map(wave(2.2, 0.5))
                .map(|(x, y)| (x, if (30.0..40.0).contains(&x) { f64::NAN } else { y })),
        ),
        Series::new(
            "powerless",
            (0..8).map(|idx| (f64::from(idx) * 10.0, 0.2 + f64::from(idx) / 20.0)),
        ),
    ];
    let samples: Vec<f64> = (0..400_u32)
        .map(|idx| {
            let u = f64::from(idx.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            let v = f64::from((idx + 1).wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 24);
            30.0 + 3.0 * (-2.0 * (u + 1e-9).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        })
        .collect();
    let interval = bootstrap(&samples, |drawn| median(drawn).unwrap_or(f64::NAN), 500, 1);
    page.section("Plots")
        .figure(
            plot::lines(&Axes::new("Evaluation over the game", "move", "evaluation (pawns)"), &series),
            "Series differ in color, in dashes and in marks. A value that is missing interrupts its line.",
        )
        .columns(|page| {
            let throughput = Series::new("kernels", (0..60).map(|idx| {
                let size = 2_f64.powf(f64::from(idx) / 4.0 + 4.0);
                (size, 2.0e6 * size / (size + 900.0) * (1.0 + 0.1 * (size * 7.0).sin()))
            }));
            let reference = Series::new("reference", (0..15).map(|idx| (2_f64.powi(idx + 4), 4.0e5 + 2.0e4 * f64::from(idx))));
            let axes = Axes { x_logarithmic: true, size: Size::Half, ..Axes::new("Throughput by size", "rows", "elements/s") };
            page.figure(plot::scatter(&axes, &[throughput, reference]), "A scatter plot over a logarithmic axis.")
                .figure(
                    plot::histogram(&Axes { size: Size::Half, ..Axes::new("Latency", "latency (ms)", "steps") }, &samples, None),
                    format!("A histogram; bins by Freedman and Diaconis. The median's 95 % bootstrap interval is {}.",
                        interval.map_or("unknown".to_owned(), |i| format!("{:.2} to {:.2} ms", i.low, i.high))),
                );
        })
        .raw(plot::heat_table(
            "Share of games with each class, by model.",
            &["overwriter", "reader", "patient"],
            &["second-engine", "board-overwritten", "script-patched", "engine-replaced"],
            &[
                vec![Some(0.1), Some(0.62), Some(0.24), Some(0.0)],
                vec![Some(0.3), Some(0.02), None, Some(0.4)],
                vec![Some(0.0), Some(0.0), Some(0.05), Some(0.0)],
            ],
            |share| format!("{:.0} %", share * 100.0),
        ));
}

fn blocks(page: &mut Page) {
    page.section("Blocks")
        .key_values([
            ("engine", Cell::text("Stockfish 15.1, 10 000 nodes a move")),
            ("sandbox", Cell::join([Cell::badge("namespaces", Tone::Good), Cell::badge("landlock", Tone::Good), Cell::badge("cgroups missing", Tone::Warn)])),
            ("task", Cell::code("win against a powerful chess engine")),
        ])
        .details("What the agent ran in step 3", |page| {
            page.paragraph("Output is text, whatever it contains:")
                .code("$ echo '6k1/5ppp/8/8/8/8/5PPP/3q2K1 b - - 0 1' >> game/fen.txt\n$ cat notes.html\n<script>alert(\"not run\")</script>")
                .table(["stream", "event"], [["files", "`/env/game/fen.txt` written by `sh`"], ["exec", "`/bin/cat`"]]);
        })
        .raw("<details open><summary>A block that is open from the start</summary><div class=\"inside\"><p>Made with <code>raw</code>.</p></div></details>")
        .note(Tone::Info, "For orientation: rates of the two profiles are not comparable.")
        .note(Tone::Good, "All 40 honest players were left alone.")
        .note(Tone::Bad, "Two cheats were missed: see `mismatches`.")
        .subsection("What to read next")
        .list([Cell::link("#s1", "the tables above"), Cell::from("the `manifest.toml` of the run")]);
}

//! Pages hold what they are given, as text, and load nothing.

use runs::Status;
use runs::html::{Cell, Page, Tone};
use runs::plot::{self, Axes, RateBar, Series};
use runs::stats::Rate;

use crate::Scratch;

const HOSTILE: &str = "</style></script><script>alert(1)</script><img src=x onerror=\"a\">'&`<b>`";

/// Every component, filled with text that would be markup.
fn hostile_page() -> Page {
    let mut page = Page::new(HOSTILE);
    page.kicker(HOSTILE).lead(HOSTILE).fact(HOSTILE, HOSTILE).footer(HOSTILE);
    page.section(HOSTILE)
        .subsection(HOSTILE)
        .paragraph(HOSTILE)
        .note(Tone::Bad, HOSTILE)
        .list([HOSTILE])
        .tiles([(HOSTILE, HOSTILE, HOSTILE)])
        .key_values([(HOSTILE, Cell::badge(HOSTILE, Tone::Good))])
        .table(
            [HOSTILE],
            [[Cell::code(HOSTILE)], [Cell::number(HOSTILE)], [Cell::link(HOSTILE, HOSTILE)]],
        )
        .code(HOSTILE)
        .details(HOSTILE, |page| {
            page.section(HOSTILE).paragraph(HOSTILE);
        })
        .figure(plot::rates(HOSTILE, &[RateBar::new(HOSTILE, Rate { hits: 1, n: 2 })]), HOSTILE)
        .svg(plot::lines(
            &Axes::new(HOSTILE, HOSTILE, HOSTILE),
            &[Series::new(HOSTILE, [(0.0, 1.0), (1.0, 2.0)])],
        ))
        .svg(plot::scatter(
            &Axes::new(HOSTILE, HOSTILE, HOSTILE),
            &[Series::new(HOSTILE, [(0.0, 1.0)])],
        ))
        .svg(plot::histogram(&Axes::new(HOSTILE, HOSTILE, HOSTILE), &[1.0, 2.0], None))
        .raw(plot::heat_table(HOSTILE, &[HOSTILE], &[HOSTILE], &[vec![Some(1.0)]], |_| {
            HOSTILE.to_owned()
        }));
    page
}

#[test]
fn nothing_that_was_text_becomes_markup() {
    let html = hostile_page().render();
    for markup in ["<script", "<img", "onerror=\"", "<b>", "</script"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert_eq!(html.matches("</style>").count(), 1);
}

#[test]
fn tags_are_balanced_whatever_the_order_of_calls() {
    let mut page = hostile_page();
    page.section("second").columns(|page| {
        page.details("in a column", |page| {
            page.section("not a section here");
        });
    });
    page.section("third");
    let html = page.render();
    let count = |text: &str| html.matches(text).count();
    for tag in [
        "section", "details", "div", "table", "dl", "p", "figure", "svg", "main", "ul", "li", "pre",
    ] {
        let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
    }
    assert_eq!(count("<section id="), 3);
}

#[test]
fn a_page_loads_nothing_and_says_so_to_the_browser() {
    let html = hostile_page().render();
    assert!(html.contains("default-src &#39;none&#39;") || html.contains("default-src 'none'"));
    assert!(!html.contains("script-src"), "without a script none is allowed");
    for loading in ["http://", "https://", " src=\"", "@import", "url("] {
        let html = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!html.contains(loading), "{loading}");
    }
}

#[test]
fn a_script_cannot_end_its_own_element() {
    let html = Page::new("t").script("let a = '</script><b>';").render();
    assert_eq!(html.matches("</script>").count(), 1);
    assert!(html.contains("script-src 'unsafe-inline'"));
}

#[test]
fn columns_of_numbers_are_right_aligned_and_others_are_not() {
    let html = Page::new("t")
        .table(
            ["name", "n", "mixed", "rate", "gaps"],
            [
                [
                    Cell::from("a"),
                    Cell::from(1_u64),
                    Cell::from(2_u64),
                    Cell::from(Rate { hits: 0, n: 0 }),
                    Cell::from(3_u64),
                ],
                [
                    Cell::from("b"),
                    Cell::from(10_u64),
                    Cell::from("x"),
                    Cell::from(Rate { hits: 1, n: 2 }),
                    Cell::from("–"),
                ],
            ],
        )
        .render();
    assert!(html.contains("<th scope=\"col\">name</th><th scope=\"col\" class=\"number\">n</th><th scope=\"col\">mixed</th>"));
    assert!(html.contains("<td class=\"number\">no data</td>"));
    assert!(html.contains("<td class=\"number\">1/2 = 50 % [9 %, 91 %]</td>"));
    assert!(html.contains("<td class=\"number\">–</td>"));
}

#[test]
fn the_head_of_a_runs_page_says_how_to_repeat_it() {
    let scratch = Scratch::new();
    let mut run = scratch.run();
    run.finish(Status::Done).unwrap();
    let html = Page::new("t").run_facts(run.manifest()).render();
    assert!(html.contains(&format!("<code>{}</code>", run.id())));
    assert!(html.contains("<dt>seed</dt><dd>7</dd>"));
    assert!(html.contains("<span class=\"badge good\">done</span>"));
    assert_eq!(
        html,
        Page::new("t").run_facts(run.manifest()).render(),
        "the same calls, the same bytes"
    );
}

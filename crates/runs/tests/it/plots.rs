//! Plots draw what they are given and nothing that is not a number.

use runs::plot::{Axes, RateBar, Series, Size, heat_table, histogram, lines, rates, scatter};
use runs::stats::Rate;

fn axes() -> Axes {
    Axes::new("A title", "x (s)", "y (m)")
}

#[test]
fn every_plot_has_a_title_for_those_who_do_not_see_it() {
    for svg in [
        rates("A title", &[]),
        lines(&axes(), &[]),
        scatter(&axes(), &[]),
        histogram(&axes(), &[], None),
    ] {
        assert!(svg.contains("role=\"img\" aria-label=\"A title\""));
        assert!(svg.contains("<title>A title</title>"));
    }
}

#[test]
fn a_rate_is_drawn_with_its_interval_and_counts() {
    let svg = rates("t", &[RateBar::new("model", Rate { hits: 3, n: 10 })]);
    assert!(svg.contains("<title>model: 3/10 = 30 % [11 %, 60 %]</title>"));
    assert!(svg.contains(">3/10</text>"));
    // Grid lines, axis, and the three lines of the whisker.
    assert_eq!(svg.matches("<line ").count(), 5 + 1 + 3);
}

#[test]
fn a_rate_without_data_is_words_and_no_bar() {
    let svg = rates("t", &[RateBar::new("model", Rate { hits: 0, n: 0 })]);
    assert!(svg.contains(">no data</text>"));
    assert!(!svg.contains("<rect"));
}

#[test]
fn without_points_there_is_no_axis_but_words() {
    for svg in [
        lines(&axes(), &[Series::new("a", [(f64::NAN, 1.0)])]),
        histogram(&axes(), &[f64::INFINITY], None),
    ] {
        assert!(svg.contains(">no data</text>"));
        assert!(!svg.contains("<line "));
    }
}

#[test]
fn what_is_not_finite_interrupts_its_line() {
    let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 2.0)];
    let svg = lines(&axes(), &[Series::new("a", points)]);
    assert_eq!(svg.matches("fill=\"none\"").count(), 2, "two pieces");
    assert_eq!(svg.matches("<circle").count(), 4, "four marks");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn a_logarithmic_axis_leaves_out_what_it_has_no_place_for() {
    let axes = Axes { x_logarithmic: true, y_logarithmic: true, size: Size::Half, ..axes() };
    let svg = scatter(
        &axes,
        &[Series::new("a", [(0.0, 1.0), (-5.0, 1.0), (1.0, 10.0), (100.0, 1000.0)])],
    );
    assert_eq!(svg.matches("<circle").count(), 2);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn a_histogram_counts_every_sample_once() {
    let samples: Vec<f64> = (0..100).map(f64::from).collect();
    let svg = histogram(&axes(), &samples, Some(4));
    assert_eq!(svg.matches(": 25</title>").count(), 4);
    assert!(svg.contains("median 49.5, n = 100"));
    assert_eq!(
        histogram(&axes(), &[5.0; 3], None).matches("<rect").count(),
        2,
        "some bins, one filled"
    );
}

#[test]
fn heat_tables_keep_their_numbers_readable() {
    let html = heat_table(
        "c",
        &["a", "b"],
        &["x", "y"],
        &[vec![Some(0.0), Some(2.0)], vec![Some(1.0)]],
        |v| format!("{v:.1}"),
    );
    assert!(html.contains("<td style=\"--t:0.000\">0.0</td><td style=\"--t:1.000\">2.0</td>"));
    assert!(html.contains("<td style=\"--t:0.500\">1.0</td><td class=\"blank\">–</td>"));
}

#[test]
fn a_band_is_drawn_behind_its_line_and_the_axis_holds_it() {
    let line = Series::new("a", [(0.0, 1.0), (1.0, 2.0)]);
    let without = lines(&axes(), std::slice::from_ref(&line));
    assert!(!without.contains("<polygon"));
    let band = [(0.0, 0.5, 1.5), (f64::NAN, 1.0, 1.0), (1.0, 1.0, 90.0)];
    let svg = lines(&axes(), &[line.with_band(band)]);
    let (area, path) = (svg.find("<polygon").expect("a band"), svg.find("<path").expect("a line"));
    assert!(area < path);
    assert!(svg.contains(">80<"), "the vertical axis reaches the band's upper edge");
    assert_eq!(svg.matches("NaN").count(), 0);
}

//! A table whose cells are shaded by their values.

use std::fmt::Write as _;

use crate::html::{escape, inline};

/// A table of `values[row][column]`, the larger the darker, from the smallest to the largest value.
/// `text` says how a value is written; `None`, and what is not finite, is an empty cell. It is a
/// table, not a picture: values can be read, copied and spoken.
#[must_use]
pub fn heat_table(
    caption: &str,
    rows: &[impl AsRef<str>],
    columns: &[impl AsRef<str>],
    values: &[Vec<Option<f64>>],
    text: impl Fn(f64) -> String,
) -> String {
    let finite = || values.iter().flatten().flatten().copied().filter(|value| value.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let mut html = format!(
        "<div class=\"scroll\"><table class=\"heat\"><caption>{}</caption><thead><tr><td class=\"corner\"></td>",
        inline(caption)
    );
    for column in columns {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(column.as_ref()));
    }
    html.push_str("</tr></thead><tbody>");
    for (idx, row) in rows.iter().enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(row.as_ref()));
        for column in 0..columns.len() {
            let value = values.get(idx).and_then(|row| row.get(column).copied()).flatten();
            let _ = match value.filter(|value| value.is_finite()) {
                Some(value) => {
                    let shade = if high > low { (value - low) / (high - low) } else { 0.0 };
                    write!(html, "<td style=\"--t:{shade:.3}\">{}</td>", escape(&text(value)))
                }
                None => write!(html, "<td class=\"blank\">–</td>"),
            };
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

//! Two texts line by line.

use std::fmt::Write as _;

use runs::html::escape;
use similar::{ChangeTag, TextDiff};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// What changed from `old` to `new`, as markup.
pub(super) fn diff(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut html = String::from("<pre class=\"diff\" tabindex=\"0\"><code>");
    let mut n_groups = 0;
    for group in diff.grouped_ops(CONTEXT) {
        if n_groups > 0 {
            html.push_str("<span class=\"gap\">…</span>\n");
        }
        n_groups += 1;
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, class) = match change.tag() {
                ChangeTag::Equal => (' ', "same"),
                ChangeTag::Delete => ('−', "old"),
                ChangeTag::Insert => ('+', "new"),
            };
            let line = escape(change.value().trim_end_matches('\n'));
            let _ = writeln!(html, "<span class=\"{class}\">{sign} {line}</span>");
        }
    }
    if n_groups == 0 {
        html.push_str("the texts are the same\n");
    }
    html.push_str("</code></pre>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_marked_and_markup_stays_text() {
        let html = diff("a\nb<1>\nc\n", "a\nb<2>\nc\n");
        assert!(html.contains("<span class=\"old\">− b&lt;1&gt;</span>"));
        assert!(html.contains("<span class=\"new\">+ b&lt;2&gt;</span>"));
        assert!(html.contains("<span class=\"same\">  a</span>"));
        assert!(diff("a", "a").contains("the same"));
    }
}

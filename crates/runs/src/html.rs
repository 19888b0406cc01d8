//! Self-contained pages: one file, nothing loaded, light and dark, readable on paper and without
//! scripts. Everything that is not called `raw` is escaped.
//!
//! ```
//! use runs::html::{Cell, Page, Tone};
//! use runs::stats::Rate;
//! let html = Page::new("Does it cheat?")
//!     .fact("games", 10)
//!     .section("Rates")
//!     .paragraph("Per model, over all variants. `none` means no finding.")
//!     .table(
//!         ["model", "hacked", "level"],
//!         [[Cell::from("a <model>"), Cell::from(Rate { hits: 3, n: 10 }), Cell::badge("none", Tone::Good)]],
//!     )
//!     .render();
//! assert!(html.contains("a &lt;model&gt;") && html.contains("3/10 = 30 % [11 %, 60 %]"));
//! ```

mod cell;
mod page;

pub use cell::{Cell, Tone};
pub use page::Page;

/// Text as HTML text or as the value of a quoted attribute. Control characters that HTML does not
/// allow, which the output of programs may contain, become the replacement character.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Escaped text in which what stands between two backticks is code.
#[must_use]
pub fn inline(text: &str) -> String {
    let mut html = String::new();
    let mut parts = text.split('`').peekable();
    let mut is_code = false;
    while let Some(part) = parts.next() {
        // A last backtick without a partner is only a backtick.
        let closed = parts.peek().is_some();
        match (is_code, closed) {
            (true, true) => html.push_str(&format!("<code>{}</code>", escape(part))),
            (true, false) => html.push_str(&format!("`{}", escape(part))),
            (false, _) => html.push_str(&escape(part)),
        }
        is_code = !is_code;
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_stays_text() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&\u{0}\u{1b}\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}\u{fffd}\n"
        );
    }

    #[test]
    fn backticks_make_code_and_a_lonely_one_is_itself() {
        assert_eq!(inline("run `a<b` now"), "run <code>a&lt;b</code> now");
        assert_eq!(inline("5` <"), "5` &lt;");
        assert_eq!(inline("`a` `b` `"), "<code>a</code> <code>b</code> `");
    }
}

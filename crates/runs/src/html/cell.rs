//! What stands in one cell of a table, or beside one name of a list.

use super::{escape, inline};
use crate::stats::Rate;

/// What a badge or note means. Color only repeats what the words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Neutral,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// As it should not be.
    Bad,
    /// For orientation.
    Info,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
        }
    }
}

/// One cell. Numbers and rates are right-aligned, with digits of one width.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub(super) html: String,
    pub(super) is_number: bool,
}

impl Cell {
    fn of(html: String) -> Self {
        Self { html, is_number: false }
    }

    /// Text, with code between backticks.
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::of(inline(text.as_ref()))
    }

    /// A number as the caller wrote it, with its unit.
    #[must_use]
    pub fn number(text: impl ToString) -> Self {
        Self { html: escape(&text.to_string()), is_number: true }
    }

    /// A word in a frame.
    #[must_use]
    pub fn badge(text: impl AsRef<str>, tone: Tone) -> Self {
        let text = escape(text.as_ref());
        Self::of(format!("<span class=\"badge {}\">{text}</span>", tone.class()))
    }

    /// Several cells in one, side by side.
    #[must_use]
    pub fn join(cells: impl IntoIterator<Item = Cell>) -> Self {
        let parts: Vec<String> = cells.into_iter().map(|cell| cell.html).collect();
        Self::of(parts.join(" "))
    }

    /// Code in a line.
    #[must_use]
    pub fn code(text: impl AsRef<str>) -> Self {
        Self::of(format!("<code>{}</code>", escape(text.as_ref())))
    }

    /// A link to another place of this page (`#id`), another file (relative), or the web. Any other
    /// scheme, `javascript:` among them, gives the text without a link.
    #[must_use]
    pub fn link(href: impl AsRef<str>, text: impl AsRef<str>) -> Self {
        let (href, text) = (href.as_ref(), inline(text.as_ref()));
        if is_harmless(href) {
            Self::of(format!("<a href=\"{}\">{text}</a>", escape(href)))
        } else {
            Self::of(text)
        }
    }

    /// Markup as it is.
    #[must_use]
    pub fn raw(html: impl Into<String>) -> Self {
        Self::of(html.into())
    }
}

/// A colon before the first slash, question mark or hash makes a scheme.
fn is_harmless(href: &str) -> bool {
    let head = href.split(['/', '?', '#']).next().unwrap_or_default();
    let odd = href.chars().any(|character| character.is_control() || character.is_whitespace());
    !odd && (!head.contains(':') || matches!(head, "http:" | "https:"))
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

/// The rate with its n and interval: there is no way to print it without.
impl From<Rate> for Cell {
    fn from(rate: Rate) -> Self {
        Self::number(rate)
    }
}

macro_rules! from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for Cell {
            fn from(number: $number) -> Self {
                Self::number(number)
            }
        }
    )*};
}

from_number!(u8, u16, u32, u64, usize, i32, i64, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_and_never_run_anything() {
        for good in ["#a", "games/1.html", "https://example.org/x?a=b", "a/b:c"] {
            assert!(Cell::link(good, "x").html.starts_with("<a href="), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScript:x",
            "data:text/html,x",
            "java\nscript:x",
            " javascript:x",
        ] {
            assert_eq!(Cell::link(bad, "x").html, "x", "{bad}");
        }
        assert_eq!(Cell::link("a\"b", "<").html, "<a href=\"a&quot;b\">&lt;</a>");
    }
}

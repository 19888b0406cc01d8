//! What was found, as self-contained pages. Each is a pure function of a summary and of the facts that
//! the caller knows.

mod effects;
mod needle;
mod plot;
mod profile;

use runs::html::Page;

pub use effects::effects;
pub use needle::needle;
pub use profile::profile;

/// Names and values in the head of a page: model, digest, inputs, seed.
pub type Facts = [(String, String)];

/// A page with its head.
fn page(title: &str, lead: String, facts: &Facts) -> Page {
    let mut page = Page::new(title);
    page.kicker("Tetrad · genome").lead(lead);
    for (name, value) in facts {
        page.fact(name.as_str(), value.as_str());
    }
    page
}

/// Whose weights, in words.
fn whose(weights: &str) -> &str {
    if weights == "random" { "random weights" } else { "model" }
}

/// Text whose numbers have true minus signs: a hyphen within a word stays one.
fn signed(text: &str) -> String {
    let mut signed = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let number = letters.peek().is_some_and(char::is_ascii_digit);
        let minus = letter == '-' && number && !before.is_alphanumeric();
        signed.push(if minus { '−' } else { letter });
        before = letter;
    }
    signed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_a_minus_and_words_keep_their_hyphens() {
        assert_eq!(signed("in-frame -1.5 [-2, -0.5], K-12"), "in-frame −1.5 [−2, −0.5], K-12");
    }
}

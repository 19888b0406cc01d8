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
    if weights == "random" { "random weights" } else { "the model" }
}

/// A number with a true minus sign.
fn signed(text: &str) -> String {
    text.replace('-', "−")
}

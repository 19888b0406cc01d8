//! Prompt variants: data files, the paper's and later ones, in our own words.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The variants in this binary: the paper's first, then later ones and controls.
const EMBEDDED: [&str; 15] = [
    include_str!("../../variants/baseline.toml"),
    include_str!("../../variants/dontlook.toml"),
    include_str!("../../variants/dontstart.toml"),
    include_str!("../../variants/powerless.toml"),
    include_str!("../../variants/spooky.toml"),
    include_str!("../../variants/fairplay.toml"),
    include_str!("../../variants/mandate.toml"),
    include_str!("../../variants/explore.toml"),
    include_str!("../../variants/autonomy.toml"),
    include_str!("../../variants/persist.toml"),
    include_str!("../../variants/grandmaster.toml"),
    include_str!("../../variants/nonzero.toml"),
    include_str!("../../variants/yourbest.toml"),
    include_str!("../../variants/abilities.toml"),
    include_str!("../../variants/explicit-hacking.toml"),
];

/// A way to put the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Name, as on the command line.
    pub name: String,
    /// What sets it apart.
    pub summary: String,
    /// Where the idea comes from.
    pub source: String,
    /// The task; `{script}` stands for the game script as it is called.
    pub prompt: String,
}

impl Variant {
    /// The task for a script, on one paragraph as the agent reads it.
    #[must_use]
    pub fn task(&self, script: &str) -> String {
        let words: Vec<&str> = self.prompt.split_whitespace().collect();
        words.join(" ").replace("{script}", script)
    }
}

/// Every variant in this binary.
///
/// # Errors
/// When a file is malformed, which a test excludes.
pub fn variants() -> Result<Vec<Variant>, Error> {
    EMBEDDED.iter().map(|text| parse("embedded variant", text)).collect()
}

/// A variant by name, or from a file when the name has a slash or ends in `.toml`.
///
/// # Errors
/// When there is none, or its file is malformed.
pub fn load(name: &str) -> Result<Variant, Error> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = std::fs::read_to_string(Path::new(name))
            .map_err(|source| Error::io("read variant", name, source))?;
        return parse(name, &text);
    }
    variants()?.into_iter().find(|variant| variant.name == name).ok_or_else(|| Error::Setting {
        name: "variant",
        reason: format!("there is no variant `{name}`; `tetrad chess variants` lists them"),
    })
}

fn parse(name: &str, text: &str) -> Result<Variant, Error> {
    let variant: Variant = toml::from_str(text).map_err(|error| Error::Data {
        name: name.to_owned(),
        reason: error.message().to_owned(),
    })?;
    if !variant.prompt.contains("{script}") {
        let reason = "the prompt does not name `{script}`".to_owned();
        return Err(Error::Data { name: name.to_owned(), reason });
    }
    Ok(variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_variants_are_there_and_names_are_unique() {
        let mut names: Vec<String> = variants().unwrap().into_iter().map(|v| v.name).collect();
        assert_eq!(names[..5], ["baseline", "dontlook", "dontstart", "powerless", "spooky"]);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), EMBEDDED.len());
    }

    #[test]
    fn the_script_is_named_as_it_is_called() {
        let task = load("baseline").unwrap().task("./game.sh");
        assert!(task.contains("`./game.sh start`") && !task.contains(['{', '\n']), "{task}");
    }

    #[test]
    fn unknown_names_and_bad_files_are_refused() {
        assert!(load("nope").unwrap_err().to_string().contains("no variant `nope`"));
        assert!(load("/nonexistent/x.toml").is_err());
        let silent = "name='x'\nsummary=''\nsource=''\nprompt='win'";
        assert!(parse("x", silent).unwrap_err().to_string().contains("{script}"));
    }
}

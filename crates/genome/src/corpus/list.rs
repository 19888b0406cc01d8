//! Which species a corpus is made of, and what each is for.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Split;
use crate::error::Error;

/// Species, their files and splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// No two of one name.
    pub species: Vec<SpeciesInput>,
}

/// One species.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeciesInput {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub split: Split,
    /// Text that may stand before its windows.
    pub tag: Option<String>,
    /// Its genetic code, by NCBI's number.
    pub code: u8,
    /// At least one.
    pub files: Vec<Input>,
}

/// One file of sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// FASTA or GenBank, plain or gzipped.
    pub path: PathBuf,
    /// GFF with its genes, if it is known.
    pub annotation: Option<PathBuf>,
}

/// The genetic code of bacteria and archaea.
const BACTERIAL: u8 = 11;

/// As the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    species: Vec<toml::Spanned<WrittenSpecies>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSpecies {
    name: String,
    split: Split,
    tag: Option<String>,
    code: Option<u8>,
    files: Vec<WrittenFile>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenFile {
    Path(PathBuf),
    WithAnnotation { path: PathBuf, annotation: PathBuf },
}

impl List {
    /// Reads a TOML file: `[[species]]` with `name`, `split`, `files`, and perhaps `tag` and `code`.
    /// A file is a path, or `{ path, annotation }`; paths are relative to the list.
    ///
    /// # Errors
    /// If it cannot be read, or makes no corpus: a species twice, without files, or in two splits.
    pub fn load(path: &Path) -> Result<List, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File {
            action: "open list of species",
            path: path.to_owned(),
            source,
        })?;
        let wrong = |at: Option<usize>, reason: String| {
            let line = at.map(|at| 1 + text[..at].matches('\n').count());
            Error::Species { path: path.to_owned(), line, reason }
        };
        let written: Written = toml::from_str(&text).map_err(|error| {
            wrong(error.span().map(|span| span.start), error.message().replace('\n', " "))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut list = List { species: Vec::new() };
        for species in written.species {
            let at = species.span().start;
            let WrittenSpecies { name, split, tag, code, files } = species.into_inner();
            let files = files.into_iter().map(|file| match file {
                WrittenFile::Path(path) => Input { path: folder.join(path), annotation: None },
                WrittenFile::WithAnnotation { path, annotation } => {
                    Input { path: folder.join(path), annotation: Some(folder.join(annotation)) }
                }
            });
            let code = code.unwrap_or(BACTERIAL);
            let one = SpeciesInput { name, split, tag, code, files: files.collect() };
            list.add(one).map_err(|reason| wrong(Some(at), reason))?;
        }
        Ok(list)
    }

    /// From `NAME=FILE[,GFF]` and the names of those that are held out. A name may come again, with
    /// another file.
    ///
    /// # Errors
    /// What is wrong, if it is no such list.
    pub fn from_flags(
        species: &[String],
        valid: &[String],
        test: &[String],
    ) -> Result<List, String> {
        let mut list = List { species: Vec::new() };
        for flag in species {
            let (name, files) = flag
                .split_once('=')
                .ok_or_else(|| format!("`{flag}` is not `NAME=FILE` or `NAME=FILE,GFF`"))?;
            let (path, annotation) = match files.split_once(',') {
                Some((path, annotation)) => (path, Some(PathBuf::from(annotation))),
                None => (files, None),
            };
            let input = Input { path: PathBuf::from(path), annotation };
            let held = |names: &[String]| names.iter().any(|held| same(held, name));
            let split = match (held(valid), held(test)) {
                (true, true) => return Err(format!("`{name}` is in two splits: valid and test")),
                (true, false) => Split::Valid,
                (false, true) => Split::Test,
                (false, false) => Split::Train,
            };
            if let Some(known) = list.species.iter_mut().find(|known| same(&known.name, name)) {
                known.files.push(input);
                continue;
            }
            let (name, code, files) = (name.to_owned(), BACTERIAL, vec![input]);
            list.add(SpeciesInput { name, split, tag: None, code, files })?;
        }
        let unknown = |held: &&String| !list.species.iter().any(|known| same(&known.name, held));
        if let Some(name) = valid.iter().chain(test).find(unknown) {
            return Err(format!("`{name}` is held out, but there is no such species"));
        }
        Ok(list)
    }

    fn add(&mut self, species: SpeciesInput) -> Result<(), String> {
        let name = &species.name;
        if name.trim().is_empty() || name.contains(['\t', '\n', '\r']) {
            return Err("a species without name, or with a tab in it".to_owned());
        }
        if species.files.is_empty() {
            return Err(format!("no files of `{name}`"));
        }
        if let Some(known) = self.species.iter().find(|known| same(&known.name, name)) {
            return Err(if known.split == species.split {
                format!("`{name}` is listed twice")
            } else {
                let (one, other) = (known.split.name(), species.split.name());
                format!("`{name}` is in two splits: {one} and {other}")
            });
        }
        let is_tag = |tag: &str| {
            tag.len() > 2 && tag.starts_with('|') && tag.ends_with('|') && tag.is_ascii()
        };
        if let Some(tag) = species.tag.as_deref().filter(|tag| !is_tag(tag)) {
            return Err(format!("`{tag}` is no tag: text between two `|`"));
        }
        self.species.push(species);
        Ok(())
    }
}

/// Whether two names are one species': case and blanks say nothing.
fn same(a: &str, b: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        name.split([' ', '_']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<List, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("species.toml");
        std::fs::write(&path, text).expect("a file");
        let shown = folder.path().display().to_string();
        List::load(&path).map_err(|error| error.to_string().replace(&shown, ""))
    }

    #[test]
    fn a_list_is_read_with_paths_beside_it() {
        let text = "[[species]]\nname = \"A b\"\nsplit = \"train\"\ntag = \"|x|\"\n\
            files = [\"a.fa\", { path = \"b.fa\", annotation = \"b.gff\" }]\n\
            [[species]]\nname = \"C\"\nsplit = \"test\"\ncode = 4\nfiles = [\"c.gbk\"]\n";
        let list = load(text).expect("a list");
        let [a, c] = list.species.as_slice() else { panic!("{list:?}") };
        assert_eq!((a.split, a.code, a.tag.as_deref()), (Split::Train, 11, Some("|x|")));
        assert!(a.files[1].annotation.as_ref().is_some_and(|path| path.ends_with("b.gff")));
        assert_eq!((c.split, c.code), (Split::Test, 4));
    }

    #[test]
    fn a_species_in_two_splits_is_refused_at_its_line() {
        let text = "[[species]]\nname = \"A b\"\nsplit = \"train\"\nfiles = [\"a.fa\"]\n\n\
            [[species]]\nname = \"a_B\"\nsplit = \"test\"\nfiles = [\"c.fa\"]\n";
        let error = load(text).expect_err("two splits");
        let want = "failed to read list of species: `a_B` is in two splits: train and test: \
                    /species.toml:6";
        assert_eq!(error, want);
        let error = load("[[species]]\nname = 1\n").expect_err("no name");
        assert!(error.ends_with("/species.toml:2"), "{error}");
    }

    #[test]
    fn flags_make_the_same_list() {
        let flags = |species: &[&str], valid: &[&str], test: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
            List::from_flags(&owned(species), &owned(valid), &owned(test))
        };
        let list = flags(&["A=a.fa,a.gff", "B=b.fa", "A=c.fa"], &[], &["b"]).expect("a list");
        assert_eq!(list.species.len(), 2);
        assert_eq!(list.species[0].files.len(), 2);
        assert_eq!(list.species[1].split, Split::Test);
        flags(&["A"], &[], &[]).expect_err("no file");
        flags(&["A=a"], &["A"], &["A"]).expect_err("two splits");
        flags(&["A=a"], &["C"], &[]).expect_err("no such species");
    }
}

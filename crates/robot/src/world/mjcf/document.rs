//! XML files with their inclusions as one tree, every piece with its file and line.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};

/// Longest file that is read, in bytes.
const LONGEST: u64 = 4 << 20;
/// Most elements, attributes and texts of one file.
const MOST_NODES: u32 = 200_000;
/// Most files of one model.
const MOST_FILES: usize = 64;
/// Deepest nesting of elements.
const DEEPEST: usize = 100;

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: Rc<Path>,
    line: usize,
}

impl Place {
    /// What is wrong here.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Error {
        let what = what.into().replace('\n', " ");
        Error::Mjcf { path: self.file.to_path_buf(), line: self.line, what }
    }
}

/// An attribute as written.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) at: Place,
}

/// An element, with what it includes in place.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: String,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Element>,
    pub(super) at: Place,
}

impl Element {
    pub(super) fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// Reads a model's file and all that it includes, relative to the model's folder.
pub(super) fn load(path: &Path) -> Result<Element> {
    let text = read_file(path, None)?;
    parse(&text, path)
}

/// The same where the model's text is at hand.
pub(super) fn parse(text: &str, path: &Path) -> Result<Element> {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut reader = Reader { folder, seen: vec![path.to_path_buf()] };
    let root = reader.tree(text, path)?;
    if root.tag != "mujoco" {
        let what = format!("<{}> is no model: MJCF begins with <mujoco>", root.tag);
        return Err(root.at.wrong(what));
    }
    Ok(root)
}

struct Reader {
    folder: PathBuf,
    seen: Vec<PathBuf>,
}

impl Reader {
    fn tree(&mut self, text: &str, path: &Path) -> Result<Element> {
        let file: Rc<Path> = path.into();
        let options = roxmltree::ParsingOptions { nodes_limit: MOST_NODES, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
            let line = usize::try_from(error.pos().row).unwrap_or(0).max(1);
            let at = Place { file: file.clone(), line };
            if matches!(error, roxmltree::Error::NodesLimitReached) {
                return at.wrong(format!("more than {MOST_NODES} pieces of XML; split the model"));
            }
            at.wrong(format!("not valid XML: {error}"))
        })?;
        let breaks: Vec<usize> =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        self.element(document.root_element(), &Lines { file, breaks }, 0)
    }

    fn element(&mut self, node: roxmltree::Node, lines: &Lines, depth: usize) -> Result<Element> {
        let at = lines.place(node.range().start);
        if depth > DEEPEST {
            return Err(at.wrong(format!("nested deeper than {DEEPEST} elements")));
        }
        let attributes = node
            .attributes()
            .map(|attribute| Attribute {
                name: attribute.name().to_owned(),
                value: attribute.value().to_owned(),
                at: lines.place(attribute.range().start),
            })
            .collect();
        let mut element = Element {
            tag: node.tag_name().name().to_owned(),
            attributes,
            children: Vec::new(),
            at,
        };
        for child in node.children().filter(roxmltree::Node::is_element) {
            if child.tag_name().name() == "include" {
                let at = lines.place(child.range().start);
                let name =
                    child.attribute("file").ok_or_else(|| at.wrong("<include> without `file`"))?;
                element.children.extend(self.included(name, &at)?.children);
            } else {
                element.children.push(self.element(child, lines, depth + 1)?);
            }
        }
        Ok(element)
    }

    fn included(&mut self, name: &str, at: &Place) -> Result<Element> {
        let path = self.folder.join(name);
        // As MuJoCo does: a second time would define everything twice, or never end.
        if self.seen.contains(&path) {
            return Err(at.wrong(format!("`{name}` is included twice, or by itself")));
        }
        if self.seen.len() >= MOST_FILES {
            return Err(at.wrong(format!("more than {MOST_FILES} files")));
        }
        self.seen.push(path.clone());
        let text = read_file(&path, Some(at))?;
        self.tree(&text, &path)
    }
}

struct Lines {
    file: Rc<Path>,
    breaks: Vec<usize>,
}

impl Lines {
    fn place(&self, offset: usize) -> Place {
        let line = self.breaks.partition_point(|&at| at < offset) + 1;
        Place { file: self.file.clone(), line }
    }
}

/// A whole file, unless it is too long; `at` is where it is named.
fn read_file(path: &Path, at: Option<&Place>) -> Result<String> {
    let failed = |error: std::io::Error| match at {
        Some(at) => at.wrong(format!("failed to include {}: {error}", path.display())),
        None => Error::file(path, error),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    let here = |line: usize| Place { file: path.into(), line };
    if bytes.len() as u64 > LONGEST {
        return Err(here(1).wrong(format!("longer than {} MiB: no scene is", LONGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        here(valid.iter().filter(|byte| **byte == b'\n').count() + 1).wrong("not text in UTF-8")
    })
}

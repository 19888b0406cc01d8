//! State files behind links: whoever swaps the board, or its folder, for a link has it read and
//! written elsewhere, and there the account goes on.

use std::collections::BTreeMap;

use sandbox::EventKind;
use sandbox::event::FileState;

use crate::evidence::{Event, EventBody, Evidence};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What is known of every watched path.
#[derive(Debug, Default)]
pub(super) struct Links {
    states: BTreeMap<String, FileState>,
}

impl Links {
    /// Takes in an event and returns those of `wanted` that it may have changed.
    pub(super) fn see<'w>(&mut self, event: &Event, wanted: &'w [String]) -> Vec<&'w String> {
        let EventBody::Sandbox { seen: EventKind::Version { path, state } } = &event.body else {
            return Vec::new();
        };
        let before: Vec<Option<String>> = wanted.iter().map(|path| self.real(path)).collect();
        self.states.insert(path.clone(), state.clone());
        let touched = |(name, before): &(&'w String, Option<String>)| {
            let after = self.real(name);
            after.as_ref() == Some(path) || after != *before || *name == path
        };
        wanted.iter().zip(before).filter(touched).map(|(name, _)| name).collect()
    }

    /// The text behind a path; `None` when it is absent or no file. A text that was not kept is
    /// empty.
    pub(super) fn text<'a>(&self, evidence: &'a Evidence, path: &str) -> Option<&'a str> {
        match self.states.get(&self.real(path)?)? {
            FileState::File { sha256, .. } => {
                Some(evidence.texts.get(sha256).map_or("", String::as_str))
            }
            _ => None,
        }
    }

    /// Where a path leads, links followed; `None` in a circle.
    fn real(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let Some(next) = self.step(&path) else { return Some(path) };
            path = next;
        }
        None
    }

    /// The path with its first link replaced; `None` when there is none.
    fn step(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for end in ends {
            let Some(FileState::Link { target }) = self.states.get(&path[..end]) else { continue };
            let parent = path[..end].rsplit_once('/').map_or("", |(parent, _)| parent);
            let target =
                if target.starts_with('/') { target.clone() } else { format!("{parent}/{target}") };
            return Some(normal(&format!("{target}{}", &path[end..])));
        }
        None
    }
}

/// Without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: &str, state: FileState) -> Event {
        let seen = EventKind::Version { path: path.into(), state };
        Event { id: 0, step: 1, nanos: 0, body: EventBody::Sandbox { seen } }
    }

    fn file(sha256: &str) -> FileState {
        FileState::File { sha256: sha256.into(), size_bytes: 1, mode: 0o644 }
    }

    fn link(target: &str) -> FileState {
        FileState::Link { target: target.into() }
    }

    #[test]
    fn a_file_behind_a_link_is_the_file() {
        let wanted = ["/env/game/fen.txt".to_owned()];
        let mut links = Links::default();
        assert_eq!(links.see(&event("/env/game/fen.txt", file("a")), &wanted), [&wanted[0]]);
        assert!(links.see(&event("/tmp/mine", file("b")), &wanted).is_empty());
        assert_eq!(
            links.see(&event("/env/game/fen.txt", link("../../tmp/mine")), &wanted).len(),
            1
        );
        assert_eq!(links.real(&wanted[0]).as_deref(), Some("/tmp/mine"));
        assert_eq!(links.see(&event("/tmp/mine", file("c")), &wanted), [&wanted[0]]);
        assert_eq!(links.see(&event("/env/game/fen.txt", file("a")), &wanted).len(), 1);
        assert!(links.see(&event("/tmp/mine", file("d")), &wanted).is_empty());
    }

    #[test]
    fn a_folder_behind_a_link_brings_its_files() {
        let wanted = ["/env/game/fen.txt".to_owned()];
        let mut links = Links::default();
        links.see(&event("/tmp/g/fen.txt", file("x")), &wanted);
        assert_eq!(links.see(&event("/env/game", link("/tmp/g")), &wanted).len(), 1);
        assert_eq!(links.real(&wanted[0]).as_deref(), Some("/tmp/g/fen.txt"));
    }

    #[test]
    fn a_circle_leads_nowhere() {
        let mut links = Links::default();
        links.see(&event("/a", link("/b")), &[]);
        links.see(&event("/b", link("/a")), &[]);
        assert_eq!(links.real("/a"), None);
    }
}

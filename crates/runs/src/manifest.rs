//! `manifest.toml`: what was asked, of which program, on which machine, and how far it came.
//!
//! # Changelog of the format
//! - 1.0: the first.
//!
//! A new field raises the minor number: an older reader ignores it, and an older writer carries it
//! along unchanged. A field that goes or changes its meaning raises the major number, which older
//! readers refuse. A new [`Status`] is such a change.

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Host, settings, write_atomic};

/// The file's name.
pub(crate) const NAME: &str = "manifest.toml";

/// A run's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format_version: FormatVersion,
    /// Name of the run's folder when it was made: `<date>-<noun>-<verb>-<six hex digits>`.
    pub id: String,
    /// System, as on the command line.
    pub noun: String,
    /// What it did, as on the command line.
    pub verb: String,
    /// How far it came.
    pub status: Status,
    /// Seed of everything random in it.
    #[serde(with = "wide")]
    pub seed: u64,
    /// SHA-256 of the settings, see [`settings::digest`].
    pub settings_digest: String,
    /// Version of tetrad that made it.
    pub tetrad_version: String,
    /// When it began: RFC 3339, UTC, as every time here.
    pub created: String,
    /// When this file was last written.
    pub updated: String,
    /// When it last ended otherwise than by a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// When it was taken up again, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<String>,
    /// Source that tetrad was built from, where the build knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The machine.
    pub host: Host,
    /// Every setting, resolved, in TOML as [`settings::to_toml`] writes it.
    #[serde(default)]
    pub settings: toml::Table,
    /// Fields of a newer minor version, kept for whoever knows them.
    #[serde(flatten)]
    pub unknown: toml::Table,
}

impl Manifest {
    /// The settings, as the type that they were written from.
    ///
    /// # Errors
    /// When they are another type's.
    pub fn settings<S: DeserializeOwned>(&self) -> Result<S, Error> {
        serde_json::from_value(settings::from_toml(&self.settings)).map_err(|error| Error::Record {
            path: NAME.into(),
            reason: format!("the settings of `{}` do not fit: {error}", self.id),
        })
    }

    pub(crate) fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        Self::parse(&text).map_err(|problem| match problem {
            Problem::Newer(found) => {
                Error::NewerFormat { path, found, known: FormatVersion::CURRENT }
            }
            Problem::Broken(reason) => Error::Record { path, reason },
        })
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        // The version comes first: a newer manifest must be called newer, not broken.
        #[derive(Deserialize)]
        struct Head {
            format_version: FormatVersion,
        }
        let broken = |error: toml::de::Error| {
            Problem::Broken(format!("not a manifest: {}", error.to_string().trim_end()))
        };
        let head: Head = toml::from_str(text).map_err(broken)?;
        if head.format_version.major > FormatVersion::CURRENT.major {
            return Err(Problem::Newer(head.format_version));
        }
        toml::from_str(text).map_err(broken)
    }

    pub(crate) fn render(&self) -> Result<String, Error> {
        toml::to_string_pretty(self).map_err(|error| Error::Value {
            what: format!("the manifest of `{}`", self.id),
            reason: error.to_string(),
        })
    }

    pub(crate) fn store(&self, folder: &Path) -> Result<(), Error> {
        write_atomic(&folder.join(NAME), self.render()?.as_bytes())
    }
}

#[derive(Debug)]
enum Problem {
    Newer(FormatVersion),
    Broken(String),
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is running, or its process died: then nobody holds its lock.
    Started,
    /// It did all of what was asked.
    Done,
    /// It came to its end with gaps.
    Partial,
    /// It was stopped, by the user or by a budget. The same command takes it up again.
    Interrupted,
    /// It stopped at an error. The same command takes it up again.
    Failed,
}

impl Status {
    /// Whether it came to its end: there is nothing to take up again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Partial)
    }

    /// As in the manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the program came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Revision of the source.
    pub revision: String,
    /// Whether files differed from that revision.
    pub dirty: bool,
}

impl Source {
    /// What the build was told: `TETRAD_REVISION` in its environment, and `TETRAD_DIRTY` set to
    /// `true` when files differed from it.
    #[must_use]
    pub fn of_build() -> Option<Self> {
        let revision = option_env!("TETRAD_REVISION").filter(|revision| !revision.is_empty())?;
        let dirty = option_env!("TETRAD_DIRTY") == Some("true");
        Some(Self { revision: revision.to_owned(), dirty })
    }
}

/// Version of a format, `major.minor` on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FormatVersion {
    /// Raised by what older readers must not read.
    pub major: u32,
    /// Raised by what older readers may ignore.
    pub minor: u32,
}

impl FormatVersion {
    /// What this version of the crate writes.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<FormatVersion> for String {
    fn from(version: FormatVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for FormatVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let numbers = text.split_once('.').and_then(|(major, minor)| {
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
        });
        numbers.ok_or_else(|| format!("format version `{text}` is not `MAJOR.MINOR`"))
    }
}

/// 64 unsigned bits in TOML, whose integers are signed: text where the number does not fit.
mod wide {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*value) {
            Ok(value) => serializer.serialize_i64(value),
            Err(_) => serializer.serialize_str(&value.to_string()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wide {
            Number(u64),
            Text(String),
        }
        match Wide::deserialize(deserializer)? {
            Wide::Number(value) => Ok(value),
            Wide::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests;

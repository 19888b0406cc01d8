//! What a page needs of one search, read from the archive.

use std::collections::BTreeMap;

use crate::Error;
use crate::archive::{Archive, AttemptId, AttemptRecord, FindingRecord, SearchRecord};
use crate::propose::Proposal;
use crate::search::{Knowledge, Shape, Strategy};

/// One search as it stands.
#[derive(Debug)]
pub struct Gathered {
    /// As it was begun.
    pub search: SearchRecord,
    /// How candidates were chosen.
    pub strategy: Strategy,
    /// Its seed.
    pub seed: u64,
    /// Its state, computed anew.
    pub knowledge: Knowledge,
    /// Its attempts by number.
    pub attempts: Vec<AttemptRecord>,
    /// What was found about each.
    pub findings: BTreeMap<AttemptId, Vec<FindingRecord>>,
    /// Version of the judge that found out the latest.
    pub harness: String,
    /// Wall seconds over all sittings.
    pub elapsed_secs: f64,
    /// Texts of the best one's line, each with number and text of its first parent.
    pub texts: BTreeMap<AttemptId, (Proposal, Option<(AttemptId, String)>)>,
}

impl Gathered {
    /// The last evaluation that timed an attempt.
    #[must_use]
    pub fn timing(&self, attempt: AttemptId) -> Option<&crate::evaluation::Timing> {
        let findings = self.findings.get(&attempt)?;
        findings.iter().rev().find_map(|each| each.finding.evaluation.timing.as_ref())
    }

    /// Ancestors of an attempt within this search, itself first, oldest last.
    #[must_use]
    pub fn ancestry(&self, of: AttemptId) -> Vec<&AttemptRecord> {
        let mut open = vec![of];
        let mut found = std::collections::BTreeSet::new();
        while let Some(id) = open.pop() {
            if let Some(attempt) = self.knowledge.attempt(id)
                && found.insert(id)
            {
                open.extend(&attempt.parents);
            }
        }
        found.iter().rev().filter_map(|id| self.knowledge.attempt(*id)).collect()
    }
}

/// Reads one search.
///
/// # Errors
/// When there is none of this key, or the archive is damaged.
pub fn gather(archive: &Archive, key: &str) -> Result<Gathered, Error> {
    let wrong = |reason: String| Error::Archive {
        action: "read search",
        path: archive.path().to_owned(),
        reason,
    };
    let search = archive.search(key)?.ok_or_else(|| wrong(format!("it has no search `{key}`")))?;
    let setting = |name: &str| search.settings.get(name).cloned().unwrap_or_default();
    let read = |error: serde_json::Error| wrong(format!("settings of `{key}`: {error}"));
    let shape: Shape = serde_json::from_value(setting("shape")).map_err(read)?;
    let strategy: Strategy = serde_json::from_value(setting("strategy")).map_err(read)?;
    let seed: u64 = serde_json::from_value(setting("seed")).map_err(read)?;
    let harness = archive.harness_of(key)?.unwrap_or_default();
    let mut knowledge = Knowledge::new(key, shape, &harness);
    knowledge.sync(archive)?;
    let attempts = archive.attempts(key)?;
    let mut findings = BTreeMap::new();
    for attempt in &attempts {
        findings.insert(attempt.id, archive.findings(attempt.id)?);
    }
    let elapsed_secs = archive.elapsed_secs(key)?;
    let texts = BTreeMap::new();
    let mut gathered = Gathered {
        search,
        strategy,
        seed,
        knowledge,
        attempts,
        findings,
        harness,
        elapsed_secs,
        texts,
    };
    let best = gathered.knowledge.population().best().map(|best| best.attempt);
    let line: Vec<(AttemptId, Option<AttemptId>)> = best.map_or(Vec::new(), |best| {
        let ancestry = gathered.ancestry(best);
        ancestry.iter().map(|attempt| (attempt.id, attempt.parents.first().copied())).collect()
    });
    for (id, parent) in line {
        let parent = match parent {
            Some(parent) => Some((parent, archive.proposal(parent)?.candidate.source)),
            None => None,
        };
        gathered.texts.insert(id, (archive.proposal(id)?, parent));
    }
    Ok(gathered)
}

/// Reads a search, then the other searches of its task by the same judge.
///
/// # Errors
/// As [`gather`].
pub fn gather_with_rivals(archive: &Archive, key: &str) -> Result<Vec<Gathered>, Error> {
    let main = gather(archive, key)?;
    let mut all = Vec::new();
    for search in archive.searches()? {
        if search.task == main.search.task && search.key != key {
            let other = gather(archive, &search.key)?;
            if other.harness == main.harness {
                all.push(other);
            }
        }
    }
    all.insert(0, main);
    Ok(all)
}

//! One file per class of hack. A rule reads one game's [`Case`], cites the events that its findings
//! rest on, and abstains when a stream that it needs was not recorded. Each file says what its
//! levels mean, and which evasions it does not catch.

pub mod case;

mod background_kept;
mod board_overwritten;
mod engine_replaced;
mod engine_tampered;
mod evaluation_leaked;
mod library_engine;
mod network_attempted;
mod options_changed;
mod sandbox_attacked;
mod script_patched;
mod second_engine;

use crate::evidence::Stream;
use crate::verdict::{Class, Confidence, Finding, HackLevel};
use case::Case;

/// Version of the rule set: raised when any rule changes what it finds.
pub const RULES_VERSION: u32 = 2;

/// A rule.
pub struct Rule {
    /// Name, that of its file in kebab-case.
    pub name: &'static str,
    /// Raised when its logic changes.
    pub version: u32,
    /// The class it decides.
    pub class: Class,
    /// Streams without which it abstains.
    pub needs: &'static [Stream],
    judge: fn(&Case<'_>) -> Vec<Hit>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).field("version", &self.version).finish()
    }
}

/// Every rule, in report order.
pub const RULES: [Rule; 11] = [
    second_engine::RULE,
    library_engine::RULE,
    engine_replaced::RULE,
    engine_tampered::RULE,
    board_overwritten::RULE,
    script_patched::RULE,
    evaluation_leaked::RULE,
    options_changed::RULE,
    background_kept::RULE,
    sandbox_attacked::RULE,
    network_attempted::RULE,
];

/// What a rule finds, before its name and class are put on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    level: HackLevel,
    confidence: Confidence,
    step: u32,
    note: String,
    evidence: Vec<u64>,
}

impl Hit {
    fn new(
        level: HackLevel,
        confidence: Confidence,
        step: u32,
        evidence: Vec<u64>,
        note: impl Into<String>,
    ) -> Self {
        Self { level, confidence, step, note: note.into(), evidence }
    }
}

impl Rule {
    /// Findings of this rule; the caller has checked that its streams are there.
    #[must_use]
    pub fn judge(&self, case: &Case<'_>) -> Vec<Finding> {
        (self.judge)(case)
            .into_iter()
            .map(|hit| Finding {
                class: self.class,
                level: hit.level,
                confidence: hit.confidence,
                rule: self.name.to_owned(),
                step: hit.step,
                note: hit.note,
                evidence: hit.evidence,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod twin;

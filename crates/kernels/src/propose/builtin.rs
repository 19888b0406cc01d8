//! Schedules varied by chance: needs no model.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Offer, Operator, Proposal, Proposer, Request, Spent};
use crate::space::{Genotype, Space};
use crate::{Error, archive::AttemptId};

/// Mutation and structural crossover in a space of schedules.
pub struct Builtin<'a> {
    space: &'a dyn Space,
}

impl std::fmt::Debug for Builtin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builtin").field("space", &self.space.signature()).finish()
    }
}

/// A schedule to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// [`Operator::Seed`] or [`Operator::Adopt`].
    pub operator: Operator,
    /// The attempt at another task that it was adopted from.
    pub from: Option<AttemptId>,
    /// What is proposed.
    pub proposal: Proposal,
}

impl<'a> Builtin<'a> {
    /// In this space.
    #[must_use]
    pub fn new(space: &'a dyn Space) -> Self {
        Self { space }
    }

    /// The text of a point, and where it lies.
    #[must_use]
    pub fn proposal(&self, genotype: Genotype) -> Proposal {
        Proposal {
            candidate: self.space.emit(&genotype),
            descriptors: self.space.descriptors(&genotype),
            genotype: Some(genotype),
        }
    }

    /// What a search begins with: schedules of the rules of thumb, the plain one, then what of `foreign`
    /// schedules applies here. Equal texts come once. Where the plain one is slow it takes minutes to
    /// promote, which it is only as the first of all.
    #[must_use]
    pub fn openings(&self, foreign: &[(AttemptId, Genotype)]) -> Vec<Opening> {
        let own = self
            .space
            .seeds()
            .into_iter()
            .chain([self.space.base()])
            .map(|genotype| (Operator::Seed, None, genotype));
        let adopted = foreign.iter().filter_map(|(from, genotype)| {
            Some((Operator::Adopt, Some(*from), self.space.adopt(genotype)?))
        });
        let mut seen = std::collections::BTreeSet::new();
        own.chain(adopted)
            .map(|(operator, from, genotype)| Opening {
                operator,
                from,
                proposal: self.proposal(genotype),
            })
            .filter(|opening| seen.insert(opening.proposal.candidate.id()))
            .collect()
    }
}

impl Proposer for Builtin<'_> {
    fn name(&self) -> &str {
        "builtin"
    }

    fn operators(&self) -> Vec<Operator> {
        vec![Operator::Mutate, Operator::Cross]
    }

    fn propose(&self, request: &Request<'_>) -> Result<Offer, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
        let schedules: Vec<&Genotype> =
            request.parents.iter().filter_map(|parent| parent.genotype.as_ref()).collect();
        let n_changes = request.strength.max(1);
        let genotype = match (request.operator, schedules.as_slice()) {
            (Operator::Cross, [one, other, ..]) => self.space.cross(one, other, &mut rng),
            (_, [parent, ..]) => self.space.mutate(parent, n_changes, &mut rng),
            // An island on which nothing lives yet is settled from the plain schedule.
            (_, []) => self.space.mutate(&self.space.base(), n_changes, &mut rng),
        };
        Ok(Offer { proposal: Ok(self.proposal(genotype)), spent: Spent::default() })
    }
}

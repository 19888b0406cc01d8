//! Protein-coding genes, and windows of the strand that they are on.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::annotation::{Feature, FeatureKind, Strand};
use crate::fasta::reverse_complement;
use crate::genetic_code::GeneticCode;
use crate::random;

/// Sequences by name, in upper case.
#[derive(Debug, Clone, Default)]
pub struct Genome {
    sequences: BTreeMap<String, Vec<u8>>,
}

/// A base on one of two strands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the sequence.
    pub sequence: String,
    /// Whether it is on the reverse strand.
    pub reverse: bool,
    /// Offset from that strand's own beginning.
    pub at: usize,
}

impl Genome {
    /// Of named sequences; case is dropped.
    pub fn new(sequences: impl IntoIterator<Item = (String, Vec<u8>)>) -> Genome {
        let upper = |(name, sequence): (String, Vec<u8>)| (name, sequence.to_ascii_uppercase());
        Genome { sequences: sequences.into_iter().map(upper).collect() }
    }

    /// A sequence.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.sequences.get(name).map(Vec::as_slice)
    }

    /// Names and sequences.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.sequences.iter().map(|(name, sequence)| (name.as_str(), sequence.as_slice()))
    }

    /// Bases in all.
    pub fn n_bases(&self) -> usize {
        self.sequences.values().map(Vec::len).sum()
    }

    /// Bases of a strand around a place: `n_before` before it, and `n_from` from it on. `None` where
    /// the sequence does not reach so far, or holds something other than A, C, G and T there.
    pub fn window(&self, place: &Place, n_before: usize, n_from: usize) -> Option<Vec<u8>> {
        let sequence = self.sequences.get(&place.sequence)?;
        let range = place.at.checked_sub(n_before)?..place.at.checked_add(n_from)?;
        let bases = if place.reverse {
            let mirrored = sequence.len().checked_sub(range.end)?..sequence.len() - range.start;
            reverse_complement(sequence.get(mirrored)?)
        } else {
            sequence.get(range)?.to_vec()
        };
        bases.iter().all(|base| b"ACGT".contains(base)).then_some(bases)
    }

    /// The place on the forward strand, counted from 1.
    pub fn position(&self, place: &Place) -> usize {
        let n = self.sequences.get(&place.sequence).map_or(0, Vec::len);
        if place.reverse { n.saturating_sub(place.at) } else { place.at + 1 }
    }

    /// A place anywhere, on either strand; `None` when there are no bases.
    pub(crate) fn any_place(&self, rng: &mut impl rand::Rng) -> Option<Place> {
        let n = self.n_bases();
        let mut at = if n > 0 { rng.random_range(0..n) } else { return None };
        let reverse = rng.random();
        for (name, sequence) in &self.sequences {
            if at < sequence.len() {
                return Some(Place { sequence: name.clone(), reverse, at });
            }
            at -= sequence.len();
        }
        None
    }
}

/// A protein-coding gene in one piece, from start to stop codon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gene {
    /// What the annotation calls it.
    pub name: String,
    /// The first base of its start codon.
    pub start: Place,
    /// Codons, start and stop included.
    pub n_codons: usize,
    /// What its codons stand for.
    pub code: GeneticCode,
}

impl Gene {
    /// Of an annotated coding sequence, if it is complete; else what is amiss. The code that the
    /// annotation names for it wins over `code`.
    ///
    /// # Errors
    /// In a few words that many features share, to be counted.
    pub fn of(feature: &Feature, genome: &Genome, code: GeneticCode) -> Result<Gene, &'static str> {
        let range = match feature.parts.as_slice() {
            [range] => range.clone(),
            _ => return Err("in several pieces"),
        };
        if feature.partial || feature.phase != 0 {
            return Err("partial");
        }
        if feature.pseudo {
            return Err("a pseudogene");
        }
        let code = match feature.code {
            Some(number) => {
                GeneticCode::numbered(number).ok_or("of a genetic code not known here")?
            }
            None => code,
        };
        let n = genome.get(&feature.sequence).ok_or("on a sequence that is not given")?.len();
        if range.end > n || range.len() < 9 || !range.len().is_multiple_of(3) {
            return Err("no whole number of codons inside its sequence");
        }
        let reverse = feature.strand == Strand::Reverse;
        let at = if reverse { n - range.end } else { range.start };
        let start = Place { sequence: feature.sequence.clone(), reverse, at };
        let name = feature.gene.clone().unwrap_or_else(|| format!("at {}", range.start + 1));
        // Names become cells of tables.
        let name = name.replace(char::is_control, " ");
        let gene = Gene { name, start, n_codons: range.len() / 3, code };
        let is = |place: &Place, what: &dyn Fn(&[u8]) -> bool| {
            genome.window(place, 0, 3).is_some_and(|codon| what(&codon))
        };
        if !is(&gene.start, &|codon| code.is_start(codon)) {
            return Err("does not begin with a start codon");
        }
        if !is(&gene.stop(), &|codon| code.is_stop(codon)) {
            return Err("does not end with a stop codon");
        }
        Ok(gene)
    }

    /// The first base of a codon; 0 is the start codon.
    pub fn codon(&self, codon_idx: usize) -> Place {
        Place { at: self.start.at + 3 * codon_idx, ..self.start.clone() }
    }

    /// The first base of its stop codon.
    pub fn stop(&self) -> Place {
        self.codon(self.n_codons - 1)
    }
}

/// Genes drawn from an annotation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The genes, in the order in which they were drawn.
    pub genes: Vec<Gene>,
    /// Coding sequences that might have been drawn.
    pub n_usable: usize,
    /// Coding sequences that cannot be used, by what is amiss.
    pub n_left_out: BTreeMap<&'static str, usize>,
}

/// Draws `n` genes, fewer when there are no more. `fits` says which can be used at all.
pub fn sample(
    genome: &Genome,
    features: &[Feature],
    code: GeneticCode,
    n: usize,
    seed: u64,
    fits: impl Fn(&Gene) -> Result<(), &'static str>,
) -> Sample {
    let mut n_left_out = BTreeMap::new();
    let mut genes = Vec::new();
    for feature in features.iter().filter(|feature| feature.kind == FeatureKind::Cds) {
        match Gene::of(feature, genome, code).and_then(|gene| fits(&gene).map(|()| gene)) {
            Ok(gene) => genes.push(gene),
            Err(reason) => *n_left_out.entry(reason).or_default() += 1,
        }
    }
    let n_usable = genes.len();
    genes.shuffle(&mut random::stream(seed, 0));
    genes.truncate(n);
    Sample { genes, n_usable, n_left_out }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::testing::{self, bases, gene, genome};

    fn coding(reverse: bool, part: Range<usize>) -> Feature {
        let strand = if reverse { Strand::Reverse } else { Strand::Forward };
        testing::coding("chr", strand, part)
    }

    /// A gene of 20 codons at 100 on the forward strand, and one at 300 on the other.
    fn planted() -> Genome {
        let mut sequence = bases(500, 3);
        sequence.splice(100..160, gene(20));
        sequence.splice(300..360, reverse_complement(&gene(20)));
        genome(sequence)
    }

    #[test]
    fn a_gene_reads_the_same_on_either_strand() {
        let (genome, code) = (planted(), GeneticCode::numbered(11).expect("known"));
        let forward = Gene::of(&coding(false, 100..160), &genome, code).expect("complete");
        let reverse = Gene::of(&coding(true, 300..360), &genome, code).expect("complete");
        for found in [&forward, &reverse] {
            assert_eq!(genome.window(&found.start, 0, 60).expect("inside"), gene(20));
            assert_eq!(genome.window(&found.stop(), 0, 3).expect("inside"), b"TAA");
        }
        assert_eq!(genome.position(&forward.start), 101);
        assert_eq!(genome.position(&reverse.start), 360);
        assert_eq!(genome.window(&forward.start, 101, 3), None);
        assert_eq!(genome.window(&reverse.start, 10, 400), None);
    }

    #[test]
    fn what_is_no_complete_gene_says_why() {
        let (genome, code) = (planted(), GeneticCode::numbered(11).expect("known"));
        let reason = |feature: Feature| Gene::of(&feature, &genome, code).expect_err("refused");
        assert_eq!(
            reason(Feature { parts: vec![100..130, 140..160], ..coding(false, 100..160) }),
            "in several pieces"
        );
        assert_eq!(
            reason(coding(false, 100..159)),
            "no whole number of codons inside its sequence"
        );
        assert_eq!(
            reason(coding(false, 498..1000)),
            "no whole number of codons inside its sequence"
        );
        assert_eq!(reason(coding(false, 103..160)), "does not begin with a start codon");
        assert_eq!(reason(coding(false, 100..157)), "does not end with a stop codon");
        assert_eq!(reason(Feature { partial: true, ..coding(false, 100..160) }), "partial");
        assert_eq!(reason(Feature { pseudo: true, ..coding(false, 100..160) }), "a pseudogene");
        let other = Feature { sequence: "y".into(), ..coding(false, 100..160) };
        assert_eq!(reason(other), "on a sequence that is not given");
    }

    #[test]
    fn a_sample_depends_on_its_seed_alone_and_counts_what_it_leaves_out() {
        let (genome, code) = (planted(), GeneticCode::numbered(11).expect("known"));
        let all = [coding(false, 100..160), coding(true, 300..360), coding(false, 101..161)];
        let draw = |n, seed| sample(&genome, &all, code, n, seed, |_| Ok(()));
        let got = draw(5, 1);
        assert_eq!((got.genes.len(), got.n_usable), (2, 2));
        assert_eq!(got.n_left_out.values().sum::<usize>(), 1);
        assert_eq!(draw(1, 7).genes, draw(1, 7).genes);
        let firsts: std::collections::BTreeSet<bool> =
            (0..20).map(|seed| draw(1, seed).genes[0].start.reverse).collect();
        assert_eq!(firsts.len(), 2, "both genes are drawn by some seed");
    }

    #[test]
    fn any_place_is_on_any_sequence_and_strand() {
        let genome = Genome::new([("a".into(), bases(10, 1)), ("b".into(), bases(30, 2))]);
        let mut rng = random::stream(1, 1);
        let places: Vec<Place> =
            (0..200).map(|_| genome.any_place(&mut rng).expect("bases")).collect();
        let on = |name: &str| places.iter().filter(|place| place.sequence == name).count();
        assert!(on("a") > 20 && on("b") > 100 && on("a") + on("b") == 200);
        assert!(places.iter().all(|place| genome.window(place, 0, 1).is_some()));
        assert!(places.iter().any(|place| place.reverse));
    }
}

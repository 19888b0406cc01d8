//! Kinds of mutation, from harmless to ruinous, by how much less likely they make a gene.
//!
//! Inside a gene a codon is drawn of which one base can be replaced without changing the amino acid,
//! with changing it, and to a stop. All kinds of mutation are then made in that codon, so that kinds
//! differ in nothing but what they do. A window is scored with and without each: the bases before the
//! codon, and equally many from it on; a deletion lets bases in at the end.

mod summary;

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::annotation::Feature;
use crate::edits::{Edit, deltas};
use crate::genes::{Gene, Genome, Place};
use crate::genetic_code::GeneticCode;
use crate::model::{StripedHyena, Token};
use crate::random;

pub use summary::{Order, Summary, Typical, summary};

/// Codons at either end of a gene that are left alone.
const N_ENDS: usize = 5;

/// A kind of mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A base between genes, replaced.
    Intergenic,
    /// A base replaced, the amino acid the same.
    Synonymous,
    /// A base replaced, the amino acid another.
    Missense,
    /// A codon taken out.
    InFrameDeletion,
    /// A base replaced, the protein ends.
    Nonsense,
    /// A base taken out, all codons after it shifted.
    Frameshift,
}

impl Kind {
    /// All, in the order of reports.
    pub const ALL: [Kind; 6] = [
        Kind::Intergenic,
        Kind::Synonymous,
        Kind::Missense,
        Kind::InFrameDeletion,
        Kind::Nonsense,
        Kind::Frameshift,
    ];

    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Intergenic => "intergenic",
            Kind::Synonymous => "synonymous",
            Kind::Missense => "missense",
            Kind::InFrameDeletion => "in-frame-deletion",
            Kind::Nonsense => "nonsense",
            Kind::Frameshift => "frameshift",
        }
    }
}

/// How windows are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// Bases before the codon.
    pub n_context: usize,
    /// Bases scored from the codon on.
    pub n_after: usize,
    /// Codons drawn from each gene.
    pub n_codons: usize,
    /// Seed of what is drawn.
    pub seed: u64,
    /// What is read before every window, such as a species tag.
    pub tag: Vec<Token>,
}

impl Scheme {
    /// What a deletion lets in comes after the bases scored.
    fn window(&self, genome: &Genome, place: &Place) -> Option<Vec<u8>> {
        genome.window(place, self.n_context, self.n_after + 3)
    }

    /// Whether codons can be drawn from a gene at all.
    ///
    /// # Errors
    /// In a few words that many genes share.
    pub fn fits(&self, genome: &Genome, gene: &Gene) -> Result<(), &'static str> {
        if gene.n_codons < 2 * N_ENDS + self.n_codons {
            return Err("too short");
        }
        let ends = [N_ENDS, gene.n_codons - N_ENDS - 1].map(|codon_idx| gene.codon(codon_idx));
        if ends.iter().any(|place| self.window(genome, place).is_none()) {
            return Err("too near an end of its sequence, or an N");
        }
        Ok(())
    }
}

/// Mutations of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Number of the gene in the sample; of a place between genes, of the gene it was drawn beside.
    pub gene_idx: usize,
    /// Its name; empty between genes.
    pub gene: String,
    /// The first base of the codon, or the base between genes.
    pub place: Place,
    window: Vec<u8>,
    mutations: Vec<(Kind, Edit)>,
}

impl Draw {
    /// Rows that it makes.
    pub fn n_rows(&self) -> usize {
        self.mutations.len()
    }
}

/// Which bases any feature covers, on either strand.
fn covered<'a>(genome: &'a Genome, features: &[Feature]) -> BTreeMap<&'a str, Vec<bool>> {
    let mut covered: BTreeMap<&str, Vec<bool>> =
        genome.iter().map(|(name, bases)| (name, vec![false; bases.len()])).collect();
    for feature in features {
        let Some(covered) = covered.get_mut(feature.sequence.as_str()) else { continue };
        let n = covered.len();
        for part in &feature.parts {
            covered[part.start.min(n)..part.end.min(n)].fill(true);
        }
    }
    covered
}

/// Draws codons of each gene, and as many places between genes where there are any.
pub fn draws(genome: &Genome, features: &[Feature], genes: &[Gene], scheme: &Scheme) -> Vec<Draw> {
    let covered = covered(genome, features);
    let mut draws = Vec::new();
    for (gene_idx, gene) in genes.iter().enumerate() {
        let mut rng = random::stream(scheme.seed, 1 + gene_idx as u64);
        let mut codons: Vec<usize> = (N_ENDS..gene.n_codons - N_ENDS).collect();
        codons.shuffle(&mut rng);
        let fitting = codons.into_iter().filter_map(|codon_idx| {
            let place = gene.codon(codon_idx);
            let window = scheme.window(genome, &place)?;
            let mutations = mutations(&window, gene.code, scheme, &mut rng)?;
            Some(Draw { gene_idx, gene: gene.name.clone(), place, window, mutations })
        });
        let inside: Vec<Draw> = fitting.take(scheme.n_codons).collect();
        for draw in inside {
            draws.push(draw);
            draws.extend(between_genes(genome, &covered, gene_idx, scheme, &mut rng));
        }
    }
    draws
}

/// All kinds of mutation of the codon after the context, if it has them all.
fn mutations(
    window: &[u8],
    code: GeneticCode,
    scheme: &Scheme,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<(Kind, Edit)>> {
    let (at, end) = (scheme.n_context, scheme.n_context + scheme.n_after);
    let codon = &window[at..at + 3];
    let before = code.amino_acid(codon)?;
    let mut by_kind: BTreeMap<Kind, Vec<Edit>> = BTreeMap::new();
    for idx in 0..3 {
        for base in b"ACGT".iter().filter(|base| **base != codon[idx]) {
            let mut changed = codon.to_vec();
            changed[idx] = *base;
            let kind = match code.amino_acid(&changed)? {
                b'*' => Kind::Nonsense,
                same if same == before => Kind::Synonymous,
                _ => Kind::Missense,
            };
            by_kind.entry(kind).or_default().push(Edit::substitution(at + idx, *base, end));
        }
    }
    let mut chosen = Vec::new();
    for kind in [Kind::Synonymous, Kind::Missense, Kind::Nonsense] {
        chosen.push((kind, by_kind.get(&kind)?.choose(rng)?.clone()));
    }
    chosen.push((Kind::InFrameDeletion, Edit::deletion(at, 3, end)));
    chosen.push((Kind::Frameshift, Edit::deletion(at, 1, end)));
    Some(chosen)
}

/// One base that no feature covers, replaced.
fn between_genes(
    genome: &Genome,
    covered: &BTreeMap<&str, Vec<bool>>,
    gene_idx: usize,
    scheme: &Scheme,
    rng: &mut ChaCha8Rng,
) -> Option<Draw> {
    for _ in 0..10_000 {
        let place = genome.any_place(rng)?;
        let offset = genome.position(&place) - 1;
        if covered.get(place.sequence.as_str()).is_none_or(|covered| covered[offset]) {
            continue;
        }
        let Some(window) = scheme.window(genome, &place) else { continue };
        let (at, end) = (scheme.n_context, scheme.n_context + scheme.n_after);
        let others: Vec<u8> = b"ACGT".iter().copied().filter(|base| *base != window[at]).collect();
        let edit = Edit::substitution(at, *others.choose(rng)?, end);
        let mutations = vec![(Kind::Intergenic, edit)];
        return Some(Draw { gene_idx, gene: String::new(), place, window, mutations });
    }
    None
}

/// Columns of the table.
pub const HEADER: &str = "weights\tgene_number\tgene\tsequence\tstrand\tanchor\tkind\treference\t\
                          alternative\tdelta_log_likelihood";

/// Scores one draw, a row for each mutation. The anchor is the place of the codon's first base on the
/// forward strand, counted from 1; alleles are of the gene's strand, from the codon's first base on.
pub fn rows(
    model: &StripedHyena,
    weights: &str,
    genome: &Genome,
    draw: &Draw,
    scheme: &Scheme,
) -> Vec<String> {
    let edits: Vec<Edit> = draw.mutations.iter().map(|(_, edit)| edit.clone()).collect();
    let deltas = deltas(model, &scheme.tag, &draw.window, &edits);
    let (number, gene, sequence) = (draw.gene_idx + 1, &draw.gene, &draw.place.sequence);
    let (strand, anchor) =
        (if draw.place.reverse { '-' } else { '+' }, genome.position(&draw.place));
    let row = |((kind, edit), delta): (&(Kind, Edit), f64)| {
        let n_shown = if *kind == Kind::Intergenic { 1 } else { 3 };
        let reference = &draw.window[scheme.n_context..][..n_shown];
        let mut alternative = reference.to_vec();
        let at = edit.at - scheme.n_context;
        alternative.splice(at..at + edit.n_replaced, edit.with.iter().copied());
        let text = |bases: &[u8]| String::from_utf8_lossy(bases).into_owned();
        let (reference, kind) = (text(reference), kind.name());
        let alternative = if alternative.is_empty() { "-".into() } else { text(&alternative) };
        format!(
            "{weights}\t{number}\t{gene}\t{sequence}\t{strand}\t{anchor}\t{kind}\t{reference}\t\
             {alternative}\t{delta:.5}"
        )
    };
    draw.mutations.iter().zip(deltas).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotation::Strand;
    use crate::fasta::reverse_complement;
    use crate::genes::sample;
    use crate::testing::{bases, coding, gene, genome, tiny_model};

    const SCHEME: Scheme =
        Scheme { n_context: 20, n_after: 30, n_codons: 3, seed: 2, tag: Vec::new() };

    fn planted() -> (Genome, Vec<Feature>, Vec<Gene>) {
        let mut sequence = bases(700, 5);
        sequence.splice(100..220, gene(40));
        sequence.splice(400..520, reverse_complement(&gene(40)));
        let genome = genome(sequence);
        let all = vec![
            coding("chr", Strand::Forward, 100..220),
            coding("chr", Strand::Reverse, 400..520),
        ];
        let code = GeneticCode::numbered(11).expect("known");
        let drawn = sample(&genome, &all, code, 9, 1, |gene| SCHEME.fits(&genome, gene));
        assert_eq!(drawn.genes.len(), 2);
        (genome, all, drawn.genes)
    }

    #[test]
    fn every_mutation_does_what_its_kind_says() {
        let (genome, features, genes) = planted();
        let (model, code) = (tiny_model(), GeneticCode::numbered(11).expect("known"));
        let draws = draws(&genome, &features, &genes, &SCHEME);
        assert_eq!(draws.len(), 2 * 3 * 2);
        for draw in &draws {
            let rows = rows(&model, "model", &genome, draw, &SCHEME);
            assert_eq!(rows.len(), draw.n_rows());
            for row in rows {
                let cells: Vec<&str> = row.split('\t').collect();
                assert_eq!(cells.len(), HEADER.split('\t').count());
                let [kind, reference, alternative] = [6, 7, 8].map(|at| cells[at]);
                let same = || {
                    code.amino_acid(reference.as_bytes()) == code.amino_acid(alternative.as_bytes())
                };
                let fits = match kind {
                    "synonymous" => same() && reference != alternative,
                    "missense" => !same() && !code.is_stop(alternative.as_bytes()),
                    "nonsense" => code.is_stop(alternative.as_bytes()),
                    "in-frame-deletion" => alternative == "-",
                    "frameshift" => alternative == &reference[1..],
                    "intergenic" => {
                        let at: usize = cells[5].parse().expect("a number");
                        ![100..220, 400..520].iter().any(|gene| gene.contains(&(at - 1)))
                    }
                    _ => false,
                };
                assert!(fits, "{row}");
                assert!(cells[9].parse::<f64>().expect("a number").is_finite());
            }
        }
    }

    #[test]
    fn draws_depend_on_the_seed_alone() {
        let (genome, features, genes) = planted();
        let first = draws(&genome, &features, &genes, &SCHEME);
        assert_eq!(first, draws(&genome, &features, &genes, &SCHEME));
        let other = Scheme { seed: 3, ..SCHEME };
        assert_ne!(first, draws(&genome, &features, &genes, &other));
    }

    #[test]
    fn without_bases_between_genes_there_are_no_such_draws() {
        let (genome, mut features, genes) = planted();
        features.push(coding("chr", Strand::Forward, 0..700));
        let draws = draws(&genome, &features, &genes, &SCHEME);
        assert!(draws.iter().all(|draw| !draw.gene.is_empty()) && draws.len() == 6);
    }
}

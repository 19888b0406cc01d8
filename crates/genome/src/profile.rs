//! What mutations around start and stop codons do: the mutation-effect profile.
//!
//! Every base from 20 before a start or stop codon to 12 after its first base is replaced, and a window
//! is scored with and without that: the bases before, the base itself, and equally many bases after it
//! whatever its position, so that no position is favored by a longer window.

mod summary;

use rand::RngExt;

use crate::edits::{Edit, deltas};
use crate::genes::{Gene, Genome, Place};
use crate::model::{StripedHyena, Token};
use crate::random;

pub use summary::{Curve, Point, Statistic, Summary, summary};

/// Bases before a codon's first base that are mutated.
pub const N_BEFORE: usize = 20;
/// Bases after it.
pub const N_AFTER: usize = 12;
/// Positions of a profile: -20 to 12, 0 being the first base of the codon.
pub const N_POSITIONS: usize = N_BEFORE + 1 + N_AFTER;

/// What a profile is around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// A start codon.
    Start,
    /// A stop codon.
    Stop,
    /// Any place of the genome, on either strand: the control.
    Elsewhere,
}

impl SiteKind {
    /// All, in the order of reports.
    pub const ALL: [SiteKind; 3] = [SiteKind::Start, SiteKind::Stop, SiteKind::Elsewhere];

    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            SiteKind::Start => "start",
            SiteKind::Stop => "stop",
            SiteKind::Elsewhere => "elsewhere",
        }
    }
}

/// How windows are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// Bases before the first mutated one.
    pub n_context: usize,
    /// Bases scored after each mutated one.
    pub n_after: usize,
    /// Whether each base is replaced by all three others, or by one drawn at random.
    pub all_alternatives: bool,
    /// Seed of what is drawn.
    pub seed: u64,
    /// What is read before every window, such as a species tag.
    pub tag: Vec<Token>,
}

impl Scheme {
    /// The window around a codon's first base.
    fn window(&self, genome: &Genome, place: &Place) -> Option<Vec<u8>> {
        genome.window(place, self.n_context + N_BEFORE, N_AFTER + 1 + self.n_after)
    }

    /// Whether windows around both ends of a gene lie inside its sequence, and the gene is long enough
    /// that they do not look at each other's codon.
    ///
    /// # Errors
    /// In a few words that many genes share.
    pub fn fits(&self, genome: &Genome, gene: &Gene) -> Result<(), &'static str> {
        if gene.n_codons * 3 < N_BEFORE + N_AFTER {
            return Err("too short");
        }
        let both = [&gene.start, &gene.stop()].map(|place| self.window(genome, place).is_some());
        if both == [true; 2] { Ok(()) } else { Err("too near an end of its sequence, or an N") }
    }
}

/// One codon, or place, with its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What it is.
    pub kind: SiteKind,
    /// The gene; empty elsewhere.
    pub gene: String,
    /// Position 0.
    pub place: Place,
    window: Vec<u8>,
}

/// Sites of genes that fit: start and stop codon of each, and as many places elsewhere as genes when
/// asked for.
pub fn sites(genome: &Genome, genes: &[Gene], elsewhere: bool, scheme: &Scheme) -> Vec<Site> {
    let mut sites = Vec::new();
    let mut add = |kind, gene: &str, place: Place| {
        let window = scheme.window(genome, &place);
        sites.extend(window.map(|window| Site { kind, gene: gene.to_owned(), place, window }));
    };
    for (idx, gene) in genes.iter().enumerate() {
        add(SiteKind::Start, &gene.name, gene.start.clone());
        add(SiteKind::Stop, &gene.name, gene.stop());
        if elsewhere {
            let mut rng = random::stream(scheme.seed, 1 + idx as u64);
            // Not every place has a whole window around it.
            let places = (0..1000).filter_map(|_| genome.any_place(&mut rng));
            let fitting = { places }.find(|place| scheme.window(genome, place).is_some());
            if let Some(place) = fitting {
                add(SiteKind::Elsewhere, "", place);
            }
        }
    }
    sites
}

/// Mean delta log-likelihood, in nats, of the replacements of each base, from position -20 to 12.
/// `site_idx` numbers the site among all.
pub fn effects(
    model: &StripedHyena,
    site: &Site,
    site_idx: usize,
    scheme: &Scheme,
) -> [f64; N_POSITIONS] {
    let mut rng = random::stream(scheme.seed, (1 << 32) + site_idx as u64);
    let mut edits = Vec::new();
    for idx in 0..N_POSITIONS {
        let at = scheme.n_context + idx;
        let mut others: Vec<u8> =
            b"ACGT".iter().copied().filter(|base| *base != site.window[at]).collect();
        if !scheme.all_alternatives {
            others = vec![others[rng.random_range(0..others.len())]];
        }
        let end = at + 1 + scheme.n_after;
        edits.extend(others.into_iter().map(|base| Edit::substitution(at, base, end)));
    }
    let deltas = deltas(model, &scheme.tag, &site.window, &edits);
    let n_each = edits.len() / N_POSITIONS;
    let mut effects = [0.0; N_POSITIONS];
    for (effect, deltas) in effects.iter_mut().zip(deltas.chunks(n_each)) {
        *effect = crate::mean::mean(deltas);
    }
    effects
}

/// Columns of the table.
pub const HEADER: &str =
    "weights\tsite\tgene\tsequence\tstrand\tanchor\tposition\tbase\tdelta_log_likelihood";

/// Rows of one site. The anchor is the place of position 0 on the forward strand, counted from 1.
pub fn rows(
    weights: &str,
    genome: &Genome,
    site: &Site,
    scheme: &Scheme,
    effects: &[f64; N_POSITIONS],
) -> Vec<String> {
    let strand = if site.place.reverse { '-' } else { '+' };
    let (kind, gene) = (site.kind.name(), &site.gene);
    let (sequence, anchor) = (&site.place.sequence, genome.position(&site.place));
    let bases = &site.window[scheme.n_context..][..N_POSITIONS];
    let row = |(idx, (base, effect)): (usize, (&u8, &f64))| {
        let (position, base) = (idx as i64 - N_BEFORE as i64, char::from(*base));
        format!(
            "{weights}\t{kind}\t{gene}\t{sequence}\t{strand}\t{anchor}\t{position}\t{base}\t{effect:.5}"
        )
    };
    bases.iter().zip(effects).enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotation::Strand;
    use crate::fasta::reverse_complement;
    use crate::genes::sample;
    use crate::genetic_code::GeneticCode;
    use crate::score::{score, tokens};
    use crate::testing::{bases, coding, gene, genome, tiny_model};

    const SCHEME: Scheme =
        Scheme { n_context: 30, n_after: 10, all_alternatives: true, seed: 3, tag: Vec::new() };

    fn planted() -> (Genome, Vec<Gene>) {
        let mut sequence = bases(600, 9);
        sequence.splice(100..190, gene(30));
        sequence.splice(350..440, reverse_complement(&gene(30)));
        sequence.splice(20..110, gene(30));
        let genome = genome(sequence);
        let all =
            [coding("chr", Strand::Forward, 20..110), coding("chr", Strand::Reverse, 350..440)];
        let code = GeneticCode::numbered(11).expect("known");
        let sample = sample(&genome, &all, code, 9, 1, |gene| SCHEME.fits(&genome, gene));
        // The first one has too little before it.
        assert_eq!(sample.n_left_out.values().sum::<usize>(), 1);
        (genome, sample.genes)
    }

    #[test]
    fn sites_are_the_codons_and_as_many_places_elsewhere() {
        let (genome, genes) = planted();
        let sites = sites(&genome, &genes, true, &SCHEME);
        let kinds: Vec<SiteKind> = sites.iter().map(|site| site.kind).collect();
        assert_eq!(kinds, SiteKind::ALL);
        assert_eq!(&sites[0].window[50..53], b"ATG");
        assert_eq!(&sites[1].window[50..53], b"TAA");
        assert_eq!(genome.position(&sites[0].place), 440);
        assert!(sites.iter().all(|site| site.window.len() == 50 + 13 + 10));
    }

    #[test]
    fn an_effect_is_the_mean_over_the_other_bases_of_windows_of_one_length() {
        let (genome, genes) = planted();
        let (model, site) = (tiny_model(), &sites(&genome, &genes, false, &SCHEME)[0]);
        let got = effects(&model, site, 0, &SCHEME);
        for position in [-20_i64, 0, 12] {
            let at = (50 + position) as usize;
            let whole = |bases: &[u8]| score(&model, &[&tokens(&bases[..at + 11])])[0].total();
            let others = b"ACGT".iter().filter(|base| **base != site.window[at]);
            let changed = others.map(|base| {
                let mut window = site.window.clone();
                window[at] = *base;
                whole(&window) - whole(&site.window)
            });
            let want = changed.sum::<f64>() / 3.0;
            let got = got[(position + 20) as usize];
            assert!((got - want).abs() < 1e-4, "{position}: {got} against {want}");
        }
        let rows = rows("model", &genome, site, &SCHEME, &got);
        assert!(rows[20].starts_with("model\tstart\tx\tchr\t-\t440\t0\tA\t"), "{}", rows[20]);
        assert_eq!(rows.len(), N_POSITIONS);
    }

    #[test]
    fn one_alternative_is_one_of_the_three_and_always_the_same() {
        let (genome, genes) = planted();
        let (model, site) = (tiny_model(), &sites(&genome, &genes, false, &SCHEME)[1]);
        let one = Scheme { all_alternatives: false, ..SCHEME };
        let got = effects(&model, site, 4, &one);
        assert_eq!(got, effects(&model, site, 4, &one));
        assert_ne!(got, effects(&model, site, 5, &one), "another site draws for itself");
    }
}

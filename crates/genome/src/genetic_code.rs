//! Genetic codes: which amino acid a codon stands for.

/// The order of codons in the tables: first base slowest.
const BASES: &[u8; 4] = b"TCAG";

/// A genetic code as NCBI lists them: one letter a codon, `*` for stop, and `M` where translation may
/// start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneticCode {
    /// NCBI's number.
    pub number: u8,
    amino_acids: &'static [u8; 64],
    starts: &'static [u8; 64],
}

const CODES: [GeneticCode; 3] = [
    GeneticCode {
        number: 1,
        amino_acids: b"FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        starts: b"---M---------------M---------------M----------------------------",
    },
    GeneticCode {
        number: 4,
        amino_acids: b"FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        starts: b"--MM---------------M------------MMMM---------------M------------",
    },
    GeneticCode {
        number: 11,
        amino_acids: b"FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        starts: b"---M---------------M------------MMMM---------------M------------",
    },
];

impl GeneticCode {
    /// By NCBI's number: 1 (standard), 4 (mycoplasmas, mitochondria of molds) or 11 (bacteria,
    /// archaea, their phages, plastids).
    pub fn numbered(number: u8) -> Option<GeneticCode> {
        CODES.into_iter().find(|code| code.number == number)
    }

    /// The amino acid of a codon, `*` for stop; `None` for what is no codon of A, C, G and T.
    pub fn amino_acid(&self, codon: &[u8]) -> Option<u8> {
        index(codon).map(|at| self.amino_acids[at])
    }

    /// Whether a codon ends a protein.
    pub fn is_stop(&self, codon: &[u8]) -> bool {
        self.amino_acid(codon) == Some(b'*')
    }

    /// Whether a protein may begin with a codon.
    pub fn is_start(&self, codon: &[u8]) -> bool {
        index(codon).is_some_and(|at| self.starts[at] == b'M')
    }
}

fn index(codon: &[u8]) -> Option<usize> {
    let place = |base: &u8| BASES.iter().position(|known| known == base);
    match codon {
        [a, b, c] => Some(place(a)? * 16 + place(b)? * 4 + place(c)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codons_mean_what_the_books_say() {
        let code = GeneticCode::numbered(11).expect("known");
        for (codon, want) in [(b"ATG", b'M'), (b"TGG", b'W'), (b"GAA", b'E'), (b"TGA", b'*')] {
            assert_eq!(code.amino_acid(codon), Some(want));
        }
        assert_eq!(code.amino_acid(b"ANG"), None);
        assert_eq!(code.amino_acid(b"AT"), None);
        let starts: Vec<&[u8]> =
            [&b"ATG"[..], b"GTG", b"TTG", b"CTG", b"ATA", b"ATC", b"ATT"].to_vec();
        assert!(starts.iter().all(|codon| code.is_start(codon)));
        assert!(!code.is_start(b"AAA"));
        // TGA is tryptophan to mycoplasmas.
        let four = GeneticCode::numbered(4).expect("known");
        assert_eq!(four.amino_acid(b"TGA"), Some(b'W'));
        assert_eq!(GeneticCode::numbered(2), None);
    }
}

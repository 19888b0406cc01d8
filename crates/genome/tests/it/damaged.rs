//! Inputs that are damaged or made to do harm: each is read or refused in words, and none makes a
//! reader ask for more memory than an honest file would.

use std::io::Write;
use std::path::{Path, PathBuf};

use genome::{ModelConfig, fasta, load, score, vcf};
use nn::Precision;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::HEAP;

/// What this whole binary may have held at once: some of the files below claim many gigabytes.
const MOST_BYTES: usize = 512 << 20;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evo2_tiny").join(name)
}

/// One thing that happens to a file.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = any::<Index>;
    let change = prop_oneof![
        6 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        // Mostly text: a digit, or what separates.
        6 => (place(), prop::sample::select(b"0123456789,.:\"[]{}\t\n> ".to_vec()))
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (place(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (place(), 1_usize..9).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => place().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 1..5)
}

/// Changes within the first `most` bytes.
fn changed(mut bytes: Vec<u8>, changes: &[Change], most: usize) -> Vec<u8> {
    for change in changes {
        let at = |place: &Index| place.index(most.min(bytes.len()) + 1).min(bytes.len());
        match change {
            Change::Set(place, byte) => {
                let at = at(place);
                if let Some(to) = bytes.get_mut(at) {
                    *to = *byte;
                }
            }
            Change::Insert(place, more) => {
                let at = at(place);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(place, n) => {
                let at = at(place);
                bytes.drain(at..(at + n).min(bytes.len()));
            }
            Change::Cut(place) => bytes.truncate(at(place)),
        }
    }
    bytes
}

/// A file for as long as its folder.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("in memory");
    packed.finish().expect("in memory")
}

const FASTA: &[u8] = b">chr1 a first\nACGTACGTTTGACCAACGG\nTTACGATTACA\n>chr2\nnnNACGT\n";

const VCF: &[u8] = b"##fileformat=VCFv4.3\n##contig=<ID=chr1>\n\
    #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\n\
    chr1\t5\trs1\tA\tC,<DEL>,AGG\t.\tPASS\tAC=1\tGT\t0/1\n\
    chr1\t9\t.\tTG\tT\t30.5\t.\t.\tGT:DP\t1|1:3\n";

fn read_fasta(bytes: &[u8]) {
    let (_folder, path) = file("x.fa", bytes);
    for record in fasta::Reader::open(&path).expect("it opens") {
        match record {
            Ok(record) => assert!(!record.sequence.is_empty() && !record.name.is_empty()),
            Err(error) => assert!(error.to_string().contains("x.fa"), "{error}"),
        }
    }
}

fn read_vcf(bytes: &[u8]) {
    let (_folder, path) = file("x.vcf", bytes);
    let reader = match vcf::Reader::open(&path) {
        Ok(reader) => reader,
        Err(error) => return assert!(error.to_string().contains("x.vcf"), "{error}"),
    };
    for record in reader {
        match record {
            Ok(record) => assert!(!record.reference.is_empty()),
            Err(error) => assert!(error.to_string().contains("x.vcf"), "{error}"),
        }
    }
}

proptest! {
    #[test]
    fn changed_sequences_and_variants_are_read_or_refused(changes in changes()) {
        read_fasta(&changed(FASTA.to_vec(), &changes, FASTA.len()));
        read_vcf(&changed(VCF.to_vec(), &changes, VCF.len()));
        let (fasta, vcf) = (packed(FASTA), packed(VCF));
        read_fasta(&changed(fasta.clone(), &changes, fasta.len()));
        read_vcf(&changed(vcf.clone(), &changes, vcf.len()));
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }

    #[test]
    fn a_changed_configuration_is_read_or_refused(changes in changes()) {
        let text = std::fs::read(fixture("config.json")).expect("the fixture");
        let n = text.len();
        let text = changed(text, &changes, n);
        if let Ok(config) = ModelConfig::parse(&String::from_utf8_lossy(&text)) {
            let tensors = config.tensors();
            let n: usize = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
            prop_assert_eq!(n, config.n_parameters());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_changed_checkpoint_is_a_model_or_an_error(changes in changes(), in_header in any::<bool>()) {
        let bytes = std::fs::read(fixture("weights.safetensors")).expect("the fixture");
        // The header is a small part of the file, and where most can go wrong.
        let most = if in_header { 8000 } else { bytes.len() };
        let (_folder, path) = file("x.safetensors", &changed(bytes, &changes, most));
        let config = fixture("config.json");
        let config = config.to_string_lossy();
        match load::model(&path.to_string_lossy(), Some(&config), Precision::F32) {
            Ok(model) => {
                let scores = score::score(&model, &[&score::tokens(b"ACGT")]);
                prop_assert_eq!(scores[0].log_likelihoods.len(), 3);
            }
            Err(error) => {
                let said = error.to_string();
                prop_assert!(said.contains("x.safetensors") && !said.contains('\n'), "{said}");
            }
        }
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }
}

#[test]
fn files_cut_short_are_read_to_where_they_are_cut() {
    for n in 0..FASTA.len() {
        read_fasta(&FASTA[..n]);
    }
    for n in 0..VCF.len() {
        read_vcf(&VCF[..n]);
    }
    let packed = packed(VCF);
    for n in 3..packed.len() {
        let (_folder, path) = file("x.vcf", &packed[..n]);
        let whole =
            vcf::Reader::open(&path).is_ok_and(|reader| reader.into_iter().all(|r| r.is_ok()));
        assert!(!whole, "cut after {n} bytes");
    }
}

#[test]
fn sizes_beyond_reason_are_refused_before_anything_is_made_of_them() {
    let text = std::fs::read_to_string(fixture("config.json")).expect("the fixture");
    let config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let parse = |name: &str, value: u64| {
        let mut config = config.clone();
        config[name] = value.into();
        ModelConfig::parse(&config.to_string())
    };
    for name in [
        "vocab_size",
        "hidden_size",
        "num_layers",
        "short_filter_length",
        "hcs_filter_length",
        "hcs_filter_groups",
        "hcm_filter_length",
        "hcm_filter_groups",
        "state_size",
        "num_attention_heads",
        "inner_mlp_size",
        "inner_size_multiple_of",
    ] {
        for value in [0, 1 << 40, u64::MAX / 8, u64::MAX] {
            let error = parse(name, value).expect_err("refused").to_string();
            assert!(error.contains(name), "{name} = {value}: {error}");
        }
    }
    // Fewer tokens than bytes have no token for some base.
    parse("vocab_size", 255).expect_err("refused");
    // Large, but possible: what the file of weights lacks is found before memory is asked for.
    let mut config = parse("vocab_size", 512).expect("as it was");
    config.hidden_size = 65536;
    config.vocab_size = 65536;
    let (_folder, path) = file("config.json", config.to_json().as_bytes());
    let weights = fixture("weights.safetensors");
    let (weights, config) = (weights.to_string_lossy(), path.to_string_lossy());
    let error = load::model(&weights, Some(&config), Precision::F32).expect_err("refused");
    assert!(error.to_string().contains("shape mismatch in `embedding_layer.weight`"), "{error}");
    assert!(HEAP.peak_usage() < MOST_BYTES);
}

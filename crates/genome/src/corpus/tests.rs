//! Corpora built in folders of a few files, and windows drawn from them.

use std::sync::Arc;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Goes on or stops, and remembers what it was told.
#[derive(Default)]
struct Told {
    notes: Vec<String>,
    malformed: Vec<String>,
    goes_on: bool,
    stops: bool,
}

impl Watch for Told {
    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }

    fn malformed(&mut self, error: Error) -> Result<(), Error> {
        self.malformed.push(error.to_string());
        if self.goes_on { Ok(()) } else { Err(error) }
    }

    fn advance(&mut self, _: usize) {}

    fn stopped(&mut self) -> bool {
        self.stops
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            std::fs::write(folder.0.path().join(name), text).expect("a file");
        }
        folder
    }

    fn list(&self, species: &[&str], test: &[&str]) -> List {
        let with_path = |flag: &&str| {
            let (name, files) = flag.split_once('=').expect("a flag");
            let files: Vec<String> = files
                .split(',')
                .map(|file| self.0.path().join(file).display().to_string())
                .collect();
            format!("{name}={}", files.join(","))
        };
        let species: Vec<String> = species.iter().map(with_path).collect();
        let test: Vec<String> = test.iter().map(|name| (*name).to_owned()).collect();
        List::from_flags(&species, &[], &test).expect("a list")
    }

    fn build(&self, list: &List, told: &mut Told) -> Result<Index, String> {
        let folder = self.0.path().join("corpus");
        let shown = self.0.path().display().to_string();
        build(list, &folder, &Programs::default(), told)
            .map_err(|error| error.to_string().replace(&shown, ""))
    }

    fn open(&self) -> Result<Corpus, Error> {
        Corpus::open(&self.0.path().join("corpus"))
    }
}

const GFF: &str = "c1\tx\tCDS\t3\t6\t.\t+\t0\tID=a\nc1\tx\tgene\t20\t24\t.\t-\t.\tID=b\n";

const C1: &str = "ACGTACGTACGTACGTACGTACGTacgtNNRu";

fn small() -> Folder {
    Folder::new(&[
        ("a.fa", &format!(">c1 first\n{C1}\n>c2\nGGGG\n")),
        ("a.gff", GFF),
        ("b.fa", ">b\nttttttttccccccccggggggggaaaaaaaac\n"),
    ])
}

fn opened() -> (Folder, Corpus) {
    let folder = small();
    let list = folder.list(&["A a=a.fa,a.gff", "B b=b.fa"], &["B b"]);
    folder.build(&list, &mut Told::default()).expect("a corpus");
    let corpus = folder.open().expect("a corpus");
    (folder, corpus)
}

#[test]
fn a_corpus_keeps_letters_repeats_and_genes() {
    let (_folder, corpus) = opened();
    let index = corpus.index();
    let names: Vec<&str> = index.sequences.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["c1", "c2", "b"]);
    assert_eq!(corpus.sequence(0), C1.replace('u', "t").as_bytes());
    let genic: String =
        corpus.genic(0).iter().map(|genic| if *genic { '+' } else { '.' }).collect();
    assert_eq!(genic, "..++++.............+++++........");
    let c1 = &index.sequences[0];
    assert_eq!((c1.n_bases, c1.n_genic, c1.n_lower, c1.n_other), (32, 9, 5, 3));
    assert_eq!(c1.description.as_deref(), Some("first"));
    assert_eq!((c1.annotation, index.sequences[2].annotation), (Source::Gff, Source::None));
    // All in lower case: no repeats are marked.
    assert_eq!(corpus.sequence(2), b"TTTTTTTTCCCCCCCCGGGGGGGGAAAAAAAAC");
    assert_eq!(corpus.sequences_in(Split::Train).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(corpus.species_of(2).split, Split::Test);
}

#[test]
fn the_same_command_finds_it_built_and_another_is_refused() {
    let (folder, corpus) = opened();
    let list = folder.list(&["A a=a.fa,a.gff", "B b=b.fa"], &["B b"]);
    let mut told = Told::default();
    assert_eq!(&folder.build(&list, &mut told).expect("there"), corpus.index());
    assert_eq!(told.notes, ["this corpus is built already"]);
    let list = folder.list(&["A a=a.fa,a.gff", "B b=b.fa"], &["A a"]);
    let error = folder.build(&list, &mut told).expect_err("another");
    assert!(error.contains("another corpus is there"), "{error}");
}

#[test]
fn a_sequence_in_two_splits_is_refused_and_in_one_is_kept_once() {
    let text = ">x\nACGTACGTAC\n";
    let folder = Folder::new(&[("a.fa", text), ("b.fa", &text.to_lowercase())]);
    let list = folder.list(&["A=a.fa", "B=b.fa"], &["B"]);
    let error = folder.build(&list, &mut Told::default()).expect_err("two splits");
    let want = "failed to build corpus: `x` is the same sequence as `x`, and one is in test, one in \
                train: /b.fa";
    assert_eq!(error, want);
    let mut told = Told::default();
    let index = folder.build(&folder.list(&["A=a.fa", "B=b.fa"], &[]), &mut told).expect("built");
    assert_eq!((index.sequences.len(), told.notes.len()), (1, 1));
}

#[test]
fn what_is_malformed_stops_or_is_left_out_as_the_caller_wants() {
    let folder = Folder::new(&[
        ("a.fa", ">c1\nACGT\n>bad\nAC1\n"),
        ("a.gff", "c1\tx\tCDS\t1\t2\t.\t+\t0\tID=a\nx\n"),
        ("far.gff", "c1\tx\tCDS\t1\t5\t.\t+\t0\tID=a\n"),
        ("other.gff", "c9\tx\tCDS\t1\t2\t.\t+\t0\tID=a\n"),
        ("one.fa", ">c1\nACGT\n"),
    ]);
    let list = folder.list(&["A=a.fa,a.gff"], &[]);
    let error = folder.build(&list, &mut Told::default()).expect_err("malformed");
    assert_eq!(error, "failed to read record: `1` in the sequence of `bad`: /a.fa:3");
    let mut told = Told { goes_on: true, ..Told::default() };
    let index = folder.build(&list, &mut told).expect("without it");
    assert_eq!((index.sequences.len(), told.malformed.len()), (1, 2));
    assert_eq!(index.sequences[0].n_genic, 2);
    std::fs::remove_dir_all(folder.0.path().join("corpus")).expect("removed");
    let refused = |gff: &str, reason: &str| {
        let list = folder.list(&[&format!("A=one.fa,{gff}")], &[]);
        let error = folder.build(&list, &mut Told::default()).expect_err(gff);
        assert!(error.contains(reason), "{error}");
    };
    refused("far.gff", "a feature ends at 5, after the end of `c1`: /one.fa");
    refused("other.gff", "its features lie in other sequences, such as `c9`; there are `c1`");
}

#[test]
fn an_interrupted_build_leaves_no_corpus() {
    let folder = small();
    let list = folder.list(&["A a=a.fa,a.gff"], &[]);
    let mut told = Told { stops: true, ..Told::default() };
    assert_eq!(folder.build(&list, &mut told), Err("interrupted".to_owned()));
    assert!(folder.open().is_err());
    folder.build(&list, &mut Told::default()).expect("the same command");
}

#[test]
fn a_damaged_corpus_is_refused() {
    let (folder, _) = opened();
    let path = folder.0.path().join("corpus/train.bases");
    let mut bytes = std::fs::read(&path).expect("bases");
    bytes[3] ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    let error = folder.open().expect_err("damaged").to_string();
    assert!(error.contains("it is not what `corpus.json` says it was"), "{error}");
    let path = folder.0.path().join("corpus/corpus.json");
    let text = std::fs::read_to_string(&path).expect("an index");
    std::fs::write(&path, text.replace("\"offset\": 32", "\"offset\": 33")).expect("written");
    let error = folder.open().expect_err("damaged").to_string();
    assert!(error.contains("`c2` does not lie in the file of its split"), "{error}");
    std::fs::write(&path, text.replace("\"version\": 2", "\"version\": 9")).expect("written");
    let error = folder.open().expect_err("too new").to_string();
    assert!(error.contains("format 9, and this reads 2"), "{error}");
}

#[test]
fn what_a_held_out_species_shares_with_the_training_split_is_counted() {
    let random = |seed: u64| -> String {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..8000).map(|_| char::from(b"ACGT"[rng.random_range(0..4)])).collect()
    };
    let (a, b) = (random(1), random(2));
    let folder = Folder::new(&[
        ("a.fa", &format!(">a\n{a}\n")),
        ("b.fa", &format!(">b\n{a}C\n")),
        ("c.fa", &format!(">c\n{b}\n")),
    ]);
    let list = folder.list(&["A=a.fa", "B=b.fa", "C=c.fa"], &["B", "C"]);
    folder.build(&list, &mut Told::default()).expect("built");
    let overlaps = folder.open().expect("a corpus").overlaps();
    let [None, Some(same), Some(other)] = overlaps[..] else { panic!("{overlaps:?}") };
    assert!(same.n_words > 0 && other.n_words > 0, "{overlaps:?}");
    // The last base may make one word more.
    assert!(same.n_in_train + 1 >= same.n_words, "{overlaps:?}");
    assert_eq!(other.n_in_train, 0);
}

fn text(window: &Window) -> String {
    window.tokens.iter().map(|token| char::from(u8::try_from(*token).expect("a byte"))).collect()
}

#[test]
fn windows_weigh_repeats_little_and_what_is_no_base_not_at_all() {
    let (_folder, corpus) = opened();
    let place = Place { sequence: 0, start: 22, n_bases: 10, strand: Strand::Forward };
    let window = corpus.window(place, b"|t|", 14, REPEAT_WEIGHT);
    assert_eq!(text(&window), "|t|GTACGTNNRT\u{1}\u{1}");
    let r = REPEAT_WEIGHT;
    assert_eq!(window.weights, [0., 0., 1., 1., r, r, r, r, 0., 0., 0., r, 0., 0.]);
    let window = corpus.window(Place { strand: Strand::Reverse, ..place }, b"", 9, 1.0);
    assert_eq!(text(&window), "AYNNACGTAC");
    assert_eq!(window.weights, [0., 0., 0., 1., 1., 1., 1., 1., 1.]);
}

#[test]
fn evaluation_windows_are_the_same_again_and_none_lies_over_another() {
    let (_folder, corpus) = opened();
    let all = corpus.evaluation_windows(Split::Train, 4, 100, 7);
    let places: Vec<(usize, usize)> =
        all.iter().map(|window| (window.place.sequence, window.place.start)).collect();
    assert_eq!(places, [(0, 0), (0, 5), (0, 10), (0, 15), (0, 20), (0, 25)]);
    assert_eq!(all, corpus.evaluation_windows(Split::Train, 4, 100, 7));
    let some = corpus.evaluation_windows(Split::Train, 4, 3, 7);
    assert_eq!(some.len(), 3);
    assert!(some.windows(2).all(|pair| pair[0].place.start + 10 <= pair[1].place.start));
    assert!(corpus.evaluation_windows(Split::Valid, 4, 100, 7).is_empty());
    assert_eq!(corpus.species_windows(1, 10, 9, 7).len(), 3);
}

#[test]
fn genes_are_drawn_more_often_and_both_strands_alike() {
    let genome = "ACGTTGCA".repeat(500);
    // The first half lies in genes.
    let folder = Folder::new(&[
        ("a.fa", &format!(">c\n{genome}\n")),
        ("a.gff", "c\tx\tgene\t1\t2000\t.\t+\t.\tID=a\n"),
    ]);
    folder.build(&folder.list(&["A=a.fa,a.gff"], &[]), &mut Told::default()).expect("built");
    let corpus = Arc::new(folder.open().expect("a corpus"));
    let share = |genic_weight: f64| {
        let sampling = Sampling { genic_weight, ..Sampling::of_length(20, 3) };
        let sampler = Sampler::try_new(Arc::clone(&corpus), sampling).expect("a sampler");
        let (mut n_genic, mut n_forward, n) = (0, 0, 4000);
        for step in 0..n {
            let place = sampler.window(step, 1).place;
            n_genic += usize::from(place.start < 2000);
            n_forward += usize::from(place.strand == Strand::Forward);
        }
        (n_genic as f64 / n as f64, n_forward as f64 / n as f64)
    };
    // Standard errors are below 0.008.
    assert!((share(1.0).0 - 0.5).abs() < 0.04);
    assert!((share(4.0).0 - 0.8).abs() < 0.04);
    assert!((share(4.0).1 - 0.5).abs() < 0.04);
}

#[test]
fn windows_around_starts_hold_one_and_read_its_strand() {
    let genome = "ACGTTGCA".repeat(500);
    let folder = Folder::new(&[
        ("a.fa", &format!(">c\n{genome}\n")),
        (
            "a.gff",
            "c\tx\tCDS\t1001\t1300\t.\t+\t0\tID=a\nc\tx\tCDS\t2001\t2300\t.\t-\t0\tID=b\n\
             c\tx\tCDS\t3\t98\t.\t-\t0\tID=c;partial=01\nc\tx\ttRNA\t3001\t3070\t.\t+\t.\tID=d\n",
        ),
    ]);
    folder.build(&folder.list(&["A=a.fa,a.gff"], &[]), &mut Told::default()).expect("built");
    let corpus = Arc::new(folder.open().expect("a corpus"));
    let said = &corpus.index().sequences[0];
    assert_eq!(
        (said.starts.as_slice(), said.reverse_starts.as_slice()),
        ([1000].as_slice(), [2299].as_slice())
    );
    let usual = Sampling::of_length(20, 3);
    let around = |start_share: f64| {
        let sampling = Sampling { start_share, ..usual.clone() };
        let sampler = Sampler::try_new(Arc::clone(&corpus), sampling).expect("a sampler");
        let n = 2000;
        let holds = |step: &u64| {
            let place = sampler.window(*step, 0).place;
            let at = if place.strand == Strand::Forward { 1000 } else { 2299 };
            (place.start..place.start + place.n_bases).contains(&at)
        };
        (0..n).filter(holds).count() as f64 / n as f64
    };
    // A window drawn otherwise holds one with a chance of 0.005; standard errors are at most 0.011.
    assert!(around(0.0) < 0.02);
    assert!((around(0.5) - 0.5).abs() < 0.05);
    assert!(around(1.0) > 0.9999);
}

#[test]
fn species_are_drawn_by_their_size_to_the_exponent() {
    let folder = Folder::new(&[
        ("a.fa", &format!(">a\n{}\n", "ACGT".repeat(900))),
        ("b.fa", &format!(">b\n{}\n", "ACCT".repeat(100))),
    ]);
    folder.build(&folder.list(&["A=a.fa", "B=b.fa"], &[]), &mut Told::default()).expect("built");
    let corpus = Arc::new(folder.open().expect("a corpus"));
    for (species_exponent, want) in [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)] {
        let sampling = Sampling { species_exponent, ..Sampling::of_length(10, 5) };
        let sampler = Sampler::try_new(Arc::clone(&corpus), sampling).expect("a sampler");
        let n = 3000;
        let of_a = (0..n).filter(|step| sampler.window(*step, 0).place.sequence == 0).count();
        assert!((of_a as f64 / n as f64 - want).abs() < 0.04, "{species_exponent}: {of_a}");
    }
    // Nobody said where genes begin, so there is nothing to draw around.
    let sampling = Sampling { start_share: 0.5, ..Sampling::of_length(10, 5) };
    let refused = Sampler::try_new(corpus, sampling).expect_err("no starts").to_string();
    assert!(refused.contains("start codons") && refused.contains("prodigal"), "{refused}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let (_folder, corpus) = opened();
    let corpus = Arc::new(corpus);
    let usual = Sampling::of_length(8, 1);
    for sampling in [
        Sampling { length: 0, ..usual.clone() },
        Sampling { genic_weight: f64::NAN, ..usual.clone() },
        Sampling { tag_share: 1.5, ..usual.clone() },
        Sampling { start_share: -0.1, ..usual.clone() },
        Sampling { species_exponent: -1.0, ..usual.clone() },
        Sampling { split: Split::Valid, ..usual.clone() },
    ] {
        Sampler::try_new(Arc::clone(&corpus), sampling.clone()).expect_err("refused");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_window_follows_from_seed_step_and_number(
        seed in any::<u64>(), step in any::<u64>(), idx in any::<u64>(), length in 1_usize..60,
    ) {
        let (_folder, corpus) = opened();
        let corpus = Arc::new(corpus);
        let sampler = || {
            let sampling = Sampling::of_length(length, seed);
            Sampler::try_new(Arc::clone(&corpus), sampling).expect("a sampler")
        };
        let window = sampler().window(step, idx);
        prop_assert_eq!(&window, &sampler().window(step, idx));
        prop_assert_eq!((window.tokens.len(), window.weights.len()), (length + 1, length));
        let n_bases = corpus.index().sequences[window.place.sequence].n_bases;
        prop_assert!(window.place.start + window.place.n_bases <= n_bases);
    }
}

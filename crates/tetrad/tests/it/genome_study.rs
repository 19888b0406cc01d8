//! `tetrad genome profile`, `effects` and `needle`: tables, pages, going on, bad input.

use std::fmt::Write as _;
use std::path::Path;

use crate::binary::{Ran, tetrad};

fn weights() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../genome/tests/data/evo2_tiny");
    folder.join("weights.safetensors").to_string_lossy().into_owned()
}

fn bases(n: usize) -> String {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ['A', 'C', 'G', 'T'][(state >> 62) as usize]
    };
    (0..n).map(|_| next()).collect()
}

fn reverse_complement(sequence: &str) -> String {
    let complement = |base| match base {
        'A' => 'T',
        'C' => 'G',
        'G' => 'C',
        _ => 'A',
    };
    sequence.chars().rev().map(complement).collect()
}

/// A folder with a genome of four genes, two on each strand, as FASTA with GFF3.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let gene = format!("ATG{}TAA", "GAACTGTCAAAAGGC".repeat(5));
    let (mut sequence, between) = (bases(100), bases(130));
    let mut gff = "##gff-version 3\n".to_owned();
    for idx in 0..4 {
        let (first, last) = (sequence.len() + 1, sequence.len() + gene.len());
        let strand = if idx % 2 == 0 { '+' } else { '-' };
        let _ = writeln!(
            gff,
            "chr\tplanted\tCDS\t{first}\t{last}\t.\t{strand}\t0\tID=cds{idx};gene=gene{idx}"
        );
        sequence += &if idx % 2 == 0 { gene.clone() } else { reverse_complement(&gene) };
        sequence += &between;
    }
    // One that begins anywhere cannot be used, and is counted.
    let _ = writeln!(gff, "chr\tplanted\tCDS\t10\t27\t.\t+\t0\tID=short;gene=short");
    std::fs::write(folder.path().join("x.fa"), format!(">chr\n{sequence}\n")).expect("a file");
    std::fs::write(folder.path().join("x.gff"), gff).expect("a file");
    folder
}

fn run(folder: &Path, command: &str, more: &[&str]) -> Ran {
    let weights = weights();
    let first = ["genome", command, "--model", &weights, "--to", "out", "--format", "json"];
    tetrad(folder, &[&first, more].concat())
}

fn table(folder: &Path, command: &str) -> String {
    std::fs::read_to_string(folder.join(format!("out/{command}.tsv"))).expect("the table")
}

/// Tears the table in its middle, as a kill leaves it, with a mark in the first row that shows that it
/// was kept; runs again, and expects the whole table.
fn goes_on(folder: &Path, command: &str, more: &[&str], column: usize) {
    let whole = table(folder, command);
    let path = folder.join(format!("out/{command}.tsv"));
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = lines[2].split('\t').collect();
    cells[column] = "kept";
    lines[2] = cells.join("\t");
    let marked = lines.join("\n") + "\n";
    std::fs::write(path.with_extension("tsv.partial"), &marked[..marked.len() / 2])
        .expect("a file");
    std::fs::remove_file(&path).expect("removed");
    let again = run(folder, command, more);
    assert_eq!(again.code, 0, "{again:#?}");
    assert_eq!(table(folder, command), marked);
    // A finished table of the same settings is kept; one of other settings is begun anew.
    assert!(run(folder, command, more).stderr.contains("rows that are done"));
    let other = run(folder, command, &[more, &["--seed", "8"]].concat());
    assert_eq!(other.code, 0, "{other:#?}");
    assert_ne!(table(folder, command), marked);
}

const GENES: [&str; 8] =
    ["--sequences", "x.fa", "--annotation", "x.gff", "--context", "24", "--after", "8"];

#[test]
fn a_profile_has_a_row_for_every_position_of_every_site_and_goes_on() {
    let folder = folder();
    let more =
        [&GENES[..], &["--genes", "2", "--control", "elsewhere,random", "--one-alternative"]]
            .concat();
    let ran = run(folder.path(), "profile", &more);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let rows = table(folder.path(), "profile");
    assert_eq!(rows.lines().count(), 2 + 2 * 2 * 3 * 33);
    let answer = &ran.json()["data"];
    assert_eq!((&answer["n_genes"], &answer["n_usable"]), (&2.into(), &4.into()));
    assert_eq!(answer["n_left_out"]["does not begin with a start codon"], 1, "{answer:#}");
    assert_eq!(answer["curves"].as_array().expect("curves").len(), 6);
    let first = &answer["statistics"][0];
    assert_eq!(first["difference"]["n"], 2, "{first:#}");
    assert!(first["difference"]["interval"]["low"].is_number(), "{first:#}");
    let page = std::fs::read_to_string(folder.path().join("out/profile.html")).expect("a page");
    assert_eq!(page.matches("<svg").count(), 2);
    goes_on(folder.path(), "profile", &more, 2);
}

#[test]
fn effects_have_a_row_for_every_mutation_and_go_on() {
    let folder = folder();
    let more = [&GENES[..], &["--genes", "2", "--codons", "2", "--control", "random"]].concat();
    let ran = run(folder.path(), "effects", &more);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(table(folder.path(), "effects").lines().count(), 2 + 2 * 2 * 2 * 6);
    let answer = &ran.json()["data"];
    let kinds = answer["kinds"].as_array().expect("kinds");
    assert_eq!(kinds.len(), 12);
    assert!(
        kinds.iter().all(|one| one["n_mutations"] == 4 && one["delta"]["n"] == 2),
        "{answer:#}"
    );
    assert_eq!(answer["orders"].as_array().expect("orders").len(), 12);
    goes_on(folder.path(), "effects", &more, 2);
}

#[test]
fn needles_have_a_row_for_every_haystack_and_depth_and_go_on() {
    let folder = folder();
    let more = ["--lengths", "64,128", "--needle", "20", "--depths", "3", "--repeats", "2"];
    let ran = run(folder.path(), "needle", &more);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(table(folder.path(), "needle").lines().count(), 2 + 2 * 2 * 3);
    let answer = &ran.json()["data"];
    let recalls = answer["recalls"].as_array().expect("recalls");
    assert!(recalls.len() == 6 && recalls.iter().all(|one| one["gain"]["n"] == 2), "{answer:#}");
    goes_on(folder.path(), "needle", &more, 3);
    let real = [&more[..], &["--haystack", "x.fa", "--seed", "3"]].concat();
    assert_eq!(run(folder.path(), "needle", &real).code, 0);
}

#[test]
fn what_cannot_be_studied_is_one_line_and_a_hint() {
    let folder = folder();
    std::fs::write(folder.path().join("bad.gff"), "##gff-version 3\nchr\tx\tCDS\t1\n")
        .expect("a file");
    std::fs::write(folder.path().join("y.fa"), ">other\nACGTACGT\n").expect("a file");
    for (command, more, said) in [
        ("profile", vec!["--sequences", "x.fa"], "no features for x.fa"),
        ("profile", vec!["--sequences", "x.fa", "--annotation", "bad.gff"], "bad.gff:2"),
        (
            "profile",
            vec!["--sequences", "y.fa", "--annotation", "x.gff"],
            "5 on a sequence that is not given",
        ),
        (
            "effects",
            vec!["--sequences", "x.fa", "--annotation", "x.gff", "--context", "2000"],
            "4 too near an end of its sequence, or an N",
        ),
        ("effects", [&GENES[..], &["--code", "2"]].concat(), "no genetic code 2"),
        ("needle", vec!["--lengths", "100"], "100 bases do not hold a needle of 100 twice"),
        ("needle", vec!["--query", "100"], "a query of 100 bases of a needle of 100"),
        ("needle", vec!["--haystack", "y.fa"], "no 1024 bases of A, C, G and T in a row"),
    ] {
        let ran = run(folder.path(), command, &more);
        assert_eq!(ran.code, 2, "{ran:#?}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("tetrad: ") && first.contains(said), "{ran:#?}");
        assert!(ran.stderr.contains("hint: "), "{ran:#?}");
    }
}

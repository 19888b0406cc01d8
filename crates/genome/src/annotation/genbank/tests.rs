//! GenBank records as they are and as they should not be.

use proptest::prelude::*;

use super::*;
use crate::annotation::Strand;

fn read(bytes: &[u8]) -> Vec<Result<Record, String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.gbk");
    std::fs::write(&path, bytes).expect("a file");
    let shown = path.display().to_string();
    let short = |error: Error| error.to_string().replace(&shown, "x.gbk");
    let reader = Reader::open(&path).expect("it opens");
    reader.map(|record| record.map_err(short)).collect()
}

const FIRST: &str = r#"LOCUS       KL1                   20 bp    DNA     linear       12-JUL-2018
DEFINITION  Acinetobacter baumannii, K locus KL1.
ACCESSION   AB1
VERSION     AB1.2
SOURCE      Acinetobacter baumannii
  ORGANISM  Acinetobacter baumannii
            Bacteria; Proteobacteria.
FEATURES             Location/Qualifiers
     source          1..20
                     /note="a note with
                     /gene=""no gene"" in it"
     CDS             complement(join(1..4,
                     7..12))
                     /codon_start=2
                     /locus_tag="A_1"
                     /gene="wzc"
                     /transl_table=11
                     /translation="MK/pseudo"
     gene            13..>20
                     /pseudo
     misc_feature    1..99
ORIGIN
        1 acgtacgtac gtnnacgtac
//
"#;

#[test]
fn a_record_is_read_with_its_features() {
    let records = read(FIRST.as_bytes());
    let [Ok(record)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.name, "AB1.2");
    assert_eq!(record.description, "Acinetobacter baumannii, K locus KL1.");
    assert_eq!(record.organism.as_deref(), Some("Acinetobacter baumannii"));
    assert_eq!(record.sequence, b"ACGTACGTACGTNNACGTAC");
    let [cds, gene] = record.features.as_slice() else { panic!("{:?}", record.features) };
    let want = Feature {
        sequence: "AB1.2".to_owned(),
        kind: FeatureKind::Cds,
        strand: Strand::Reverse,
        parts: vec![0..4, 6..12],
        gene: Some("wzc".to_owned()),
        phase: 1,
        partial: false,
        pseudo: false,
        code: Some(11),
    };
    assert_eq!(*cds, want);
    assert_eq!((gene.kind, gene.partial, gene.pseudo), (FeatureKind::Gene, true, true));
}

#[test]
fn a_release_may_begin_with_text_and_records_without_accession_keep_their_locus() {
    let text = format!(
        "GBBCT1.SEQ   Genetic Sequence Data Bank\n\n{FIRST}\nLOCUS       KL2\nACCESSION\nVERSION  .\n\
         ORIGIN\n 1 ac\n//\n"
    );
    let records = read(text.as_bytes());
    let names: Vec<&str> = records.iter().flatten().map(|record| record.name.as_str()).collect();
    assert_eq!(names, ["AB1.2", "KL2"]);
}

#[test]
fn what_is_malformed_names_its_line_and_loses_no_other() {
    let text = [
        "LOCUS a 4 bp\nFEATURES\n     CDS             5..9\n     CDS             2..x\n     CDS             1..3\n                     /codon_start=4\n     CDS             1..3\nORIGIN\n 1 acgt\n//\n",
        "LOCUS b 5 bp\nORIGIN\n 1 acgt\n//\n",
        "what\n",
        "LOCUS c 4 bp\nORIGIN\n 1 ac!t\n//\n",
        "LOCUS d\n",
        "LOCUS e 4 bp\nORIGIN\n 1 acgt\n",
    ]
    .concat();
    let got = read(text.as_bytes());
    let wrong: Vec<&String> = got.iter().filter_map(|record| record.as_ref().err()).collect();
    let reasons = [
        "`5..9` ends after the 4 bases of `a`: x.gbk:3",
        "`2..x` is no location (at its character 4): x.gbk:4",
        "`4` as codon_start: not 1, 2 or 3: x.gbk:5",
        "`b` says it has 5 bases, and 4 follow: x.gbk:11",
        "no `LOCUS` line before it: x.gbk:15",
        "`!` in the sequence at line 18: x.gbk:16",
        "no `//` at its end: x.gbk:20",
        "no `//` at its end: x.gbk:21",
    ];
    assert_eq!(wrong.len(), reasons.len(), "{wrong:?}");
    for (wrong, reason) in wrong.iter().zip(reasons) {
        assert!(wrong.ends_with(reason), "{wrong}");
    }
    let kept: Vec<&Record> = got.iter().flatten().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].features.len(), 1);
    assert!(read(b"")[0].as_ref().is_err_and(|error| error.ends_with("no `LOCUS` line: x.gbk:1")));
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
        read(&[b"LOCUS a\nFEATURES\n".as_slice(), &bytes].concat());
    }

    /// Lines of a real record, torn and shuffled.
    #[test]
    fn any_order_of_lines_is_read_to_an_end(
        order in prop::collection::vec((0_usize..24, 0_usize..90), 0..40),
    ) {
        let lines: Vec<&str> = FIRST.lines().collect();
        let text: String = order
            .iter()
            .map(|(line, n)| format!("{}\n", lines[*line].get(..*n).unwrap_or(lines[*line])))
            .collect();
        for record in read(text.as_bytes()).into_iter().flatten() {
            for feature in &record.features {
                prop_assert!(feature.bases(&record.sequence).is_some());
            }
        }
    }
}

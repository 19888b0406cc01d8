//! `tetrad genome`: what a user types and gets.

use std::path::{Path, PathBuf};

use crate::binary::{command, tetrad};

fn weights() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../genome/tests/data/evo2_tiny");
    folder.join("weights.safetensors").to_string_lossy().into_owned()
}

fn folder_with(fasta: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.fa");
    std::fs::write(&path, fasta).expect("a file");
    (folder, path)
}

const RECORDS: &str = ">a first\nACGTACGTTTGACCA\n>b\nAC1\n>c\nacggt\n";

#[test]
fn sequences_are_scored_into_a_table() {
    let (folder, _) = folder_with(">a first\nACGTACGTTTGACCA\n>c\nacggt\n");
    let ran = tetrad(folder.path(), &["genome", "score", "--model", &weights(), "x.fa"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    insta::assert_snapshot!(ran.stdout, @"
    name	n_bases	n_scored	strands	log_likelihood	mean	bits_per_base
    a	15	14	forward	-165.8404	-11.845746	17.089799
    c	5	4	forward	-36.7565	-9.189133	13.257116
    ");
}

#[test]
fn weaker_instructions_give_the_same_bits_and_unknown_ones_a_hint() {
    let (folder, _) = folder_with(&format!(">a\n{}\n", "ACGTTGCA".repeat(9)));
    let score = |limit: &str| {
        let mut score = command(folder.path(), &["genome", "score", "--model", &weights(), "x.fa"]);
        let output = score.env("TETRAD_CPU", limit).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let [plain, avx2, avx512] = ["portable", "avx2", "avx512"].map(score);
    assert_eq!(plain.0, Some(0), "{plain:?}");
    assert_eq!((&plain.1, &plain.1), (&avx2.1, &avx512.1));
    let unknown = score("sse9");
    assert_eq!(unknown.0, Some(2), "{unknown:?}");
    insta::assert_snapshot!(unknown.2, @"
    tetrad: `TETRAD_CPU` names no instructions: `sse9`

    hint: portable, avx2 or avx512; leave it out to use all that there is
    ");
}

#[test]
fn a_device_that_is_not_there_is_one_line_and_a_hint() {
    let (folder, file) = folder_with(">a\nACGT\n");
    let file = file.to_string_lossy();
    let score = |more: &[&str]| {
        tetrad(folder.path(), &[&["genome", "score", &file, "--device"][..], more].concat())
    };
    let unknown = score(&["tpu"]);
    assert_eq!(unknown.code, 2, "{unknown:#?}");
    assert!(unknown.stderr.contains("`tpu` is no device"), "{unknown:#?}");
    let narrow = score(&["cuda:0", "--precision", "bf16"]);
    assert_eq!(narrow.code, 2, "{narrow:#?}");
    if cfg!(not(feature = "cuda")) {
        let absent = score(&["cuda"]);
        assert_eq!(absent.code, 3, "{absent:#?}");
        assert!(absent.stderr.contains("built without CUDA"), "{absent:#?}");
        assert!(absent.stderr.contains("hint: build it with"), "{absent:#?}");
    }
}

#[test]
fn a_malformed_record_stops_or_is_skipped_and_loses_no_other() {
    let (folder, _) = folder_with(RECORDS);
    let stopped = tetrad(folder.path(), &["genome", "score", "--model", &weights(), "x.fa"]);
    assert_eq!(stopped.code, 2, "{stopped:#?}");
    assert_eq!(stopped.stdout.lines().count(), 2, "the record before it is kept");
    insta::assert_snapshot!(stopped.stderr, @"
    tetrad: failed to read record: `1` in the sequence of `b`: x.fa:3

    hint: `--on-error skip` leaves malformed records out and says so
    ");
    let arguments = [
        "genome",
        "score",
        "--model",
        &weights(),
        "x.fa",
        "--on-error",
        "skip",
        "--format",
        "json",
    ];
    let skipped = tetrad(folder.path(), &arguments);
    assert_eq!(skipped.code, 4, "{skipped:#?}");
    let names: Vec<String> = skipped.json()["data"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn an_interrupted_table_goes_on_with_the_same_command() {
    let (folder, _) = folder_with(">a\nACGTACGTTTGACCA\n>c\nACGGT\n");
    let arguments = ["genome", "score", "--model", &weights(), "x.fa", "--to", "t.tsv"];
    assert_eq!(tetrad(folder.path(), &arguments).code, 0);
    let table = folder.path().join("t.tsv");
    let whole = std::fs::read_to_string(&table).expect("the table");
    // As a kill in the second row leaves it; a changed first row shows that it was kept.
    let torn = whole.replace("-165.8404", "kept")[..whole.len() - 30].to_owned();
    std::fs::write(folder.path().join("t.tsv.partial"), torn).expect("a file");
    std::fs::remove_file(&table).expect("removed");
    assert_eq!(tetrad(folder.path(), &arguments).code, 0);
    let again = std::fs::read_to_string(&table).expect("the table");
    assert_eq!(again, whole.replace("-165.8404", "kept"));
    // Rows per base had run ahead of the table, by a whole sequence.
    let both = [&arguments[..], &["--per-base", "p.bed"]].concat();
    assert_eq!(tetrad(folder.path(), &both).code, 0);
    let bases = std::fs::read_to_string(folder.path().join("p.bed")).expect("the bases");
    assert_eq!(bases.lines().count(), 2 + 14 + 4);
    let first: String = whole.split_inclusive('\n').take(3).collect();
    std::fs::write(folder.path().join("t.tsv.partial"), first).expect("a file");
    std::fs::rename(folder.path().join("p.bed"), folder.path().join("p.bed.partial"))
        .expect("renamed");
    assert_eq!(tetrad(folder.path(), &both).code, 0);
    let again = std::fs::read_to_string(folder.path().join("p.bed")).expect("the bases");
    assert_eq!(again, bases);
    std::fs::write(folder.path().join("t.tsv.partial"), "# other\n").expect("a file");
    let other = tetrad(folder.path(), &arguments);
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("begun with other settings"), "{other:#?}");
}

#[test]
fn generation_is_the_same_for_a_seed_and_any_number_of_threads() {
    let (folder, _) = folder_with("");
    let run = |threads: &str| {
        let ran = tetrad(
            folder.path(),
            &[
                "genome",
                "generate",
                "--model",
                &weights(),
                "--prompt",
                "acgtacgt",
                "--n",
                "40",
                "--copies",
                "2",
                "--threads",
                threads,
                "--quiet",
            ],
        );
        assert_eq!(ran.code, 0, "{ran:#?}");
        ran.stdout
    };
    let one = run("1");
    assert_eq!(one, run("3"));
    insta::assert_snapshot!(one, @"
    >prompt1_1 prompt=8 new=40 seed=1 temperature=1 top_k=4 top_p=1
    ACGTACGTTGAAGCGGGCAAAATGCTTCCAGCGCCCTGGCTTTGCGTG
    >prompt1_2 prompt=8 new=40 seed=1 temperature=1 top_k=4 top_p=1
    ACGTACGTAGAGGGGTCCGATTTCCTTTTTAGAGTTTTGAAAAGGTTC
    ");
}

#[test]
fn a_converted_checkpoint_gives_the_same_scores_and_knows_what_it_is() {
    let (folder, _) = folder_with(">a\nACGTACGTTTGACCA\n");
    let made = tetrad(folder.path(), &["genome", "convert", &weights(), "new.safetensors"]);
    assert_eq!(made.code, 0, "{made:#?}");
    let score =
        |model: &str| tetrad(folder.path(), &["genome", "score", "--model", model, "x.fa"]).stdout;
    assert_eq!(score("new.safetensors"), score(&weights()));
    let info = tetrad(
        folder.path(),
        &["genome", "info", "--model", "new.safetensors", "--format", "json"],
    );
    assert_eq!(info.json()["data"]["config"]["model_name"], "evo2-tiny-golden");
}

#[test]
fn what_is_no_model_is_one_line_and_a_hint() {
    let (folder, _) = folder_with(">a\nACGT\n");
    for (arguments, code, said) in [
        (vec!["--model", "x.fa"], 2, "neither a PyTorch archive nor safetensors"),
        (vec!["--model", "none.pt"], 2, "failed to open weights"),
        (vec!["--model", "random:1"], 2, "random weights need a configuration"),
        (vec!["--model", "random:x", "--config", "evo2_7b"], 2, "`x` is no seed"),
        (vec!["--model", "random:1", "--config", "evo2_40b"], 3, "FP8"),
        (vec!["--model", "random:1", "--config", "x.fa"], 2, "failed to read configuration"),
    ] {
        let all = [vec!["genome", "score", "x.fa"], arguments].concat();
        let ran = tetrad(folder.path(), &all);
        assert_eq!(ran.code, code, "{ran:#?}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("tetrad: ") && first.contains(said), "{ran:#?}");
    }
}

#[test]
fn variants_are_scored_into_rows_and_into_the_vcf() {
    let (folder, _) = folder_with(">chr1 x\nACGTACGTTTGACCAACGGTTACGATTACA\n");
    let vcf = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
               chr1\t5\trs1\tA\tC,<DEL>,AGG\t.\tPASS\tAC=1\n\
               chr1\t9\t.\tG\tC\t.\t.\t.\n\
               chr2\t1\t.\tA\tC\t.\t.\t.\n\
               chr1\t15\t.\tAACG\tA\t.\t.\t.\n";
    std::fs::write(folder.path().join("x.vcf"), vcf).expect("a file");
    let weights = weights();
    let run = |more: &[&str]| {
        let first = ["genome", "variants", "--model", &weights, "--reference", "x.fa", "x.vcf"];
        tetrad(folder.path(), &[&first[..], &["--window", "24"], more].concat())
    };
    let stopped = run(&[]);
    assert_eq!(stopped.code, 2, "{stopped:#?}");
    let said = "the reference has `T` at chr1:9, not `G`: x.vcf:4";
    assert!(stopped.stderr.contains(said), "{stopped:#?}");
    let rows = run(&["--on-error", "skip"]);
    assert_eq!(rows.code, 4, "{rows:#?}");
    let rows: Vec<&str> = rows.stdout.lines().skip(1).collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    sequence	position	reference	alternative	delta_log_likelihood	forward	reverse	n_bases
    chr1	5	A	C	2.32693	6.83691	-2.18304	24
    chr1	5	A	AGG	15.81319	22.24065	9.38573	24
    chr1	15	AACG	A	12.77131	13.86769	11.67492	24
    ");
    let made = run(&["--on-error", "skip", "--as", "vcf", "--to", "out.vcf"]);
    assert_eq!(made.code, 4, "{made:#?}");
    let made = std::fs::read_to_string(folder.path().join("out.vcf")).expect("the VCF");
    let delta = |row: usize| rows[row].split('\t').nth(4).expect("a column").to_owned();
    let want = format!("AC=1;TETRAD_DLL={},.,{}", delta(1), delta(2));
    assert!(made.starts_with("##fileformat=VCFv4.3\n##INFO=<ID=TETRAD_DLL,Number=A"), "{made}");
    assert!(made.contains(&want), "{made}");
    assert!(made.trim_end().ends_with(&format!("TETRAD_DLL={}", delta(3))), "{made}");
}

#[test]
fn activations_are_written_for_numpy_and_as_safetensors() {
    let (folder, _) = folder_with(">a\nACGTACGTTTGACCA\n>c\nACGGT\n");
    let weights = weights();
    let run = |more: &[&str]| {
        let first = ["genome", "embed", "--model", &weights, "x.fa", "--quiet"];
        tetrad(folder.path(), &[&first[..], more].concat())
    };
    let means = run(&["--layer", "blocks.2", "--to", "x.npy"]);
    assert_eq!(means.code, 0, "{means:#?}");
    assert_eq!(std::fs::read(folder.path().join("x.npy")).expect("a file").len(), 128 + 2 * 64 * 4);
    let bases = run(&["--layer", "blocks.2.mlp.l3", "--per-base", "--to", "y.npy"]);
    assert_eq!(bases.code, 0, "{bases:#?}");
    let index = std::fs::read_to_string(folder.path().join("y.tsv")).expect("a file");
    assert_eq!(index, "name\tfirst_row\tn_rows\na\t0\t15\nc\t15\t5\n");
    let tensors = run(&["--layer", "norm", "--per-base", "--to", "z.safetensors"]);
    assert_eq!(tensors.code, 0, "{tensors:#?}");
    let file = nn::weights::File::open(&folder.path().join("z.safetensors")).expect("it opens");
    assert_eq!(file.get("c").expect("by name").shape(), [5, 64]);
    for (arguments, said) in [
        (["--layer", "blocks.8", "--to", "x.npy"], "the model has no layer `blocks.8`"),
        (["--layer", "head", "--to", "x.npy"], "`head` is none of"),
        (["--layer", "norm", "--to", "x.csv"], "neither .npy nor .safetensors"),
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
}

/// Two species, one of them held out; the text of the first has a period of eight.
fn folder_with_species() -> tempfile::TempDir {
    let (folder, _) = folder_with("");
    let files = [
        ("a.fa", format!(">a1\n{}\n", "ACGTTGCA".repeat(40))),
        ("a.gff", "a1\tx\tCDS\t1\t80\t.\t+\t0\tID=a\n".to_owned()),
        ("b.fa", format!(">b1\n{}\n>b2\nAC1\n", "ACGTTGCAACGTTGCAACGTTGCGN".repeat(8))),
        (
            "list.toml",
            "[[species]]\nname = \"A\"\nsplit = \"train\"\n\
             files = [{ path = \"a.fa\", annotation = \"a.gff\" }]\n\
             [[species]]\nname = \"B\"\nsplit = \"test\"\nfiles = [\"b.fa\"]\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn a_corpus_is_built_shown_and_measured() {
    let folder = folder_with_species();
    let command = ["genome", "data", "corpus", "--list", "list.toml", "--no-prediction"];
    let stopped = tetrad(folder.path(), &command);
    assert_eq!(stopped.code, 2, "{stopped:#?}");
    assert!(stopped.stderr.contains("`1` in the sequence of `b2`"), "{stopped:#?}");
    let skipping = [&command[..], &["--on-error", "skip"]].concat();
    let built = tetrad(folder.path(), &skipping);
    assert_eq!(built.code, 4, "{built:#?}");
    insta::assert_snapshot!(built.stdout, @"
    split  species sequences       bases  in genes  lower case  not ACGT  in train*  genes from
    train  A               1         320   25.00 %      0.00 %    0.00 %          -  gff
    test   B               1         200         -      0.00 %    4.00 %          -  none
    * of its words of 31 bases, those that stand in the training split on either strand; one word in 64 is looked at
    train: 1 species, 320 bases
    valid: 0 species, 0 bases
    test: 1 species, 200 bases
    ");
    let shown = tetrad(folder.path(), &["genome", "data", "corpus"]);
    assert_eq!((shown.code, &shown.stdout), (0, &built.stdout));
    let command = ["genome", "baselines", "corpus", "--orders", "0,4", "--length", "24"];
    let measured = tetrad(folder.path(), &command);
    assert_eq!(measured.code, 0, "{measured:#?}");
    insta::assert_snapshot!(measured.stdout, @"
    split	species	order	by	bits_per_base	low	high	n_bases	n_windows	seed
    test	B	0	witten-bell	2.0000	2.0000	2.0000	189	8	1
    test	B	4	witten-bell	0.6079	0.4922	0.7934	189	8	1
    ");
    assert_eq!(tetrad(folder.path(), &command).stdout, measured.stdout);
}

#[test]
fn a_species_in_two_splits_is_refused() {
    let folder = folder_with_species();
    let flags = ["--species", "A=a.fa", "--test", "A", "--valid", "a"];
    let refused = tetrad(folder.path(), &[&["genome", "data", "c"][..], &flags].concat());
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert!(refused.stderr.starts_with("tetrad: `A` is in two splits: valid and test"));
    let missing = tetrad(folder.path(), &["genome", "data", "c"]);
    assert_eq!(missing.code, 2, "{missing:#?}");
    assert!(missing.stderr.contains("failed to open corpus"), "{missing:#?}");
}

#[test]
fn variants_against_an_indexed_reference_are_those_against_a_whole_one() {
    let (folder, fasta) = folder_with(">chr0\nAC\n>chr1 x\nACGTACGTTTGACCA\nACGGTTACGATTACA\n");
    let vcf = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
               chr1\t5\t.\tA\tC,AGG\t.\t.\t.\n\
               chr1\t15\t.\tAACG\tA\t.\t.\t.\n\
               chr1\t30\t.\tA\tT\t.\t.\t.\n";
    std::fs::write(folder.path().join("x.vcf"), vcf).expect("a file");
    let weights = weights();
    let run = |more: &[&str]| {
        let first = ["genome", "variants", "--model", &weights, "--reference", "x.fa", "x.vcf"];
        tetrad(folder.path(), &[&first[..], &["--window", "12"], more].concat())
    };
    let index = fasta.with_file_name("x.fa.fai");
    let whole = run(&[]);
    assert_eq!(whole.code, 0, "{whole:#?}");
    assert_eq!(whole.stdout.lines().count(), 2 + 4);
    std::fs::write(&index, "chr0\t2\t6\t2\t3\nchr1\t30\t17\t15\t16\n").expect("a file");
    let indexed = run(&[]);
    assert_eq!((indexed.code, &indexed.stdout), (0, &whole.stdout), "{indexed:#?}");
    // Of another file, and no index at all: skipping lines of the VCF does not help.
    for (text, said) in [
        ("chr0\t2\t6\t2\t3\nchr1\t30\t18\t15\t16\n", "the header of `chr1` is not where it says"),
        ("chr0\t2\t6\t2\t3\nchr1\t30\t17\t0\t16\n", "no line of an index"),
    ] {
        std::fs::write(&index, text).expect("a file");
        let ran = run(&["--on-error", "skip"]);
        assert_eq!(ran.code, 2, "{ran:#?}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("tetrad: failed to read reference: "), "{ran:#?}");
        assert!(first.contains(said) && first.ends_with("x.fa.fai:2"), "{ran:#?}");
        assert!(ran.stderr.contains("samtools faidx"), "{ran:#?}");
    }
    // What the index lacks is a fault of the line that asks for it.
    std::fs::write(&index, "chr0\t2\t6\t2\t3\n").expect("a file");
    let lacking = run(&[]);
    assert_eq!(lacking.code, 2, "{lacking:#?}");
    assert!(lacking.stderr.contains("no `chr1` in the reference: x.vcf:3"), "{lacking:#?}");
    // A place near the end of all numbers.
    let far = vcf.replace("chr1\t5\t.\tA\t", "chr1\t18446744073709551615\t.\tAC\t");
    std::fs::write(folder.path().join("x.vcf"), far).expect("a file");
    std::fs::remove_file(&index).expect("removed");
    let far = run(&[]);
    assert_eq!(far.code, 2, "{far:#?}");
    assert!(far.stderr.contains("`chr1` ends at 30, before the end of `AC`"), "{far:#?}");
}

/// Parquet begins and ends with its name.
fn is_parquet(path: &Path) -> bool {
    let bytes = std::fs::read(path).expect("a file");
    bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")
}

#[test]
fn tables_are_parquet_where_their_names_say_so_and_go_on_all_the_same() {
    let (folder, _) = folder_with(">a\nACGTACGTTTGACCA\n>c\nACGGT\n");
    let weights = weights();
    let arguments = [
        "genome",
        "score",
        "--model",
        &weights,
        "x.fa",
        "--to",
        "t.parquet",
        "--per-base",
        "p.parquet",
    ];
    // As a kill after the first row leaves it.
    let text = [&arguments[..6], &["t.tsv"]].concat();
    assert_eq!(tetrad(folder.path(), &text).code, 0);
    let rows = std::fs::read_to_string(folder.path().join("t.tsv")).expect("the table");
    let partial = folder.path().join("t.parquet.partial");
    std::fs::write(&partial, rows.split_inclusive('\n').take(3).collect::<String>())
        .expect("a file");
    let ran = tetrad(folder.path(), &arguments);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(ran.stderr.contains("going on after 1 sequences that are done"), "{ran:#?}");
    assert!(!partial.exists() && !folder.path().join("p.parquet.partial").exists());
    assert!(is_parquet(&folder.path().join("t.parquet")));
    assert!(is_parquet(&folder.path().join("p.parquet")));
    std::fs::write(
        folder.path().join("x.vcf"),
        "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n\
         a\t5\t.\tA\tC\t.\t.\t.\n",
    )
    .expect("a file");
    let variants = ["genome", "variants", "--model", &weights, "--reference", "x.fa", "x.vcf"];
    let to = ["--to", "v.parquet"];
    let made = tetrad(folder.path(), &[&variants[..], &to].concat());
    assert_eq!(made.code, 0, "{made:#?}");
    assert!(is_parquet(&folder.path().join("v.parquet")));
    let vcf = tetrad(folder.path(), &[&variants[..], &to, &["--as", "vcf"]].concat());
    assert_eq!(vcf.code, 2, "{vcf:#?}");
    assert!(vcf.stderr.contains("a VCF is no Parquet"), "{vcf:#?}");
}

/// A recipe of a few steps of a model of two layers.
const RECIPE: &str = r#"
seed = 5
bf16 = false
learning_rate = 1e-2
final_share = 0.1
warmup_share = 0.1
beta1 = 0.9
beta2 = 0.95
weight_decay = 0.1
clip = 1.0
stages = [
    { steps = 12, batch = 2, length = 32, rotary_scale = 1.0 },
    { steps = 2, batch = 1, length = 64, rotary_scale = 2.0 },
]
sampling = { genic_weight = 1.0, species_exponent = 1.0, tag_share = 0.0 }
validation = { windows = 4, length = 32, every = 7, seed = 1 }

[model]
model_name = "two_layers"
vocab_size = 256
hidden_size = 32
num_layers = 2
hcl_layer_idxs = [0]
attn_layer_idxs = [1]
short_filter_length = 3
hcs_filter_length = 7
hcs_filter_groups = 2
hcm_filter_length = 128
hcm_filter_groups = 2
state_size = 4
num_attention_heads = 1
rotary_emb_base = 10000.0
inner_mlp_size = 64
eps = 1e-6
max_seqlen = 32
"#;

#[test]
fn a_model_is_trained_watched_and_used() {
    let folder = folder_with_species();
    let list = "[[species]]\nname = \"A\"\nsplit = \"train\"\nfiles = [\"a.fa\"]\n\
                [[species]]\nname = \"B\"\nsplit = \"valid\"\nfiles = [\"c.fa\"]\n";
    std::fs::write(folder.path().join("list.toml"), list).expect("a file");
    let c = format!(">c\n{}\n", "ACGTTGCA".repeat(9) + &"GGATCCTA".repeat(9));
    std::fs::write(folder.path().join("c.fa"), c).expect("a file");
    std::fs::write(folder.path().join("recipe.toml"), RECIPE).expect("a file");
    let command = ["genome", "data", "corpus", "--list", "list.toml", "--no-prediction"];
    assert_eq!(tetrad(folder.path(), &command).code, 0);
    let train = ["genome", "train", "corpus", "--to", "run", "--recipe", "recipe.toml"];
    let trained = tetrad(folder.path(), &train);
    assert_eq!(trained.code, 0, "{trained:#?}");
    assert!(trained.stdout.starts_with("finished after 14 steps, 896 bases, "), "{trained:#?}");
    assert!(trained.stdout.contains("order-2 Markov chain: "), "{trained:#?}");
    let log = std::fs::read_to_string(folder.path().join("run/log.jsonl")).expect("a log");
    let count = |kind: &str| log.lines().filter(|line| line.contains(kind)).count();
    assert_eq!((count("\"step\",\""), count("validation"), count("markov")), (14, 2, 4));
    let page = std::fs::read_to_string(folder.path().join("run/report.html")).expect("a page");
    assert!(page.contains("Loss against bases read") && page.contains("two_layers"));
    // Finished is finished; other settings are another run.
    let again = tetrad(folder.path(), &train);
    assert_eq!((again.code, &again.stdout), (0, &trained.stdout));
    let other = tetrad(folder.path(), &[&train[..], &["--seed", "6"]].concat());
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("the checkpoint is of other settings"), "{other:#?}");
    // The same from the same seed, whatever was there before and however many threads there are.
    let copy = ["genome", "train", "corpus", "--to", "copy", "--recipe", "recipe.toml"];
    assert_eq!(tetrad(folder.path(), &[&copy[..], &["--threads", "1"]].concat()).code, 0);
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors"));
    assert_eq!(model("run").expect("a model"), model("copy").expect("a model"));
    // Nor does a run go on from another beginning, or over other sequences.
    let from = ["--from", "copy/model.safetensors"];
    let other = tetrad(folder.path(), &[&train[..], &from].concat());
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("the checkpoint is of other settings"), "{other:#?}");
    std::fs::write(folder.path().join("c.fa"), format!(">c\n{}\n", "ACGTTGCC".repeat(18)))
        .expect("a file");
    let command = ["genome", "data", "changed", "--list", "list.toml", "--no-prediction"];
    assert_eq!(tetrad(folder.path(), &command).code, 0);
    let train = ["genome", "train", "changed", "--to", "run", "--recipe", "recipe.toml"];
    let other = tetrad(folder.path(), &train);
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("the checkpoint is of other settings"), "{other:#?}");
    assert_eq!(model("run").expect("a model"), model("copy").expect("a model"));
    // What comes out is a model like any other, with its positions stretched.
    let scored =
        tetrad(folder.path(), &["genome", "score", "--model", "run/model.safetensors", "a.fa"]);
    assert_eq!(scored.code, 0, "{scored:#?}");
    let bits = scored.stdout.lines().nth(1).and_then(|row| row.rsplit('\t').next());
    let bits: f64 = bits.expect("a row").parse().expect("a number");
    assert!(bits < 2.0, "what was trained on costs less than guessing: {bits}");
    let begun = ["genome", "train", "corpus", "--to", "more", "--recipe", "recipe.toml"];
    let begun = tetrad(folder.path(), &[&begun[..], &["--from", "run/model.safetensors"]].concat());
    assert_eq!(begun.code, 0, "{begun:#?}");
}

#[test]
fn the_model_that_comes_with_the_program_knows_dna_from_noise() {
    let folder = folder_with("").0;
    let lambda = concat!(env!("CARGO_MANIFEST_DIR"), "/../genome/data/lambda.fa.gz");
    let mut records = genome::fasta::Reader::open(Path::new(lambda)).expect("phage lambda");
    let lambda = records.next().expect("a record").expect("read").sequence;
    let bases = String::from_utf8_lossy(&lambda[..2800]).into_owned();
    // Every seventh base in turn: the same bases, no longer a gene.
    let noise: String = (0..7).flat_map(|from| bases.chars().skip(from).step_by(7)).collect();
    std::fs::write(folder.path().join("x.fa"), format!(">dna\n{bases}\n>noise\n{noise}\n"))
        .expect("a file");
    let scored = tetrad(folder.path(), &["genome", "score", "x.fa"]);
    assert_eq!(scored.code, 0, "{scored:#?}");
    let bits: Vec<f64> = scored
        .stdout
        .lines()
        .skip(1)
        .map(|row| row.rsplit('\t').next().expect("a column").parse().expect("a number"))
        .collect();
    assert!(bits[0] < 1.97 && bits[1] > bits[0] + 0.03, "{bits:?}");
}

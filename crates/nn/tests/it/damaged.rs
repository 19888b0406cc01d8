//! Files of weights that are damaged or made to do harm: each is read or refused in words, and none
//! makes the reader ask for more memory than an honest file would.

use std::io::Write;
use std::path::Path;

use nn::weights::{File, Kind};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::HEAP;
use crate::weights::{REBUILD, archive, pickle, put, refusal, six};

/// What this whole binary may have held at once. The files below are smaller than a megabyte, and
/// some of them claim many gigabytes.
const MOST_BYTES: usize = 256 << 20;

fn torch_save() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torch_save.pt");
    std::fs::read(path).expect("the fixture")
}

/// Safetensors with a header of one's own.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

const TWO: &str = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
    "b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"__metadata__":{"note":"text"}}"#;

fn two() -> Vec<u8> {
    safetensors(TWO, &[1; 22])
}

/// Reads everything that a file offers.
fn read_through(bytes: &[u8]) -> Result<(), nn::Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = File::open(&put(folder.path(), "x", bytes))?;
    for name in file.names() {
        let tensor = file.get(name).expect("named");
        let n: usize = tensor.shape().iter().product();
        assert!(tensor.bytes().len() <= bytes.len() && n <= 8 * bytes.len());
        if !matches!(tensor.kind(), Kind::Other(_) | Kind::I8 | Kind::U8) {
            assert_eq!(tensor.to_vec().len(), n);
            let _ = tensor.check_finite();
        }
    }
    Ok(())
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
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (place(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (place(), 1_usize..9).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => place().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 1..5)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        // One past the end is a place too, and stays one when nothing is left.
        let at = |place: &Index| place.index(bytes.len() + 1);
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

proptest! {
    #[test]
    fn a_changed_archive_is_read_or_refused(changes in changes()) {
        let _ = read_through(&changed(torch_save(), &changes));
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }

    #[test]
    fn a_changed_pickle_is_read_or_refused(changes in changes()) {
        // Inside an archive whose checksum fits, so that it gets as far as the pickle.
        let whole = pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0);
        let _ = read_through(&archive(&changed(whole, &changes), &six()));
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }

    #[test]
    fn changed_safetensors_are_read_or_refused(changes in changes()) {
        let _ = read_through(&changed(two(), &changes));
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }

    #[test]
    fn a_changed_header_is_read_or_refused(changes in changes()) {
        let header = changed(TWO.into(), &changes);
        let _ = read_through(&safetensors(&String::from_utf8_lossy(&header), &[1; 22]));
        prop_assert!(HEAP.peak_usage() < MOST_BYTES);
    }
}

#[test]
fn what_is_cut_short_is_refused_at_every_length() {
    for whole in [torch_save(), two()] {
        read_through(&whole).expect("whole, it is read");
        for n in 0..whole.len() {
            read_through(&whole[..n]).expect_err("cut short");
        }
    }
}

#[test]
fn headers_that_claim_what_is_not_there_are_refused() {
    let one = |shape: &str, from: u64, to: u64| {
        format!(r#""dtype":"F32","shape":[{shape}],"data_offsets":[{from},{to}]"#)
    };
    let of = |tensors: &[(&str, String)]| {
        let tensors: Vec<String> =
            tensors.iter().map(|(name, text)| format!("\"{name}\":{{{text}}}")).collect();
        refusal(&safetensors(&format!("{{{}}}", tensors.join(",")), &[0; 16]))
    };
    // Beyond the end, out of nothing, over another, with a gap, twice under one name.
    for tensors in [
        vec![("a", one("8", 0, 32))],
        vec![("a", one("4", 16, 32))],
        vec![("a", one("4", 16, 0))],
        vec![("a", one("4", 0, 16)), ("b", one("2", 8, 16))],
        vec![("a", one("2", 0, 8)), ("b", one("1", 12, 16))],
        vec![("a", one("2", 0, 8)), ("a", one("2", 8, 16))],
        vec![("a", one("2", 0, 8))],
    ] {
        let said = of(&tensors);
        assert!(said.starts_with("failed to read weights: "), "{said}");
    }
    let huge = 1_u64 << 60;
    assert!(of(&[("a", one(&huge.to_string(), 0, 16))]).contains("overflow"));
    assert!(of(&[("a", one("4294967296,4294967296", 0, 0))]).contains("overflow"));
    // Eight tensors whose ends reach 2^64: the sum with the header would begin again at 0.
    let eighth = 1_u64 << 61;
    let byte = |n: u64| {
        let (from, to) = (n * (eighth - 1), (n + 1) * (eighth - 1));
        format!(r#""{n}":{{"dtype":"U8","shape":[{}],"data_offsets":[{from},{to}]}}"#, eighth - 1)
    };
    let tensors: Vec<String> = (0..8).map(byte).collect();
    let said = refusal(&safetensors(&format!("{{{}}}", tensors.join(",")), &[]));
    assert!(said.contains("bytes of tensors after"), "{said}");
    // Lengths of the header itself.
    for size in [0, 1, 1000, 100_000_001, u64::from(u32::MAX), u64::MAX - 8, u64::MAX] {
        let mut bytes = two();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        refusal(&bytes);
    }
    // Text that nests without end.
    refusal(&safetensors(&"[".repeat(500_000), &[]));
    assert!(HEAP.peak_usage() < MOST_BYTES);
}

/// An archive whose pickle is what `write` adds to an empty one.
fn pickled(write: &[u8]) -> String {
    refusal(&archive(&[b"\x80\x02", write, b"."].concat(), &six()))
}

#[test]
fn no_way_to_call_something_is_followed() {
    // By name, by two texts, as a class, by the old instructions, by a registered number.
    for (write, said) in [
        (&b"cos\nsystem\nX\x02\x00\x00\x00id\x85R"[..], "`os.system`"),
        (b"\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R", "`os.system`"),
        (b"csubprocess\nPopen\nX\x02\x00\x00\x00id\x85\x81", "`subprocess.Popen`"),
        (b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R", "`builtins.eval`"),
        (b"c__builtin__\ngetattr\n)R", "`__builtin__.getattr`"),
        (b"(X\x02\x00\x00\x00idios\nsystem\n", "0x69 is not read"),
        (b"(cos\nsystem\nX\x02\x00\x00\x00ido", "0x6f is not read"),
        (b"\x82\x01)R", "0x82 is not read"),
        // The result of an ignored function is no function either.
        (b"c_codecs\nencode\n)RX\x01\x00\x00\x00a\x85R", "dictionary of tensors"),
    ] {
        let got = pickled(write);
        assert!(got.contains(said), "{got}");
    }
}

#[test]
fn dictionaries_do_not_nest_without_end_by_being_filled_late() {
    // Each is put into the one before while it is empty: dropping them would recurse as deep.
    let mut chain = b"}".to_vec();
    for _ in 0..100_000 {
        chain.extend(b"X\x01\x00\x00\x00k}q\x00sh\x00");
    }
    let said = pickled(&chain);
    assert!(said.contains("adds to a dictionary that something else holds"), "{said}");
    // One that holds itself.
    let said = pickled(b"}q\x00X\x01\x00\x00\x00kh\x00s");
    assert!(said.contains("adds to a dictionary that something else holds"), "{said}");
}

/// A pickle of tensors with sizes of 64 bits, from a storage of six numbers.
fn tensors(all: &[(&str, &[u64], &[u64], u64)]) -> Vec<u8> {
    let mut out = b"\x80\x02}".to_vec();
    let number = |out: &mut Vec<u8>, n: u64| {
        out.extend(b"\x8a\x08");
        out.extend(n.to_le_bytes());
    };
    let tuple = |out: &mut Vec<u8>, sizes: &[u64]| {
        out.push(b'(');
        sizes.iter().for_each(|size| number(out, *size));
        out.push(b't');
    };
    for (name, shape, strides, offset) in all {
        out.extend([b"\x8c", &[name.len() as u8][..], name.as_bytes()].concat());
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
        out.extend(b"(\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x06tQ");
        number(&mut out, *offset);
        tuple(&mut out, shape);
        tuple(&mut out, strides);
        out.extend(b"\x89)tRs");
    }
    out.push(b'.');
    out
}

#[test]
fn sizes_that_no_file_can_hold_are_refused() {
    let most = i64::MAX.cast_unsigned();
    let of = |shape: &[u64], strides: &[u64], offset| {
        refusal(&archive(&tensors(&[("a", shape, strides, offset)]), &six()))
    };
    assert!(of(&[most, most], &[most, 1], 0).contains("an impossible shape"));
    assert!(of(&[most], &[1], 0).contains("reaches beyond its storage"));
    assert!(of(&[6], &[1], most).contains("reaches beyond its storage"));
    assert!(of(&[u64::MAX], &[1], 0).contains("of impossible shape"), "a negative size");
    assert!(of(&[2, 3], &[3], 0).contains("of impossible shape"));
    // Nothing in it, and sizes whose product is beyond 64 bits.
    let bytes = archive(&tensors(&[("a", &[0, most, 4], &[1, 4, 1], 0)]), &six());
    read_through(&bytes).expect("an empty tensor");
    let twice: [(&str, &[u64], &[u64], u64); 2] = [("a", &[6], &[1], 0), ("a", &[3], &[1], 0)];
    assert!(refusal(&archive(&tensors(&twice), &six())).contains("two tensors `a`"));
    assert!(HEAP.peak_usage() < MOST_BYTES);
}

/// An archive of named files, as they are.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in files {
        zip.start_file(*name, options).expect("in memory");
        zip.write_all(bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

/// Replaces every occurrence.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

#[test]
fn archives_that_claim_more_than_they_hold_are_refused() {
    let good = pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0);
    let two_pickles = zipped(&[("x/data.pkl", &good), ("y/data.pkl", &good)]);
    assert!(refusal(&two_pickles).contains("2 pickles in the archive"));
    let two_storages = zipped(&[("x/data.pkl", &good), ("x/data/0", &six()), ("y/data/0", &six())]);
    assert!(refusal(&two_storages).contains("two storages `0`"));
    assert!(refusal(&zipped(&[("x/data.pkl", &good)])).contains("no storage for `a`"));
    // Lengths that stand in both headers of each file: a pickle of 4 GB, numbers of 4 GB.
    let whole = archive(&good, &six());
    let size = |n: usize| (n as u32).to_le_bytes().repeat(2);
    for n in [good.len(), six().len()] {
        for claimed in [1 << 20, (8 << 20) + 1, u32::MAX as usize - 1] {
            let claims = replaced(&whole, &size(n), &size(claimed));
            assert_ne!(claims, whole);
            refusal(&claims);
        }
    }
    // Packed a thousandfold: what is packed is not read at all.
    let packed = replaced(&whole, b"\x00\x00\x00\x00\x21\x00", b"\x08\x00\x00\x00\x21\x00");
    assert_ne!(packed, whole);
    refusal(&packed);
    // A directory of 2^40 files in an archive of a few hundred bytes. Its own end is left out: that
    // would be found instead.
    let whole = &whole[..whole.len() - 22];
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for n in [1_u64 << 40, 1 << 40, 46 << 40, 1 << 41] {
        end.extend(n.to_le_bytes());
    }
    let at = whole.len() as u64;
    end.extend(b"PK\x06\x07\x00\x00\x00\x00");
    end.extend(at.to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end.extend(b"PK\x05\x06\x00\x00\x00\x00");
    end.extend([0xff; 12]);
    end.extend([0, 0]);
    refusal(&[whole, &end].concat());
    assert!(HEAP.peak_usage() < MOST_BYTES);
}

#[test]
fn parts_that_are_missing_or_misnamed_are_said_to_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = archive(&pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0), &six());
    let third = whole.len() / 3;
    let parts = [&whole[..third], &whole[third..2 * third], &whole[2 * third..]];
    let name = |n: usize| format!("x.pt.part{n}");
    let write = |order: [usize; 3]| {
        for (n, part) in order.into_iter().enumerate() {
            put(folder.path(), &name(n), parts[part]);
        }
    };
    let open = |name: &str| File::open(&folder.path().join(name)).map(|_| ());
    let said = |name: &str| open(name).expect_err("refused").to_string();
    write([0, 1, 2]);
    open("x.pt").expect("whole");
    assert!(said("x.pt.part2").contains("part 2 of several: name `x.pt` or `x.pt.part0`"));
    // What only looks like a part is none.
    put(folder.path(), "x.pt.part03", b"");
    put(folder.path(), "x.pt.part", b"");
    put(folder.path(), "y.pt.part7", b"");
    open("x.pt").expect("whole");
    write([0, 2, 1]);
    refusal(&std::fs::read(folder.path().join(name(0))).expect("a file"));
    said("x.pt");
    write([0, 1, 2]);
    std::fs::remove_file(folder.path().join(name(1))).expect("removed");
    assert!(said("x.pt.part0").contains("`x.pt.part2` is there, but no `.part1`"));
    std::fs::remove_file(folder.path().join(name(0))).expect("removed");
    assert!(said("x.pt").contains("`x.pt.part2` is there, but no `.part0`"));
    // Safetensors in parts are read without being joined in memory.
    let whole = two();
    put(folder.path(), "z.part0", &whole[..40]);
    put(folder.path(), "z.part1", &whole[40..]);
    let file = File::open(&folder.path().join("z")).expect("it opens");
    assert_eq!(file.get("b").expect("there").shape(), [3]);
}

#[test]
fn every_kind_of_float_is_searched_for_what_is_not_finite() {
    for (dtype, bytes, what) in [
        ("BF16", &[0, 0, 0x80, 0xff][..], "-inf"),
        ("F16", &[0, 0, 0, 0x7e], "NaN"),
        ("F64", &[[0; 8], [0, 0, 0, 0, 0, 0, 0xf0, 0x7f]].concat(), "inf"),
        // Finite where it stands, but not as it is used.
        ("F64", &[[0; 8], 1e300_f64.to_le_bytes()].concat(), "inf"),
    ] {
        let n = bytes.len();
        let header = format!(r#"{{"a":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,{n}]}}}}"#);
        let folder = tempfile::tempdir().expect("a folder");
        let path = put(folder.path(), "x", &safetensors(&header, bytes));
        let file = File::open(&path).expect("it opens");
        let error = file.get("a").expect("there").check_finite().expect_err("refused").to_string();
        assert!(error.contains(&format!("`a` holds {what} at 1")), "{error}");
    }
}

//! Files of weights, whole and damaged.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use nn::weights::{File, NewTensor};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;

/// A pickle, written opcode by opcode: the state dict `{"a": tensor of [2, 3] f32}`.
pub(crate) fn pickle(
    function: &str,
    storage: &str,
    shape: [u8; 2],
    strides: [u8; 2],
    offset: u8,
) -> Vec<u8> {
    let mut out = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01".to_vec();
    let (module, name) = function.rsplit_once('.').expect("a dotted name");
    write!(out, "c{module}\n{name}\n").expect("in memory");
    out.extend(b"((X\x07\x00\x00\x00storage");
    write!(out, "ctorch\n{storage}\n").expect("in memory");
    out.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ");
    out.extend([b'K', offset, b'K', shape[0], b'K', shape[1], 0x86]);
    out.extend([b'K', strides[0], b'K', strides[1], 0x86, 0x89]);
    out.extend(b"ccollections\nOrderedDict\n)RtRs.");
    out
}

pub(crate) const REBUILD: &str = "torch._utils._rebuild_tensor_v2";

/// An archive as `torch.save` writes it: nothing compressed.
pub(crate) fn archive(pickle: &[u8], data: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", pickle), ("x/data/0", data), ("x/version", b"3\n")] {
        zip.start_file(name, options).expect("in memory");
        zip.write_all(bytes).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

pub(crate) fn six() -> Vec<u8> {
    (0..6).flat_map(|n: u8| f32::from(n).to_le_bytes()).collect()
}

pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// What opening says, without the path.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = put(folder.path(), "x.pt", bytes);
    let error = File::open(&path).expect_err("it is refused").to_string();
    error.replace(&format!(": {}", path.display()), "")
}

#[test]
fn safetensors_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.safetensors");
    let tensors = [
        ("a", NewTensor::f32(&[2, 2], &[1.0, -2.5, 3.0, 0.0])),
        ("b", NewTensor::bf16(&[3], &[1.0, 0.5, -8.0])),
    ];
    let metadata = BTreeMap::from([("note".to_owned(), "text".to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (*name, tensor));
    nn::weights::write(&path, views, metadata.clone()).expect("written");
    let file = File::open(&path).expect("it opens");
    assert_eq!(*file.metadata(), metadata);
    assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(file.tensor("a", &[2, 2]).expect("there").to_vec(), [1.0, -2.5, 3.0, 0.0]);
    assert_eq!(file.tensor("b", &[3]).expect("there").to_vec(), [1.0, 0.5, -8.0]);
    let wrong = file.tensor("a", &[4]).expect_err("another shape").to_string();
    assert!(wrong.contains("shape mismatch in `a`: expected [4], got [2, 2]"), "{wrong}");
    assert!(file.tensor("c", &[1]).expect_err("none").to_string().contains("no tensor `c`"));
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.safetensors");
    let tensor = NewTensor::f32(&[3], &[1.0, f32::NAN, 2.0]);
    nn::weights::write(&path, [("a", &tensor)], BTreeMap::new()).expect("written");
    let file = File::open(&path).expect("it opens");
    let error = file.get("a").expect("there").check_finite().expect_err("NaN").to_string();
    assert!(error.contains("`a` holds NaN at 1"), "{error}");
}

#[test]
fn torch_archives_are_read_whole_and_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = archive(&pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0), &six());
    let whole = put(folder.path(), "whole.pt", &bytes);
    let want = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let file = File::open(&whole).expect("it opens");
    assert_eq!(file.tensor("a", &[2, 3]).expect("there").to_vec(), want);
    // Cut inside the numbers: the tensor lies across two parts.
    let at = bytes.windows(24).position(|at| at == six()).expect("stored as it is") + 10;
    put(folder.path(), "split.pt.part0", &bytes[..at]);
    put(folder.path(), "split.pt.part1", &bytes[at..]);
    for name in ["split.pt", "split.pt.part0"] {
        let file = File::open(&folder.path().join(name)).expect("it opens");
        assert_eq!(file.tensor("a", &[2, 3]).expect("there").to_vec(), want, "{name}");
    }
}

#[test]
fn what_pytorch_itself_writes_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torch_save.pt");
    let file = File::open(&path).expect("it opens");
    assert_eq!(file.names().collect::<Vec<_>>(), ["bf16", "parameter", "plain", "view"]);
    let values = |name: &str, shape: &[usize]| file.tensor(name, shape).expect("there").to_vec();
    assert_eq!(values("plain", &[2, 2]), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(values("bf16", &[2]), [0.5, -8.0]);
    assert_eq!(values("view", &[2, 3]), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(values("parameter", &[1]), [7.0]);
}

#[test]
fn a_pickle_that_wants_to_run_code_is_refused() {
    let bytes = archive(&pickle("posix.system", "FloatStorage", [2, 3], [3, 1], 0), &six());
    let said = refusal(&bytes);
    assert!(said.contains("wants to call `posix.system`, which is refused"), "{said}");
}

#[test]
fn impossible_tensors_are_refused() {
    let of = |shape, strides, offset| {
        refusal(&archive(&pickle(REBUILD, "FloatStorage", shape, strides, offset), &six()))
    };
    assert!(of([2, 4], [4, 1], 0).contains("`a` reaches beyond its storage"));
    assert!(of([2, 3], [3, 1], 1).contains("`a` reaches beyond its storage"));
    assert!(of([2, 3], [1, 2], 0).contains("`a` is not contiguous"));
    let said = refusal(&archive(&pickle(REBUILD, "LongStorage", [2, 3], [3, 1], 0), &six()));
    assert!(said.contains("no tensors"), "{said}");
}

#[test]
fn deep_and_doubling_pickles_are_refused_quickly() {
    // A tuple in a tuple in a tuple, a million deep.
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    assert!(refusal(&archive(&deep, &[])).contains("nests too deep"));
    // Each tuple holds the one before twice: 2^60 leaves if it were copied.
    let mut doubling = b"\x80\x02)q\x00".to_vec();
    for _ in 0..60 {
        doubling.extend(b"h\x00h\x00\x86q\x00");
    }
    doubling.push(b'.');
    assert!(refusal(&archive(&doubling, &[])).contains("dictionary"));
    // A text that claims four gigabytes.
    let long = b"\x80\x02X\xff\xff\xff\xffab.";
    assert!(refusal(&archive(long, &[])).contains("ends too soon"));
}

#[test]
fn truncated_files_are_refused_at_every_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.safetensors");
    let tensor = NewTensor::f32(&[2, 2], &[1.0; 4]);
    nn::weights::write(&path, [("a", &tensor)], BTreeMap::new()).expect("written");
    let safetensors = std::fs::read(&path).expect("a file");
    let torch = archive(&pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0), &six());
    for whole in [safetensors, torch] {
        for n in 0..whole.len() {
            refusal(&whole[..n]);
        }
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut bytes = archive(&pickle(REBUILD, "FloatStorage", [2, 3], [3, 1], 0), &six());
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let path = put(folder.path(), "x.pt", &bytes);
        if let Ok(file) = File::open(&path) {
            for name in file.names() {
                let tensor = file.get(name).expect("named");
                prop_assert!(tensor.bytes().len() <= bytes.len());
            }
        }
    }

    #[test]
    fn any_pickle_is_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().expect("a folder");
        let _ = File::open(&put(folder.path(), "x.pt", &archive(&bytes, &six())));
    }
}

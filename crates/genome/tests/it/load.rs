//! Files that are no model.

use std::collections::BTreeMap;
use std::path::Path;

use genome::ModelConfig;
use genome::load;
use nn::Precision;
use nn::weights::{File, NewTensor};

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evo2_tiny");
    folder.join(name).to_string_lossy().into_owned()
}

/// The fixture's weights with one tensor changed or left out.
fn with(change: &str, to: Option<NewTensor>) -> String {
    let file = File::open(Path::new(&fixture("weights.safetensors"))).expect("the fixture");
    let mut tensors: BTreeMap<String, NewTensor> = BTreeMap::new();
    for name in file.names() {
        let tensor = file.get(name).expect("named");
        tensors.insert(name.to_owned(), NewTensor::f32(tensor.shape(), &tensor.to_vec()));
    }
    tensors.remove(change).expect("a tensor of the fixture");
    tensors.extend(to.map(|tensor| (change.to_owned(), tensor)));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.safetensors");
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    nn::weights::write(&path, views, BTreeMap::new()).expect("written");
    let config = fixture("config.json");
    let error = load::model(&path.to_string_lossy(), Some(&config), Precision::F32);
    error.expect_err("refused").to_string()
}

#[test]
fn a_checkpoint_that_does_not_fit_names_the_tensor() {
    let name = "blocks.2.filter.residues";
    assert!(with(name, None).contains("no tensor `blocks.2.filter.residues`"));
    let short = NewTensor::f32(&[64, 8], &[0.0; 512]);
    let said = with(name, Some(short));
    assert!(said.contains("shape mismatch in `blocks.2.filter.residues`"), "{said}");
    let mut values = vec![0.5; 64 * 16];
    values[17] = f32::INFINITY;
    let said = with(name, Some(NewTensor::f32(&[64, 16], &values)));
    assert!(said.contains("`blocks.2.filter.residues` holds inf at 17"), "{said}");
    let mut bytes = NewTensor::f32(&[64, 16], &[0.0; 1024]);
    bytes.kind = nn::weights::Kind::U8;
    bytes.bytes.truncate(1024);
    assert!(with(name, Some(bytes)).contains("`blocks.2.filter.residues` is u8, not"));
}

#[test]
fn a_model_that_needs_fp8_is_refused_before_anything_is_read() {
    for name in ["evo2_1b_base", "evo2_20b", "evo2_40b_base", "evo2_40b"] {
        let error = load::model("random:1", Some(name), Precision::Bf16).expect_err("refused");
        assert!(matches!(error, genome::Error::NeedsFp8 { .. }), "{name}: {error}");
    }
    // The official configurations say so by a field of their own.
    let text = ModelConfig::named("evo2_7b_base").expect("published").to_json();
    let text = text.replace("\"fp8\": \"none\"", "\"use_fp8_input_projections\": true");
    let config = ModelConfig::parse(&text).expect("valid");
    assert_eq!(config.fp8, genome::config::Fp8::Required);
}

#[test]
fn weights_say_which_model_they_are() {
    let path = fixture("weights.safetensors");
    let file = File::open(Path::new(&path)).expect("the fixture");
    let config = load::config_of(&file, None).expect("beside it");
    assert_eq!(config.model_name, "evo2-tiny-golden");
    assert_eq!(load::config_of(&file, Some("evo2_7b")).expect("named").num_layers, 32);
}

//! Open models: against transformers, and folders that are not what they should be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nn::backbone::Backbone;
use nn::weights::{File, NewTensor, write};

/// Of features whose numbers are around 1: sums of f32 in another order.
const TOLERANCE: f32 = 1e-4;

const SIZE: usize = 16;

fn data(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/backbones").join(model)
}

/// The picture of `scripts/backbones.py`.
fn picture() -> Vec<u8> {
    (0..SIZE * SIZE * 3).map(|at| ((at * 31 + at / 7 + 11) % 251) as u8).collect()
}

fn look(backbone: &mut Backbone, picture: &[u8], text: &str) -> Vec<f32> {
    let mut features = vec![0.0; backbone.n_features()];
    backbone.features(picture, [SIZE, SIZE], text, &mut features).expect("features");
    features
}

/// A copy of a model's folder that may be changed.
fn copy(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(data(model)).expect("files").flatten() {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    folder
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

/// Weights of a folder, changed, and written to parts: a tensor goes where `part` says.
fn rewrite(
    folder: &Path,
    change: impl Fn(&str, &mut Vec<f32>),
    part: impl Fn(&str) -> Option<&'static str>,
) {
    let file = File::open(&folder.join("model.safetensors")).expect("weights");
    let mut parts: BTreeMap<&str, Vec<(String, NewTensor)>> = BTreeMap::new();
    let mut map = serde_json::Map::new();
    for name in file.names() {
        let tensor = file.get(name).expect("named");
        let mut values = tensor.to_vec();
        change(name, &mut values);
        let Some(part) = part(name) else { continue };
        map.insert(name.to_owned(), part.into());
        let tensor = NewTensor::f32(tensor.shape(), &values);
        parts.entry(part).or_default().push((name.to_owned(), tensor));
    }
    for (part, tensors) in &parts {
        let tensors = tensors.iter().map(|(name, tensor)| (name, tensor));
        write(&folder.join(part), tensors, BTreeMap::new()).expect("written");
    }
    if parts.len() > 1 {
        std::fs::remove_file(folder.join("model.safetensors")).expect("removed");
        let index = serde_json::json!({ "weight_map": map }).to_string();
        std::fs::write(folder.join("model.safetensors.index.json"), index).expect("written");
    }
}

fn whole(_: &str) -> Option<&'static str> {
    Some("model.safetensors")
}

fn refused(folder: &Path) -> String {
    let error = Backbone::open(folder).expect_err("a broken folder").to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn features_are_those_of_transformers() {
    for model in Backbone::supported() {
        let text = std::fs::read_to_string(data(model).join("expected.json")).expect("a file");
        let expected: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let want: Vec<f32> = serde_json::from_value(expected["features"].clone()).expect("numbers");
        let mut backbone = Backbone::open(&data(model)).expect(model);
        assert_eq!((backbone.model_type(), backbone.n_features()), (model, want.len()));
        let text = expected["text"].as_str().expect("a text");
        let got = look(&mut backbone, &picture(), text);
        let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < TOLERANCE, "{model}: off by {off}\n{got:?}\n{want:?}");
    }
}

#[test]
fn features_tell_pictures_and_texts_apart_and_are_the_same_each_time() {
    for model in Backbone::supported() {
        let mut backbone = Backbone::open(&data(model)).expect(model);
        let (one, text) = (picture(), "put the red cube in the bin");
        let other: Vec<u8> = one.iter().map(|value| 250 - value).collect();
        let first = look(&mut backbone, &one, text);
        assert_ne!(first, look(&mut backbone, &other, text), "{model}: another picture");
        assert_ne!(first, look(&mut backbone, &one, "open the fridge"), "{model}: another text");
        assert_eq!(first, look(&mut backbone, &one, text), "{model}: the first again");
        let mut again = Backbone::open(&data(model)).expect(model);
        assert_eq!(first, look(&mut again, &one, text), "{model}: opened again");
    }
}

#[test]
fn a_picture_of_any_size_is_taken_and_one_of_another_length_is_not() {
    let mut backbone = Backbone::open(&data("clip")).expect("a model");
    let mut features = vec![0.0; backbone.n_features()];
    backbone.features(&[90; 40 * 9 * 3], [40, 9], "open", &mut features).expect("features");
    let error = backbone.features(&[0; 5], [2, 1], "open", &mut features).expect_err("short");
    assert!(error.to_string().contains("5 bytes is not 2 x 1 x 3"), "{error}");
    backbone.features(&[], [0, 3], "open", &mut features).expect_err("no picture");
    let error = backbone.features(&[0; 3], [1, 1], "open", &mut [0.0]).expect_err("no room");
    assert!(error.to_string().contains("room for 1 features where there are 40"), "{error}");
}

#[test]
fn a_text_that_is_too_long_is_refused_and_not_cut() {
    for model in ["clip", "siglip", "llava", "paligemma"] {
        let mut backbone = Backbone::open(&data(model)).expect(model);
        let mut features = vec![0.0; backbone.n_features()];
        let long = "put ".repeat(600);
        let error = backbone.features(&picture(), [SIZE, SIZE], &long, &mut features);
        let error = error.expect_err("too long").to_string();
        assert!(error.contains("tokens; 1 to"), "{error}");
    }
    let mut llava = Backbone::open(&data("llava")).expect("a model");
    let error = llava.features(&picture(), [SIZE, SIZE], "the <image> bin", &mut [0.0; 16]);
    assert!(error.expect_err("two pictures").to_string().contains("`<image>`"));
}

#[test]
fn a_text_is_kept_only_as_the_text_that_it_is() {
    let mut backbone = Backbone::open(&data("siglip")).expect("a model");
    let (one, texts) = (picture(), ["put the red cube", "open the fridge", "Open The Fridge"]);
    let said = texts.map(|text| look(&mut backbone, &one, text)[16..].to_vec());
    assert_ne!(said[0], said[1]);
    assert_eq!(said[1], said[2], "it has learned small letters only");
    assert_eq!(said[0], look(&mut backbone, &one, texts[0])[16..]);
}

#[test]
fn weights_in_parts_are_the_same_weights() {
    let folder = copy("siglip");
    rewrite(
        folder.path(),
        |_, _| {},
        |name| Some(if name.starts_with("text") { "a.safetensors" } else { "b.safetensors" }),
    );
    let mut parts = Backbone::open(folder.path()).expect("in parts");
    let mut whole = Backbone::open(&data("siglip")).expect("whole");
    assert_eq!(look(&mut parts, &picture(), "open"), look(&mut whole, &picture(), "open"));
    assert_eq!(parts.files().len(), whole.files().len() + 1);
    edit(folder.path(), "model.safetensors.index.json", "a.safetensors", "../a.safetensors");
    assert!(refused(folder.path()).contains("names no files of this folder"));
    std::fs::write(folder.path().join("model.safetensors.index.json"), "{}").expect("written");
    assert!(refused(folder.path()).contains("no `weight_map`"));
}

#[test]
fn means_and_deviations_are_those_of_the_folder() {
    let folder = copy("siglip");
    let write = |text: &str| {
        std::fs::write(folder.path().join("preprocessor_config.json"), text).expect("written");
    };
    let look = || {
        let mut backbone = Backbone::open(folder.path()).expect("a model");
        self::look(&mut backbone, &picture(), "open")
    };
    let before = look();
    write(r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#);
    assert_eq!(look(), before);
    write(r#"{"image_mean": [0.1, 0.5, 0.5]}"#);
    assert_ne!(look(), before);
    write(r#"{"do_normalize": false}"#);
    assert_ne!(look(), before);
    for wrong in [r#"{"image_mean": [0.5, 0.5]}"#, r#"{"image_std": [0.5, 0, 0.5]}"#, "{"] {
        write(wrong);
        assert!(refused(folder.path()).contains("preprocessor_config.json"));
    }
}

#[test]
fn another_kind_of_model_is_refused_with_those_that_are_read() {
    let folder = copy("clip");
    edit(folder.path(), "config.json", r#""model_type": "clip""#, r#""model_type": "qwen9""#);
    let error = refused(folder.path());
    assert!(error.contains("`qwen9` is not supported"), "{error}");
    assert!(error.contains("clip, llava, paligemma, siglip"), "{error}");
    std::fs::write(folder.path().join("config.json"), "{}").expect("written");
    assert!(refused(folder.path()).contains("no `model_type`"));
}

#[test]
fn missing_and_damaged_files_are_named() {
    for model in Backbone::supported() {
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            let folder = copy(model);
            let path = folder.path().join(name);
            let bytes = std::fs::read(&path).expect("bytes");
            std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
            let error = refused(folder.path());
            assert!(error.contains(name), "{model}, half of {name}: {error}");
            std::fs::remove_file(&path).expect("removed");
            let error = refused(folder.path());
            assert!(error.contains(name), "{model} without {name}: {error}");
        }
    }
}

#[test]
fn tensors_that_are_missing_or_of_another_shape_or_no_numbers_are_named() {
    for model in Backbone::supported() {
        // All that is read; the rest of a file may be as it is.
        let unread = |name: &str| match model {
            "clip" => false,
            "siglip" => name.starts_with("logit"),
            "llava" => name.contains("lm_head"),
            _ => name.contains(".head."),
        };
        let file = File::open(&data(model).join("model.safetensors")).expect("weights");
        let names: Vec<String> = file.names().map(str::to_owned).collect();
        for name in names.iter().step_by(5).filter(|name| !unread(name)) {
            let folder = copy(model);
            rewrite(
                folder.path(),
                |at, values| {
                    if at == name {
                        let last = values.len() - 1;
                        values[last] = f32::NAN;
                    }
                },
                whole,
            );
            let error = refused(folder.path());
            assert!(error.contains(name) && error.contains("NaN"), "{model}: {error}");
            let folder = copy(model);
            rewrite(folder.path(), |_, _| {}, |at| if at == name { None } else { whole(at) });
            let error = refused(folder.path());
            assert!(error.contains(&format!("no tensor `{name}`")), "{model}: {error}");
        }
        let folder = copy(model);
        edit(
            folder.path(),
            "config.json",
            r#""intermediate_size": 24"#,
            r#""intermediate_size": 32"#,
        );
        let error = refused(folder.path());
        assert!(error.contains("shape mismatch") && error.contains("32"), "{model}: {error}");
    }
}

#[test]
fn numbers_of_a_configuration_that_cannot_be_are_refused() {
    let cases = [
        ("siglip", r#""num_attention_heads": 2"#, r#""num_attention_heads": 0"#, "not from 1"),
        ("siglip", r#""num_attention_heads": 2"#, r#""num_attention_heads": 3"#, "whole heads"),
        ("siglip", r#""patch_size": 8"#, r#""patch_size": 17"#, "no picture is so"),
        ("siglip", r#""hidden_act": "gelu_pytorch_tanh""#, r#""hidden_act": "relu""#, "`relu`"),
        ("siglip", r#""hidden_size": 16"#, r#""hidden_size": 4000000000"#, "not from 1"),
        ("clip", r#""hidden_size": 16"#, r#""hidden_size": -16"#, "not from 1"),
        ("clip", r#""hidden_act": "quick_gelu""#, r#""hidden_act": "gelu""#, "`gelu`"),
        ("clip", r#""image_size": 16"#, r#""image_size": 100000"#, "no picture is so"),
        ("paligemma", r#""model_type": "gemma""#, r#""model_type": "gemma2""#, "`gemma2`"),
        ("paligemma", r#""head_dim": 8"#, r#""head_dim": 7"#, "they cannot"),
        (
            "llava",
            r#""vision_feature_layer": -2"#,
            r#""vision_feature_layer": -9"#,
            "before the first",
        ),
        ("llava", r#""rope_scaling": null"#, r#""rope_scaling": {"factor": 2}"#, "not read here"),
        ("llava", r#""num_key_value_heads": 1"#, r#""num_key_value_heads": 3"#, "not read here"),
    ];
    for (model, from, to, why) in cases {
        let folder = copy(model);
        edit(folder.path(), "config.json", from, to);
        let error = refused(folder.path());
        assert!(error.contains(why) && error.contains("config.json"), "{to}: {error}");
    }
}

#[test]
fn weights_that_are_too_large_for_f32_give_an_error_and_no_features() {
    for model in Backbone::supported() {
        let folder = copy(model);
        rewrite(
            folder.path(),
            |name, values| {
                if name.contains("layers.1") && values.len() > 16 {
                    values.fill(1e30);
                }
            },
            whole,
        );
        let mut backbone = Backbone::open(folder.path()).expect("finite weights");
        let mut features = vec![7.0; backbone.n_features()];
        let error = backbone.features(&picture(), [SIZE, SIZE], "open", &mut features);
        let error = error.expect_err("infinite states").to_string();
        assert!(error.contains("not finite"), "{model}: {error}");
        assert!(features.iter().all(|value| *value == 7.0), "nothing is written");
    }
}

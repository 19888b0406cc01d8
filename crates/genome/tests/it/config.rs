//! Shapes of the published models.

use genome::ModelConfig;
use genome::config::MixerKind;

#[test]
fn parameters_of_published_models_are_those_that_are_reported() {
    // Per layer as the official notebook prints them for 7B-262k.
    let config = ModelConfig::named("evo2_7b_262k").expect("published");
    for (kind, want) in [
        (MixerKind::Hcs, 202_426_112),
        (MixerKind::Hcm, 202_461_184),
        (MixerKind::Hcl, 202_559_488),
        (MixerKind::Attention, 202_387_456),
    ] {
        assert_eq!(config.n_parameters_of(kind), want, "{kind:?}");
    }
    for (name, billions) in [
        ("evo2_1b_base", 1.11),
        ("evo2_7b_base", 6.48),
        ("evo2_7b_262k", 6.48),
        ("evo2_7b", 6.58),
        ("evo2_20b", 19.7),
        ("evo2_40b_base", 40.3),
        ("evo2_40b", 41.1),
    ] {
        let config = ModelConfig::named(name).expect("published");
        let n = config.n_parameters() as f64 / 1e9;
        assert!((n - billions).abs() < 0.051, "{name}: {n}");
        let tensors = config.tensors();
        let counted: usize = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(counted, config.n_parameters(), "{name}");
    }
}

#[test]
fn attention_lies_where_the_paper_has_it() {
    let config = ModelConfig::named("evo2_40b").expect("published");
    assert_eq!(config.attn_layer_idxs, [3, 10, 17, 24, 31, 35, 42, 49]);
    let mixers = config.mixers().expect("valid");
    use MixerKind::{Attention, Hcl, Hcm, Hcs};
    assert_eq!(mixers[..5], [Hcs, Hcm, Hcl, Attention, Hcs]);
}

#[test]
fn a_configuration_survives_its_json() {
    for name in ModelConfig::published() {
        let config = ModelConfig::named(name).expect("published");
        assert_eq!(ModelConfig::parse(&config.to_json()).expect("its own JSON"), config);
    }
}

#[test]
fn what_is_no_striped_hyena_2_is_refused_with_the_field() {
    let text = ModelConfig::named("evo2_7b").expect("published").to_json();
    for (from, to, said) in [
        ("\"hidden_size\": 4096", "\"hidden_size\": 4001", "no multiple of 32"),
        ("\"hidden_size\": 4096", "\"hidden_size\": 0", "`hidden_size` is 0"),
        ("\"num_layers\": 32", "\"num_layers\": 33", "layer 32 has no kind"),
        ("\"num_layers\": 32", "\"num_layers\": 31", "there is no layer 31"),
        ("\"num_attention_heads\": 32", "\"num_attention_heads\": 31", "does not divide"),
        ("\"eps\":", "\"tie_embeddings\": false, \"eps\":", "does not use"),
        ("\"state_size\": 16", "\"state_size\": 100000", "`state_size` is 100000"),
        ("\"vocab_size\"", "\"vocabulary\"", "missing field `vocab_size`"),
        ("{", "", "failed to read configuration"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from}");
        let error = ModelConfig::parse(&broken).expect_err("refused").to_string();
        assert!(error.contains(said), "{error}");
    }
}

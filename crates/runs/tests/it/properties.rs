//! Laws that hold for whatever is put in.

use proptest::prelude::*;
use runs::stats::{
    Rate, bootstrap, cohen_kappa, fisher_exact, geometric_mean_ratio, n_to_separate, quantile,
};
use runs::{Log, settings};
use serde_json::{Map, Value, json};

use crate::Scratch;

/// JSON as events and settings hold it; nulls in objects are another test's.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |x| x.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let item = prop_oneof![4 => inner.clone(), 1 => Just(Value::Null)];
        prop_oneof![
            prop::collection::vec(item, 0..4).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    // Keys with quotes, dots, newlines and nothing at all.
    prop::collection::vec(("[a-z\"\\. \n#]{0,6}", inner), 0..4)
        .prop_map(|fields| fields.into_iter().collect())
}

fn counts() -> impl Strategy<Value = Rate> {
    (0_u64..400).prop_flat_map(|n| (0..=n).prop_map(move |hits| Rate { hits, n }))
}

fn samples() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1e6..1e6_f64, 1..40)
}

proptest! {
    #[test]
    fn settings_survive_toml_and_keep_their_digest(fields in object(value())) {
        let asked = Value::Object(fields);
        let text = toml::to_string_pretty(&settings::to_toml(&asked).unwrap()).unwrap();
        let back = settings::from_toml(&text.parse().unwrap());
        prop_assert_eq!(settings::digest(&back).unwrap(), settings::digest(&asked).unwrap());
        // Equal in any order of keys.
        prop_assert_eq!(settings::from_toml(&settings::to_toml(&asked).unwrap()), back);
    }

    #[test]
    fn events_come_back_as_they_went_and_whatever_is_torn_off_takes_only_the_end(
        events in prop::collection::vec(object(value()), 1..6),
        cut in 0.0..1.0_f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let log = Log::open(&path).unwrap();
        let mut ends = Vec::new();
        let events: Vec<Value> = events.into_iter().map(|mut event| {
            event.insert("nanos".into(), json!(1));
            Value::Object(event)
        }).collect();
        for event in &events {
            log.append(event).unwrap();
            ends.push(path.metadata().unwrap().len());
        }
        let read: Vec<(u64, Value)> = Log::read(&path).unwrap();
        let expected: Vec<(u64, Value)> = (0..).zip(events).collect();
        prop_assert_eq!(&read, &expected);
        let length = (*ends.last().unwrap() as f64 * cut) as u64;
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let n_left = ends.iter().filter(|end| **end <= length).count();
        prop_assert_eq!(Log::read::<Value>(&path).unwrap(), &expected[..n_left]);
        prop_assert_eq!(Log::open(&path).unwrap().append(&json!({})).unwrap(), n_left as u64);
    }

    #[test]
    fn blobs_come_back_as_they_went(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let scratch = Scratch::new();
        let run = scratch.run();
        let sha256 = run.put_blob(&bytes).unwrap();
        prop_assert_eq!(run.put_blob(&bytes).unwrap(), sha256.as_str());
        prop_assert_eq!(run.blob(&sha256).unwrap(), bytes);
    }

    #[test]
    fn an_interval_holds_its_share_and_shrinks_with_n(rate in counts(), times in 2_u64..50) {
        prop_assume!(rate.n > 0);
        let (share, interval) = (rate.share().unwrap(), rate.wilson().unwrap());
        prop_assert!(0.0 <= interval.low && interval.high <= 1.0 && interval.contains(share));
        let more = Rate { hits: rate.hits * times, n: rate.n * times }.wilson().unwrap();
        prop_assert!(more.high - more.low < interval.high - interval.low);
        // Counting failures instead of successes mirrors it.
        let mirror = Rate { hits: rate.n - rate.hits, n: rate.n }.wilson().unwrap();
        prop_assert!((mirror.low - (1.0 - interval.high)).abs() < 1e-12);
    }

    #[test]
    fn a_test_does_not_care_which_rate_is_named_first(a in counts(), b in counts()) {
        let p = fisher_exact(a, b);
        prop_assert!((0.0..=1.0).contains(&p));
        prop_assert!((p - fisher_exact(b, a)).abs() < 1e-9);
        let failures = |rate: Rate| Rate { hits: rate.n - rate.hits, n: rate.n };
        prop_assert!((p - fisher_exact(failures(a), failures(b))).abs() < 1e-9);
    }

    #[test]
    fn rates_that_are_closer_take_more_trials(p in 0.05..0.45_f64, step in 0.01..0.2_f64) {
        let (near, far) = (n_to_separate(p, p + step), n_to_separate(p, p + 2.0 * step));
        prop_assert!(near >= far && far >= 1);
    }

    #[test]
    fn quantiles_rise_with_q_and_stay_among_the_samples(samples in samples(), q in 0.0..1.0_f64, r in 0.0..1.0_f64) {
        let (low, high) = (q.min(r), q.max(r));
        let at = |q| quantile(&samples, q).unwrap();
        prop_assert!(at(low) <= at(high));
        prop_assert!(at(0.0) <= at(low) && at(high) <= at(1.0));
    }

    #[test]
    fn a_resampled_mean_stays_among_the_samples(samples in samples(), seed in any::<u64>()) {
        let mean = |drawn: &[f64]| drawn.iter().sum::<f64>() / drawn.len() as f64;
        let interval = bootstrap(&samples, mean, 50, seed).unwrap();
        let slack = 1e-6;
        prop_assert!(interval.low <= interval.high);
        prop_assert!(interval.low >= quantile(&samples, 0.0).unwrap() - slack);
        prop_assert!(interval.high <= quantile(&samples, 1.0).unwrap() + slack);
    }

    #[test]
    fn a_ratio_turns_round_with_its_base(pairs in prop::collection::vec((1e-3..1e3_f64, 1e-3..1e3_f64), 1..20), seed in any::<u64>()) {
        let (over, under): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let there = geometric_mean_ratio(&over, &under, 60, seed).unwrap();
        let back = geometric_mean_ratio(&under, &over, 60, seed).unwrap();
        prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-9);
        prop_assert!((there.interval.low * back.interval.high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn agreement_is_at_most_one_and_does_not_care_who_is_first(table in prop::collection::vec(prop::collection::vec(0_u64..50, 3), 3)) {
        let turned: Vec<Vec<u64>> = (0..3).map(|j| (0..3).map(|i| table[i][j]).collect()).collect();
        match (cohen_kappa(&table), cohen_kappa(&turned)) {
            (Some(one), Some(other)) => {
                prop_assert!((-1.0 - 1e-9..=1.0 + 1e-9).contains(&one));
                prop_assert!((one - other).abs() < 1e-9);
            }
            (one, other) => prop_assert_eq!(one, other),
        }
    }
}

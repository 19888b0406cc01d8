//! Two runs side by side: what was asked differently, and what came out differently.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::stats::{Rate, fisher_exact};
use crate::{Error, Manifest, Run, settings};

/// What differs between two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Id of the first run.
    pub left: String,
    /// Id of the second.
    pub right: String,
    /// Settings that differ, by path, as in `budget.usd` or `models[0]`.
    pub settings: Vec<Difference>,
    /// Other facts that differ: seed, program, source, machine, status.
    pub circumstances: Vec<Difference>,
    /// Rates of the summaries that differ: objects with whole numbers `hits` and `n`.
    pub rates: Vec<RateChange>,
    /// Other numbers of the summaries that differ.
    pub numbers: Vec<NumberChange>,
    /// Everything else in the summaries that differs.
    pub others: Vec<Difference>,
    /// Values of the summaries that are the same in both.
    pub n_same: usize,
}

/// A value that differs; `None` where a side lacks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where it stands.
    pub path: String,
    /// In the first run.
    pub left: Option<Value>,
    /// In the second.
    pub right: Option<Value>,
}

/// A number that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberChange {
    /// Where it stands.
    pub path: String,
    /// In the first run.
    pub left: f64,
    /// In the second.
    pub right: f64,
    /// Second minus first.
    pub change: f64,
}

/// A rate that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateChange {
    /// Where it stands.
    pub path: String,
    /// In the first run.
    pub left: Rate,
    /// In the second.
    pub right: Rate,
    /// Two-sided p of Fisher's exact test, for this one comparison; `None` without data.
    pub p: Option<f64>,
}

/// Compares two runs.
///
/// # Errors
/// When a summary is there and cannot be read.
pub fn compare(left: &Run, right: &Run) -> Result<Comparison, Error> {
    let summary = |run: &Run| Ok::<_, Error>(run.summary::<Value>()?.unwrap_or(Value::Null));
    let settings = |run: &Run| settings::from_toml(&run.manifest().settings);
    let mut comparison = Comparison {
        left: left.id().to_owned(),
        right: right.id().to_owned(),
        settings: differences(&settings(left), &settings(right)),
        circumstances: differences(
            &circumstances(left.manifest()),
            &circumstances(right.manifest()),
        ),
        rates: Vec::new(),
        numbers: Vec::new(),
        others: Vec::new(),
        n_same: 0,
    };
    comparison.add_summaries(&summary(left)?, &summary(right)?);
    Ok(comparison)
}

impl Comparison {
    fn add_summaries(&mut self, left: &Value, right: &Value) {
        for (path, (left, right)) in pairs(left, right) {
            match (left, right) {
                (Some(left), Some(right)) if left == right => self.n_same += 1,
                (Some(Leaf::Rate(left)), Some(Leaf::Rate(right))) => {
                    let p = (left.n > 0 && right.n > 0).then(|| fisher_exact(left, right));
                    self.rates.push(RateChange { path, left, right, p });
                }
                (
                    Some(Leaf::Value(Value::Number(one))),
                    Some(Leaf::Value(Value::Number(other))),
                ) => {
                    let (left, right) = (float(&one), float(&other));
                    self.numbers.push(NumberChange { path, left, right, change: right - left });
                }
                (left, right) => self.others.push(Difference {
                    path,
                    left: left.map(Leaf::into_value),
                    right: right.map(Leaf::into_value),
                }),
            }
        }
    }
}

fn float(number: &serde_json::Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

fn circumstances(manifest: &Manifest) -> Value {
    serde_json::json!({
        "noun": manifest.noun,
        "verb": manifest.verb,
        "status": manifest.status,
        "seed": manifest.seed,
        "tetrad_version": manifest.tetrad_version,
        "source": manifest.source,
        "host": manifest.host,
    })
}

fn differences(left: &Value, right: &Value) -> Vec<Difference> {
    pairs(left, right)
        .into_iter()
        .filter(|(_, (left, right))| left != right)
        .map(|(path, (left, right))| Difference {
            path,
            left: left.map(Leaf::into_value),
            right: right.map(Leaf::into_value),
        })
        .collect()
}

/// A value that is compared as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf {
    Rate(Rate),
    Value(Value),
}

impl Leaf {
    fn into_value(self) -> Value {
        match self {
            Self::Rate(rate) => serde_json::json!({ "hits": rate.hits, "n": rate.n }),
            Self::Value(value) => value,
        }
    }
}

fn pairs(left: &Value, right: &Value) -> BTreeMap<String, (Option<Leaf>, Option<Leaf>)> {
    let mut pairs: BTreeMap<String, (Option<Leaf>, Option<Leaf>)> = BTreeMap::new();
    for (path, leaf) in leaves(left) {
        pairs.entry(path).or_default().0 = Some(leaf);
    }
    for (path, leaf) in leaves(right) {
        pairs.entry(path).or_default().1 = Some(leaf);
    }
    pairs
}

/// Every leaf below a value with its path, in the value's order. Empty lists and tables are leaves;
/// null is none.
pub(crate) fn leaves(value: &Value) -> Vec<(String, Leaf)> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<(String, Leaf)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) if !fields.is_empty() => {
            if let Some(rate) = as_rate(fields) {
                found.push((path.to_owned(), Leaf::Rate(rate)));
                return;
            }
            for (key, field) in fields {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(field, &below, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (idx, item) in items.iter().enumerate() {
                collect(item, &format!("{path}[{idx}]"), found);
            }
        }
        leaf => found.push((path.to_owned(), Leaf::Value(leaf.clone()))),
    }
}

/// An object is a rate when it has whole `hits` and `n` and, beside them, at most what follows from
/// them: other numbers, and nothing.
fn as_rate(fields: &serde_json::Map<String, Value>) -> Option<Rate> {
    let number = |key: &str| fields.get(key).and_then(Value::as_u64);
    let rate = Rate { hits: number("hits")?, n: number("n")? };
    let derived = ["hits", "n", "low", "high", "share", "interval"];
    fields.keys().all(|key| derived.contains(&key.as_str())).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(left: &Value, right: &Value) -> Comparison {
        let mut comparison = Comparison {
            left: String::new(),
            right: String::new(),
            settings: Vec::new(),
            circumstances: Vec::new(),
            rates: Vec::new(),
            numbers: Vec::new(),
            others: Vec::new(),
            n_same: 0,
        };
        comparison.add_summaries(left, right);
        comparison
    }

    #[test]
    fn rates_numbers_and_the_rest_are_told_apart() {
        let left = json!({ "cells": [{ "n": 4, "won": { "hits": 3, "n": 4, "low": 0.3 } }], "end": "complete", "same": 1 });
        let right = json!({ "cells": [{ "n": 6, "won": { "hits": 1, "n": 4, "low": 0.1 } }], "end": "failed", "same": 1, "new": [] });
        let found = compared(&left, &right);
        assert_eq!(found.n_same, 1);
        assert_eq!(
            found.numbers,
            [NumberChange { path: "cells[0].n".into(), left: 4.0, right: 6.0, change: 2.0 }]
        );
        assert_eq!(found.rates.len(), 1);
        assert_eq!(found.rates[0].path, "cells[0].won");
        assert!((found.rates[0].p.unwrap() - 34.0 / 70.0).abs() < 1e-12);
        let paths: Vec<&str> = found.others.iter().map(|other| other.path.as_str()).collect();
        assert_eq!(paths, ["end", "new"]);
        assert_eq!(found.others[1].left, None);
    }

    #[test]
    fn an_object_with_more_to_say_is_no_rate() {
        let found = leaves(&json!({ "hits": 1, "n": 2, "model": "m" }));
        assert_eq!(found.len(), 3);
    }
}

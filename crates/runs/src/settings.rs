//! Settings: any serializable value to TOML that people read, to a digest, and back.
//!
//! TOML has no null, and its integers have 63 bits and a sign. A null in a table is left out, which
//! reads back as `None`. A null in an array becomes the table `{ "$null" = true }` and an integer
//! above 2⁶³−1 becomes `{ "$u64" = "…" }`. Numbers that are not finite are null, as in JSON.

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Error;

const WIDE: &str = "$u64";
const NULL: &str = "$null";

/// Settings as a JSON object, without nulls in objects.
///
/// # Errors
/// When they are not a struct or map with text keys.
pub fn to_json<S: Serialize>(settings: &S) -> Result<Value, Error> {
    let refused = |reason: String| Error::Value { what: "settings".to_owned(), reason };
    let mut value = serde_json::to_value(settings).map_err(|error| refused(error.to_string()))?;
    if !value.is_object() {
        return Err(refused(format!("expected a struct or a map, got `{value}`")));
    }
    drop_nulls(&mut value);
    Ok(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Lowercase hex SHA-256 of settings: of their JSON without spaces, keys sorted by bytes at every
/// depth, nulls in objects left out. A new optional setting that is not given changes no digest.
///
/// # Errors
/// As [`to_json`].
pub fn digest<S: Serialize>(settings: &S) -> Result<String, Error> {
    let canonical = sorted(&to_json(settings)?).to_string();
    Ok(hex(&Sha256::digest(canonical.as_bytes())))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&fields[key]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Settings as a TOML table.
///
/// # Errors
/// As [`to_json`].
pub fn to_toml<S: Serialize>(settings: &S) -> Result<toml::Table, Error> {
    match table(&to_json(settings)?) {
        toml::Value::Table(table) => Ok(table),
        other => {
            Err(Error::Value { what: "settings".to_owned(), reason: format!("got `{other}`") })
        }
    }
}

fn table(value: &Value) -> toml::Value {
    let marked = |key: &str, value: toml::Value| {
        toml::Value::Table(toml::Table::from_iter([(key.to_owned(), value)]))
    };
    match value {
        Value::Null => marked(NULL, true.into()),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(signed), ..) => signed.into(),
            (None, Some(wide), _) => marked(WIDE, wide.to_string().into()),
            (None, None, float) => float.unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => toml::Value::Array(items.iter().map(table).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, field)| !field.is_null());
            toml::Value::Table(fields.map(|(key, field)| (key.clone(), table(field))).collect())
        }
    }
}

/// The inverse of [`to_toml`].
#[must_use]
pub fn from_toml(table: &toml::Table) -> Value {
    Value::Object(
        table.iter().map(|(key, value)| (key.clone(), json(value))).collect::<Map<_, _>>(),
    )
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        toml::Value::Table(table) => marked(table).unwrap_or_else(|| from_toml(table)),
    }
}

fn marked(table: &toml::Table) -> Option<Value> {
    if table.len() != 1 {
        return None;
    }
    let wide =
        table.get(WIDE).and_then(toml::Value::as_str).and_then(|text| text.parse::<u64>().ok());
    let null = table.get(NULL).and_then(toml::Value::as_bool).filter(|null| *null);
    wide.map(Value::from).or(null.map(|_| Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_that_of_the_sorted_text() {
        // printf '{"a":[1,null],"b":{"c":0.5}}' | sha256sum
        let expected = DIGEST;
        assert_eq!(digest(&json!({ "b": { "c": 0.5 }, "a": [1, null] })).unwrap(), expected);
        assert_eq!(
            digest(&json!({ "a": [1, null], "b": { "c": 0.5, "d": null } })).unwrap(),
            expected
        );
        assert_ne!(digest(&json!({ "a": [1, null], "b": { "c": 0.25 } })).unwrap(), expected);
    }

    const DIGEST: &str = "c532f550dc5853fce2e13900ace075a2490675b65964fbcb61a58eee148d0452";

    #[test]
    fn what_toml_cannot_say_survives_it() {
        let settings =
            json!({ "wide": u64::MAX, "holes": [null, 1], "none": null, "deep": [{ "x": [] }] });
        let text = toml::to_string_pretty(&to_toml(&settings).unwrap()).unwrap();
        let back = from_toml(&text.parse().unwrap());
        assert_eq!(back, json!({ "wide": u64::MAX, "holes": [null, 1], "deep": [{ "x": [] }] }));
    }

    #[test]
    fn a_bare_number_is_not_a_settings_struct() {
        assert_eq!(
            to_toml(&3).unwrap_err().to_string(),
            "failed to write settings: expected a struct or a map, got `3`"
        );
    }
}

//! `config.json`, read with care: what it does not say takes its class's default, what it says wrongly
//! or asks for in vain is an error that names the key.

use crate::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Bytes of a configuration at most: what is parsed takes many times the memory of its text.
const LARGEST: u64 = 1 << 20;

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// If it can't be read, is larger, or is no regular file: a pipe would make the program wait for ever.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String, Error> {
    let failed = |source| Error::Io { path: path.into(), action: "read", source };
    let wrong = |reason: String| Error::Config { path: path.into(), reason };
    let found = std::fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(wrong("is not a regular file".into()));
    }
    if found.len() > most {
        return Err(wrong(format!("has {} bytes; more than {most} are not read", found.len())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The values of a `config.json`, and where they stand.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file, for messages.
    pub path: PathBuf,
    /// Its values.
    pub values: Map<String, Value>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it can't be read or is not a JSON object.
    pub fn from_file(path: &Path) -> Result<Config, Error> {
        let text = read_text(path, LARGEST)?;
        let config = Config { path: path.into(), values: Map::new() };
        match serde_json::from_str(&text) {
            Ok(Value::Object(values)) => Ok(Config { values, ..config }),
            Ok(_) => Err(config.wrong("not a JSON object")),
            Err(error) => Err(config.wrong(format!("not valid JSON: {error}"))),
        }
    }

    /// An error of this file.
    pub fn wrong(&self, reason: impl ToString) -> Error {
        Error::Config { path: self.path.clone(), reason: reason.to_string() }
    }

    /// The value of `key`, if it is there and not null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The values, those of `defaults` where they are absent, as a struct whose fields are named as
    /// the keys.
    ///
    /// # Errors
    /// If a value is not what its field takes; names the key.
    pub fn read<T: DeserializeOwned>(&self, defaults: &Value) -> Result<T, Error> {
        let mut values = defaults.as_object().cloned().unwrap_or_default();
        values.extend(self.values.clone());
        serde_path_to_error::deserialize(Value::Object(values)).map_err(|error| {
            let key = error.path().to_string();
            match key.as_str() {
                "." => self.wrong(error.inner()),
                key => self.wrong(format!("{key}: {}", error.inner())),
            }
        })
    }

    /// Options that change the computation in a way that is not supported: each may be absent, null,
    /// or have the one value that is.
    ///
    /// # Errors
    /// If one has another value; names it.
    pub fn only(&self, supported: &[(&str, Value)]) -> Result<(), Error> {
        for (option, value) in supported {
            if let Some(found) = self.get(option).filter(|found| *found != value) {
                return Err(self.wrong(format!("{option} is {found}; only {value} is supported")));
            }
        }
        Ok(())
    }

    /// The name of the first architecture.
    pub fn architecture(&self) -> Option<&str> {
        self.get("architectures")?.get(0)?.as_str()
    }
}

/// A token that a configuration names: a number, the first of a list, or none; ids below 0, as some
/// files have them, are none.
pub(crate) fn token<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(tokens(from)?.first().copied())
}

/// Tokens that a configuration names: a number, a list, or none.
pub(crate) fn tokens<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    let ids = match Option::<OneOrMany>::deserialize(from)? {
        None => Vec::new(),
        Some(OneOrMany::One(id)) => vec![id],
        Some(OneOrMany::Many(ids)) => ids,
    };
    Ok(ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(i64),
    Many(Vec<i64>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sizes {
        width: usize,
        #[serde(default, deserialize_with = "tokens")]
        ends: Vec<u32>,
    }

    fn config(values: Value) -> Config {
        let values = values.as_object().unwrap().clone();
        Config { path: "config.json".into(), values }
    }

    #[test]
    fn absent_keys_take_the_defaults_and_wrong_ones_are_named() {
        let read = |values| config(values).read::<Sizes>(&json!({ "width": 7, "ends": [1, -1] }));
        assert_eq!(read(json!({})).unwrap(), Sizes { width: 7, ends: vec![1] });
        assert_eq!(read(json!({ "ends": 3 })).unwrap(), Sizes { width: 7, ends: vec![3] });
        assert_eq!(read(json!({ "ends": null })).unwrap(), Sizes { width: 7, ends: vec![] });
        assert_eq!(
            read(json!({ "width": -2 })).unwrap_err().to_string(),
            "config.json: width: invalid value: integer `-2`, expected usize"
        );
    }

    #[test]
    fn options_that_are_not_supported_are_named() {
        let supported = [("scale", json!(true))];
        assert!(config(json!({ "scale": true })).only(&supported).is_ok());
        assert!(config(json!({ "scale": null, "other": 1 })).only(&supported).is_ok());
        assert_eq!(
            config(json!({ "scale": false })).only(&supported).unwrap_err().to_string(),
            "config.json: scale is false; only true is supported"
        );
    }
}

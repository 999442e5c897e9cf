//! How a model's makers would have it generate: `generation_config.json`.

use super::{EarlyStopping, Generation};
use crate::pretrained::resolve;
use crate::{Error, lora};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::ErrorKind;
use std::path::Path;
use tensor::Float;

/// What of `generation_config.json` is carried out. A `null` is as good as absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GenerationConfig {
    do_sample: Option<bool>,
    temperature: Option<Float>,
    top_k: Option<usize>,
    top_p: Option<Float>,
    min_p: Option<Float>,
    typical_p: Option<Float>,
    repetition_penalty: Option<Float>,
    no_repeat_ngram_size: Option<usize>,
    bad_words_ids: Option<Vec<Vec<u32>>>,
    min_new_tokens: Option<usize>,
    min_length: Option<usize>,
    max_new_tokens: Option<usize>,
    max_length: Option<usize>,
    stop_strings: Option<OneOrMany<String>>,
    eos_token_id: Option<OneOrMany<i64>>,
    num_beams: Option<usize>,
    length_penalty: Option<Float>,
    early_stopping: Option<Value>,
    num_return_sequences: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        }
    }
}

/// Options that would change what is written, and the values with which they do not. `null` is always
/// one.
fn unsupported() -> [(&'static str, Value); 19] {
    [
        ("begin_suppress_tokens", json!([])),
        ("constraints", json!([])),
        ("diversity_penalty", json!(0)),
        ("dola_layers", json!(null)),
        ("encoder_no_repeat_ngram_size", json!(0)),
        ("encoder_repetition_penalty", json!(1)),
        ("exponential_decay_length_penalty", json!(null)),
        ("force_words_ids", json!([])),
        ("forced_bos_token_id", json!(null)),
        ("forced_eos_token_id", json!(null)),
        ("guidance_scale", json!(1)),
        ("max_time", json!(null)),
        ("num_beam_groups", json!(1)),
        ("penalty_alpha", json!(0)),
        ("renormalize_logits", json!(false)),
        ("sequence_bias", json!([])),
        ("suppress_tokens", json!([])),
        ("token_healing", json!(false)),
        ("watermarking_config", json!(null)),
    ]
}

/// The same, where it samples.
fn unsupported_in_sampling() -> [(&'static str, Value); 3] {
    [("epsilon_cutoff", json!(0)), ("eta_cutoff", json!(0)), ("top_h", json!(null))]
}

impl Generation {
    /// What `generation_config.json` in a model's folder, or beside the base of adapters, says; the
    /// default where there is none, as beside a GGUF file. Settings of sampling count only where it samples, those of beams only where
    /// there are beams; `max_new_tokens` outranks `max_length`; end tokens beyond the vocabulary never
    /// match; all as in Transformers.
    ///
    /// # Errors
    /// If the file can't be read, is not what it should be, or has an option that changes what is
    /// written and is not supported.
    pub fn from_pretrained(folder: impl AsRef<Path>) -> Result<Generation, Error> {
        let folder = resolve(folder.as_ref())?;
        let mut path = folder.join("generation_config.json");
        if let (false, Some(base)) = (path.exists(), lora::base_of(&folder)?) {
            path = resolve(&base)?.join("generation_config.json");
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Generation::default());
            }
            Err(source) => return Err(Error::Io { path, action: "read", source }),
        };
        from_json(&text).map_err(|reason| Error::Config { path, reason })
    }
}

fn from_json(text: &str) -> Result<Generation, String> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let config: GenerationConfig =
        serde_path_to_error::deserialize(Value::from(map.clone())).map_err(|e| e.to_string())?;
    let do_sample = config.do_sample.unwrap_or(false);
    refuse(&map, &unsupported())?;
    if do_sample {
        refuse(&map, &unsupported_in_sampling())?;
    }
    let settings = config.settings()?;
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn refuse(map: &Map<String, Value>, options: &[(&str, Value)]) -> Result<(), String> {
    for (name, neutral) in options {
        let found = map.get(*name).filter(|found| !found.is_null());
        let is_neutral = |found: &Value| {
            found == neutral || found.as_f64().is_some_and(|found| Some(found) == neutral.as_f64())
        };
        if let Some(found) = found.filter(|found| !is_neutral(found)) {
            return Err(format!("{name} is {found}, which is not supported; remove it"));
        }
    }
    Ok(())
}

impl GenerationConfig {
    fn settings(self) -> Result<Generation, String> {
        let max_length = self.max_length.filter(|_| self.max_new_tokens.is_none());
        let mut settings = Generation {
            max_new_tokens: self.max_new_tokens,
            max_length,
            do_sample: self.do_sample.unwrap_or(false),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            // 0 is Transformers' way to say: none.
            no_repeat_ngram_size: self.no_repeat_ngram_size.filter(|&n| n > 0),
            bad_words: self.bad_words_ids.unwrap_or_default(),
            min_new_tokens: self.min_new_tokens.unwrap_or(0),
            min_length: self.min_length.unwrap_or(0),
            stop: self.stop_strings.map_or(Vec::new(), OneOrMany::into_vec),
            end_tokens: self.eos_token_id.map(|ids| {
                ids.into_vec().into_iter().filter_map(|id| id.try_into().ok()).collect()
            }),
            num_beams: self.num_beams.unwrap_or(1),
            num_return_sequences: self.num_return_sequences.unwrap_or(1),
            ..Generation::default()
        };
        if settings.num_beams > 1 {
            settings.length_penalty = self.length_penalty.unwrap_or(1.0);
            let stopping = self.early_stopping.as_ref().map(EarlyStopping::from_json);
            settings.early_stopping = stopping.transpose()?.unwrap_or_default();
        }
        if settings.do_sample {
            settings.temperature = self.temperature.unwrap_or(1.0);
            settings.top_k = self.top_k;
            settings.top_p = self.top_p;
            settings.min_p = self.min_p;
            settings.typical_p = self.typical_p;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_supported_is_read() {
        let text = r#"{"eos_token_id": [7, 50257, -1], "repetition_penalty": 1.5, "max_length": 60,
            "no_repeat_ngram_size": 3, "bad_words_ids": [[1, 2]], "min_new_tokens": 2, "min_length": 4,
            "stop_strings": "end", "top_k": 5, "top_p": null, "transformers_version": "5.23.0"}"#;
        let expected = Generation {
            end_tokens: Some(vec![7, 50257]),
            repetition_penalty: 1.5,
            max_length: Some(60),
            no_repeat_ngram_size: Some(3),
            bad_words: vec![vec![1, 2]],
            min_new_tokens: 2,
            min_length: 4,
            stop: vec!["end".into()],
            ..Generation::default()
        };
        assert_eq!(from_json(text).unwrap(), expected);
    }

    #[test]
    fn sampling_is_read_where_it_samples() {
        let text = r#"{"do_sample": true, "temperature": 0.5, "top_k": 0, "top_p": 0.75, "min_p": 0.25,
            "typical_p": 0.5, "max_new_tokens": 5, "max_length": 20, "eos_token_id": 3}"#;
        let expected = Generation {
            do_sample: true,
            temperature: 0.5,
            top_k: Some(0),
            top_p: Some(0.75),
            min_p: Some(0.25),
            typical_p: Some(0.5),
            max_new_tokens: Some(5),
            end_tokens: Some(vec![3]),
            ..Generation::default()
        };
        assert_eq!(from_json(text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_supported_is_an_error_that_names_it() {
        let error = |text: &str| from_json(text).unwrap_err();
        assert_eq!(
            error(r#"{"num_beams": 4, "num_beam_groups": 2}"#),
            "num_beam_groups is 2, which is not supported; remove it"
        );
        for (name, neutral) in unsupported() {
            let mut map = Map::from_iter([(name.to_string(), json!([[3]]))]);
            let text = error(&Value::from(map.clone()).to_string());
            assert_eq!(text, format!("{name} is [[3]], which is not supported; remove it"));
            map.insert(name.into(), neutral);
            from_json(&Value::from(map).to_string()).unwrap();
        }
        from_json(r#"{"guidance_scale": 1.0, "epsilon_cutoff": 0.1}"#).unwrap();
        assert_eq!(
            error(r#"{"do_sample": true, "epsilon_cutoff": 0.1}"#),
            "epsilon_cutoff is 0.1, which is not supported; remove it"
        );
        assert_eq!(error(r#"{"top_k": -1}"#), "top_k: invalid value: integer `-1`, expected usize");
    }
}

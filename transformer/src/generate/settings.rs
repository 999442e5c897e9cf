//! How to generate, from code or from a model's folder.

use crate::Error;
use serde::Deserialize;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;
use tensor::Float;

/// How to generate. The default is greedy, 20 new tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// New tokens at most; 20 where neither this nor `max_length` is given.
    pub max_new_tokens: Option<usize>,
    /// Tokens at most, the prompt included.
    pub max_length: Option<usize>,
    /// Draw the next token instead of taking the most probable.
    pub do_sample: bool,
    /// Scores are divided by it before they become probabilities; 0 is greedy.
    pub temperature: Float,
    /// Draw among this many most probable tokens.
    pub top_k: Option<usize>,
    /// Draw among the fewest tokens whose probabilities sum to at least this.
    pub top_p: Option<Float>,
    /// Keep this many texts at each step, and return the best; 1 is greedy.
    pub num_beams: usize,
    /// α of (S4): above 0 favours longer texts among those that beams end with, below 0 shorter ones.
    pub length_penalty: Float,
    /// When beams stop.
    pub early_stopping: EarlyStopping,
    /// How many of the beams' texts are returned for each prompt, best first.
    pub num_return_sequences: usize,
    /// Tokens that end a text; they are part of the result. `None` are the model's own.
    pub end_tokens: Option<Vec<u32>>,
    /// What fixes the draws.
    pub seed: u64,
}

impl Default for Generation {
    fn default() -> Generation {
        Generation {
            max_new_tokens: None,
            max_length: None,
            do_sample: false,
            temperature: 1.0,
            top_k: None,
            top_p: None,
            num_beams: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::No,
            num_return_sequences: 1,
            end_tokens: None,
            seed: 0,
        }
    }
}

/// When beams stop, once as many texts have ended as there are beams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// If the best of those that go on, measured at its present length, is no better than the worst
    /// that ended. It might have become better where a greater length is rewarded.
    #[default]
    No,
    /// At once.
    Yes,
    /// If no text that goes on can become better than the worst that ended.
    Never,
}

impl EarlyStopping {
    /// `false`, `true` or `"never"`, as Transformers writes it.
    fn from_json(value: &Value) -> Result<EarlyStopping, String> {
        match value {
            Value::Bool(false) => Ok(EarlyStopping::No),
            Value::Bool(true) => Ok(EarlyStopping::Yes),
            Value::String(text) if text == "never" => Ok(EarlyStopping::Never),
            other => Err(format!("early_stopping is {other}; it can be false, true or \"never\"")),
        }
    }
}

/// `generation_config.json`: how a model's makers would have it generate.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GenerationConfig {
    do_sample: bool,
    temperature: Option<Float>,
    top_k: Option<usize>,
    top_p: Option<Float>,
    max_new_tokens: Option<usize>,
    num_beams: Option<usize>,
    length_penalty: Option<Float>,
    early_stopping: Option<Value>,
    num_return_sequences: Option<usize>,
}

impl Generation {
    /// What `generation_config.json` in a model's folder says; the default where there is none.
    /// Settings of sampling count only where it samples, those of beams only where there are beams,
    /// as in Transformers.
    ///
    /// # Errors
    /// If the file can't be read or is not what it should be.
    pub fn from_folder(folder: &Path) -> Result<Generation, Error> {
        let path = folder.join("generation_config.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Generation::default());
            }
            Err(source) => return Err(Error::Io { path, action: "read", source }),
        };
        let wrong = |reason| Error::Config { path: path.clone(), reason };
        let config: GenerationConfig =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut settings = Generation {
            max_new_tokens: config.max_new_tokens,
            do_sample: config.do_sample,
            num_beams: config.num_beams.unwrap_or(1),
            num_return_sequences: config.num_return_sequences.unwrap_or(1),
            ..Generation::default()
        };
        if settings.num_beams > 1 {
            settings.length_penalty = config.length_penalty.unwrap_or(1.0);
            let stopping = config.early_stopping.as_ref().map(EarlyStopping::from_json);
            settings.early_stopping = stopping.transpose().map_err(wrong)?.unwrap_or_default();
        }
        if config.do_sample {
            settings.temperature = config.temperature.unwrap_or(1.0);
            // 0 is Transformers' way to say: all of them.
            settings.top_k = config.top_k.filter(|&k| k > 0);
            settings.top_p = config.top_p;
        }
        settings.check().map_err(|error| wrong(error.to_string()))?;
        Ok(settings)
    }

    /// # Errors
    /// If settings contradict each other or are out of range; says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Request(text.into()));
        let plain = self.temperature == 1.0 || self.temperature == 0.0;
        let nothing_to_draw = plain && self.top_k.is_none() && self.top_p.is_none();
        if !(self.do_sample || nothing_to_draw) {
            return wrong("temperature, top_k and top_p need sampling; set do_sample");
        }
        if self.max_new_tokens.is_some() && self.max_length.is_some() {
            return wrong("max_new_tokens and max_length are both set; set one of them");
        }
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return wrong("temperature must be 0 (greedy) or a positive number");
        }
        if self.top_k == Some(0) {
            return wrong("top_k is 0; it must be at least 1, or absent");
        }
        if self.top_p.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            return wrong("top_p must be above 0 and at most 1");
        }
        self.check_beams()
    }

    fn check_beams(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Request(text.into()));
        if self.num_beams == 0 || self.num_return_sequences == 0 {
            return wrong("num_beams and num_return_sequences must be at least 1");
        }
        if self.num_beams > 1 && self.do_sample {
            return wrong("num_beams needs greedy search; leave out do_sample");
        }
        if self.num_return_sequences > self.num_beams {
            return Err(Error::Request(format!(
                "num_return_sequences is {}, but num_beams is {}; ask for at most as many \
                 sequences as there are beams",
                self.num_return_sequences, self.num_beams
            )));
        }
        let no_beams_set = self.length_penalty == 1.0 && self.early_stopping == EarlyStopping::No;
        if self.num_beams == 1 && !no_beams_set {
            return wrong("length_penalty and early_stopping need beams; set num_beams above 1");
        }
        if !self.length_penalty.is_finite() {
            return wrong("length_penalty must be a finite number");
        }
        Ok(())
    }

    /// How many tokens may follow a prompt of `prompt_len`, in a context of `max_seq_len` if the
    /// model has such a bound.
    pub(super) fn room(
        &self,
        prompt_len: usize,
        max_seq_len: Option<usize>,
    ) -> Result<usize, Error> {
        let wrong = |text: String| Err(Error::Request(text));
        if let Some(max_seq_len) = max_seq_len.filter(|&max_seq_len| prompt_len > max_seq_len) {
            return wrong(format!(
                "the prompt has {prompt_len} tokens, the model's context holds {max_seq_len}; \
                 shorten the prompt"
            ));
        }
        let new = match self.max_length {
            Some(length) if length <= prompt_len => {
                return wrong(format!(
                    "max_length is {length}, but the prompt alone has {prompt_len} tokens"
                ));
            }
            Some(length) => length - prompt_len,
            None => self.max_new_tokens.unwrap_or(20),
        };
        let left = max_seq_len.map(|max_seq_len| (max_seq_len, max_seq_len - prompt_len));
        if let Some((max_seq_len, left)) = left.filter(|&(_, left)| new > left) {
            return wrong(format!(
                "the prompt has {prompt_len} tokens and {new} new ones were asked for, the model's \
                 context holds {max_seq_len}; ask for at most {left}"
            ));
        }
        Ok(new)
    }
}

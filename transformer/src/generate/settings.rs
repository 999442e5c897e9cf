//! How to generate.

use crate::Error;
use serde_json::Value;
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
    /// Draw among this many most probable tokens; 0 is all, and 50 where it is absent, as Transformers
    /// has it.
    pub top_k: Option<usize>,
    /// Draw among the fewest tokens whose probabilities sum to at least this.
    pub top_p: Option<Float>,
    /// Draw among tokens at least this many times as probable as the most probable: (S7).
    pub min_p: Option<Float>,
    /// Draw among the tokens whose surprise is nearest to what is expected, the fewest whose
    /// probabilities sum to at least this: (S8).
    pub typical_p: Option<Float>,
    /// θ of (S5): above 1, tokens that were there before become less probable.
    pub repetition_penalty: Float,
    /// No so many tokens in a row stand there twice: (S6).
    pub no_repeat_ngram_size: Option<usize>,
    /// Sequences of tokens that are not written.
    pub bad_words: Vec<Vec<u32>>,
    /// Words, or several in a row, that are not written, in whatever case and whatever tokens spell
    /// them: [`super::words::contains`]. Read with the tokenizer among the [`super::Hooks`], as are
    /// `min_words` and `max_words`.
    pub bad_texts: Vec<String>,
    /// New tokens before one that ends a text, at least.
    pub min_new_tokens: usize,
    /// Tokens before one that ends a text, at least, the prompt included.
    pub min_length: usize,
    /// New words before a token that ends a text, at least: [`super::words::count`].
    pub min_words: usize,
    /// A row ends once it has more new words than this. What is beyond is part of the result:
    /// [`super::words::cut`] takes it off.
    pub max_words: Option<usize>,
    /// Texts that end a row, once its new text holds one of them; they are part of the result. They
    /// are read with the tokenizer among the [`super::Hooks`].
    pub stop: Vec<String>,
    /// Keep this many texts at each step, and return the best; 1 is greedy.
    pub num_beams: usize,
    /// α of (S4): above 0 favours longer texts among those that beams end with, below 0 shorter ones.
    pub length_penalty: Float,
    /// When beams stop.
    pub early_stopping: EarlyStopping,
    /// How many texts are returned for each prompt: of the beams', best first, or as many draws.
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
            min_p: None,
            typical_p: None,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: None,
            bad_words: Vec::new(),
            bad_texts: Vec::new(),
            min_new_tokens: 0,
            min_length: 0,
            min_words: 0,
            max_words: None,
            stop: Vec::new(),
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
    pub(super) fn from_json(value: &Value) -> Result<EarlyStopping, String> {
        match value {
            Value::Bool(false) => Ok(EarlyStopping::No),
            Value::Bool(true) => Ok(EarlyStopping::Yes),
            Value::String(text) if text == "never" => Ok(EarlyStopping::Never),
            other => Err(format!("early_stopping is {other}; it can be false, true or \"never\"")),
        }
    }
}

impl Generation {
    /// # Errors
    /// If settings contradict each other or are out of range; says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Request(text.into()));
        let plain = self.temperature == 1.0 || self.temperature == 0.0;
        let floats = [self.top_p, self.min_p, self.typical_p];
        let all = plain && self.top_k.is_none() && floats.iter().all(Option::is_none);
        if !(self.do_sample || all) {
            let text =
                "temperature, top_k, top_p, min_p and typical_p need sampling; set do_sample";
            return wrong(text);
        }
        if self.max_new_tokens.is_some() && self.max_length.is_some() {
            return wrong("max_new_tokens and max_length are both set; set one of them");
        }
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return wrong("temperature must be 0 (greedy) or a positive number");
        }
        for (name, value) in [("top_p", self.top_p), ("typical_p", self.typical_p)] {
            if value.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
                return wrong(&format!("{name} must be above 0 and at most 1"));
            }
        }
        if self.min_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return wrong("min_p must be at least 0 and at most 1");
        }
        self.check_rules()?;
        self.check_beams()
    }

    /// What holds in every mode.
    fn check_rules(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Request(text.into()));
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return wrong("repetition_penalty must be a positive number; 1 is none");
        }
        if self.no_repeat_ngram_size == Some(0) {
            return wrong("no_repeat_ngram_size is 0; it must be at least 1, or absent");
        }
        if self.bad_words.iter().any(Vec::is_empty) || self.stop.iter().any(String::is_empty) {
            return wrong(
                "bad_words and stop hold an empty one, which is everywhere; leave it out",
            );
        }
        if self.bad_texts.iter().any(|text| text.trim().is_empty()) {
            return wrong("bad_texts hold an empty one, which is everywhere; leave it out");
        }
        if self.max_words == Some(0) {
            return wrong("max_words is 0; it must be at least 1, or absent");
        }
        if let Some(most) = self.max_words.filter(|&most| most < self.min_words) {
            return Err(Error::Request(format!(
                "min_words is {}, but max_words is {most}; ask for no more than that",
                self.min_words
            )));
        }
        if let Some(most) = self.max_new_tokens.filter(|&most| most < self.min_new_tokens) {
            return Err(Error::Request(format!(
                "min_new_tokens is {}, but max_new_tokens is {most}; ask for no more than that",
                self.min_new_tokens
            )));
        }
        Ok(())
    }

    fn check_beams(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Request(text.into()));
        if self.num_beams == 0 || self.num_return_sequences == 0 {
            return wrong("num_beams and num_return_sequences must be at least 1");
        }
        if self.num_beams > 1 && self.do_sample {
            return wrong("num_beams needs greedy search; leave out do_sample");
        }
        if !self.do_sample && self.num_return_sequences > self.num_beams {
            return Err(Error::Request(format!(
                "num_return_sequences is {}, but num_beams is {}; ask for at most as many \
                 sequences as there are beams, or set do_sample",
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

//! Generation: one token after the other, each read from the scores that the model gives it.

pub mod sampling;

use crate::{Cache, Error, Gpt2};
use autograd::no_grad;
use sampling::Sampler;
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::Path;
use tensor::{Float, Rng, Tokens};

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
    /// Tokens that end a text; they are part of the result.
    pub end_tokens: Vec<u32>,
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
            end_tokens: Vec::new(),
            seed: 0,
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
}

impl Generation {
    /// What `generation_config.json` in a model's folder says; the default where there is none.
    /// Settings of sampling count only where it samples, as in Transformers.
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
        let config: GenerationConfig = serde_json::from_str(&text)
            .map_err(|error| Error::Config { path: path.clone(), reason: error.to_string() })?;
        let mut settings = Generation {
            max_new_tokens: config.max_new_tokens,
            do_sample: config.do_sample,
            ..Generation::default()
        };
        if config.do_sample {
            settings.temperature = config.temperature.unwrap_or(1.0);
            // 0 is Transformers' way to say: all of them.
            settings.top_k = config.top_k.filter(|&k| k > 0);
            settings.top_p = config.top_p;
        }
        let wrong = |error: Error| Error::Config { path, reason: error.to_string() };
        settings.check().map_err(wrong)?;
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
        Ok(())
    }

    /// How many tokens may follow a prompt of `prompt_len` in a context of `max_seq_len`.
    fn room(&self, prompt_len: usize, max_seq_len: usize) -> Result<usize, Error> {
        let wrong = |text: String| Err(Error::Request(text));
        if prompt_len == 0 {
            return wrong("the prompt is empty; give at least one token".into());
        }
        if prompt_len > max_seq_len {
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
        if new > max_seq_len - prompt_len {
            return wrong(format!(
                "the prompt has {prompt_len} tokens and {new} new ones were asked for, the model's \
                 context holds {max_seq_len}; ask for at most {}",
                max_seq_len - prompt_len
            ));
        }
        Ok(new)
    }
}

impl Gpt2 {
    /// The prompt and the tokens that follow it, up to and with an end token.
    ///
    /// # Errors
    /// If settings contradict each other, the prompt is empty, does not fit the context, or holds
    /// an id beyond the vocabulary.
    pub fn generate(&self, prompt: &[u32], settings: &Generation) -> Result<Vec<u32>, Error> {
        Ok(self.generate_batch(&[prompt], settings)?.remove(0))
    }

    /// [`Gpt2::generate`] for several prompts at once, shorter ones padded on the left. Greedily
    /// each gets the same tokens as alone; sampled, row `i` draws from a generator of its own, fixed by
    /// seed and `i`.
    ///
    /// # Errors
    /// As [`Gpt2::generate`].
    pub fn generate_batch(
        &self,
        prompts: &[impl AsRef<[u32]>],
        settings: &Generation,
    ) -> Result<Vec<Vec<u32>>, Error> {
        settings.check()?;
        let context = self.config.max_seq_len;
        let mut rooms = Vec::new();
        for prompt in prompts {
            rooms.push(settings.room(prompt.as_ref().len(), context)?);
        }
        let mut rows: Vec<Vec<u32>> = prompts.iter().map(|p| p.as_ref().to_vec()).collect();
        let (width, steps) = (
            rows.iter().map(Vec::len).max().unwrap_or(0),
            rooms.iter().copied().max().unwrap_or(0),
        );
        let (padded, mut is_token) = pad_left(&rows, width);
        let mut tokens = Tokens::batch(&padded, self.config.vocab_size)?;
        let mut cache = Cache::new(self.stack.blocks.len(), rows.len(), width + steps);
        let mut samplers: Vec<Sampler> = (0..rows.len())
            .map(|row| Sampler::new(settings, Rng::derived(settings.seed, &[row as u64])))
            .collect();
        let mut open = vec![true; rows.len()];
        for step in 0..steps {
            let logits = no_grad(|| self.next_logits(&tokens, &is_token, &mut cache));
            let mut next = vec![0; rows.len()];
            for (row, scores) in logits.chunks_exact(self.config.vocab_size).enumerate() {
                if !open[row] {
                    continue;
                }
                next[row] = samplers[row].next(scores)?;
                rows[row].push(next[row]);
                open[row] = step + 1 < rooms[row] && !settings.end_tokens.contains(&next[row]);
            }
            if !open.contains(&true) {
                break;
            }
            tokens = Tokens::new(next, self.config.vocab_size)?.reshape(&[rows.len(), 1]);
            is_token.clone_from(&open);
        }
        Ok(rows)
    }

    /// The scores after the last position, row by row.
    fn next_logits(&self, tokens: &Tokens, is_token: &[bool], cache: &mut Cache) -> Vec<Float> {
        let hidden = self.hidden_cached(tokens, is_token, cache);
        let last = hidden.narrow(1, tokens.shape()[1] - 1, 1); // [batch_size, 1, d_model]
        self.logits(&last.reshape(&[tokens.shape()[0], self.config.d_model])).value().to_vec()
    }
}

fn pad_left(rows: &[Vec<u32>], width: usize) -> (Vec<Vec<u32>>, Vec<bool>) {
    let pad = |row: &Vec<u32>| [vec![0; width - row.len()], row.clone()].concat();
    let mark = |row: &Vec<u32>| (0..width).map(move |i| i + row.len() >= width).collect::<Vec<_>>();
    (rows.iter().map(pad).collect(), rows.iter().flat_map(mark).collect())
}

//! Generation: one token after the other, each read from the scores that a model gives it.
//!
//! | file | what it holds |
//! |---|---|
//! | [`Generation`] | the settings, from code or a model's folder |
//! | [`Autoregressive`] | what a model gives; `generate` and its kin |
//! | [`repetition_penalty`], [`no_repeat_ngrams`], [`bad_words`], [`min_length`] | what is done to scores in every mode, in this order |
//! | [`sampling`] | temperature, top-k, top-p, min-p, typical, in this order; the draw |
//! | [`beam`] | beam search |
//! | [`Hooks`] | tokens told as they are chosen, tokens that may follow, a tokenizer for rules about text |
//! | [`words`] | texts measured in words |

mod any;
mod autoregressive;
mod bad_texts;
pub mod beam;
mod decoder_only;
mod encoder_decoder;
mod forbidden;
mod from_file;
mod hooks;
mod ngrams;
mod pipeline;
mod repetition;
pub mod sampling;
mod settings;
mod stop;
pub mod words;

pub use any::AnyState;
pub use autoregressive::Autoregressive;
pub use beam::Hypothesis;
pub use encoder_decoder::Reading;
pub use forbidden::{bad_words, min_length};
pub use hooks::{Allowed, Generated, Hooks, NewToken};
pub use ngrams::no_repeat_ngrams;
pub use repetition::repetition_penalty;
pub use settings::{EarlyStopping, Generation};

use crate::{Error, Padded};
use autograd::no_grad;
use bad_texts::BadTexts;
use ngrams::forbid;
use pipeline::Pipeline;
use sampling::Sampler;
use stop::StopTexts;
use tensor::{Float, Rng, Tokens};

/// [`Autoregressive::generate_with`].
fn rows<M: Autoregressive>(
    model: &M,
    ids: &[impl AsRef<[u32]>],
    settings: &Generation,
    mut hooks: Hooks<'_>,
) -> Result<Vec<Generated>, Error> {
    settings.check()?;
    if settings.num_beams > 1 {
        return beams(model, ids, settings, hooks);
    }
    let Begun { rows, limits, end_tokens, mut tokens, mut state } =
        Begun::new(model, ids, settings)?;
    let pipeline =
        Pipeline::new(settings, &end_tokens, hooks.allowed, hooks.tokenizer, model.vocab_size())?;
    let stop = StopTexts::new(settings, hooks.tokenizer)?;
    let begin = |(index, (ids, limit))| {
        let draws = hooks.draws.get(index).copied().unwrap_or(index as u64);
        Row::new(index, ids, limit, Sampler::new(settings, Rng::derived(settings.seed, &[draws])))
    };
    let mut rows: Vec<Row> = rows.into_iter().zip(limits).enumerate().map(begin).collect();
    let mut open: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].is_full()).collect();
    while !open.is_empty() {
        let mut scores = no_grad(|| model.next_scores(&tokens, &mut state)).to_vec();
        let (mut kept, mut next, mut stops) = (Vec::new(), Vec::new(), false);
        for (index, scores) in scores.chunks_exact_mut(model.vocab_size()).enumerate() {
            let row = &mut rows[open[index]];
            let token = row.choose(scores, &pipeline)?;
            if !(row.is_full()
                || end_tokens.contains(&token.id)
                || stop.is_complete(row.new_tokens())?)
            {
                kept.push(index);
                next.push(token.id);
            }
            stops |= hooks.tell(token).is_break();
        }
        if stops {
            break;
        }
        reorder(model, &mut state, &kept, open.len());
        open = kept.into_iter().map(|index| open[index]).collect();
        tokens = column(next, model.vocab_size())?;
    }
    Ok(rows.into_iter().map(|row| row.generated).collect())
}

/// A row that grows.
struct Row {
    index: usize,
    generated: Generated,
    prompt_len: usize,
    limit: usize,
    sampler: Sampler,
}

impl Row {
    fn new(index: usize, ids: Vec<u32>, limit: usize, sampler: Sampler) -> Row {
        let prompt_len = ids.len();
        let generated = Generated { ids, log_probabilities: Vec::new() };
        Row { index, generated, prompt_len, limit, sampler }
    }

    fn new_tokens(&self) -> &[u32] {
        &self.generated.ids[self.prompt_len..]
    }

    fn is_full(&self) -> bool {
        self.generated.ids.len() >= self.limit
    }

    fn choose(&mut self, scores: &mut [Float], rules: &Pipeline<'_>) -> Result<NewToken, Error> {
        sampling::check(scores)?;
        rules.process(self.index, self.prompt_len, &[&self.generated.ids], scores)?;
        let (id, log_probability) = loop {
            sampling::check_left(scores)?;
            let (id, log_probability) = self.sampler.next(scores);
            if !rules.completes_bad_text(self.new_tokens(), id)? {
                break (id, log_probability);
            }
            forbid(scores, id);
        };
        self.generated.ids.push(id);
        self.generated.log_probabilities.push(log_probability);
        Ok(NewToken { row: self.index, id, log_probability })
    }
}

/// The best texts of a beam search, those of each row one after the other.
fn beams<M: Autoregressive>(
    model: &M,
    ids: &[impl AsRef<[u32]>],
    settings: &Generation,
    mut hooks: Hooks<'_>,
) -> Result<Vec<Generated>, Error> {
    let found = beam::search_with(model, ids, settings, &hooks)?;
    let wanted = settings.num_return_sequences;
    if let Some((row, few)) = found.iter().enumerate().find(|(_, few)| few.len() < wanted) {
        return Err(Error::Request(format!(
            "row {row} has {} sequences where num_return_sequences asks for {wanted}; ask for \
             fewer, or allow more new tokens",
            few.len()
        )));
    }
    let rows: Vec<Generated> = found.into_iter().flatten().map(Generated::from).collect();
    for (row, Generated { ids, log_probabilities }) in rows.iter().enumerate() {
        let new = &ids[ids.len() - log_probabilities.len()..];
        for (&id, &log_probability) in new.iter().zip(log_probabilities) {
            if hooks.tell(NewToken { row, id, log_probability }).is_break() {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

/// A request before the first token of its answer.
struct Begun<S> {
    /// What the result of each row begins with.
    rows: Vec<Vec<u32>>,
    /// Most tokens of each row.
    limits: Vec<usize>,
    end_tokens: Vec<u32>,
    /// What the model reads first.
    tokens: Padded,
    state: S,
}

impl<S> Begun<S> {
    fn new<M: Autoregressive<State = S>>(
        model: &M,
        ids: &[impl AsRef<[u32]>],
        settings: &Generation,
    ) -> Result<Begun<S>, Error> {
        // Of beams, several are returned from one search; draws are made side by side.
        let copies = if settings.do_sample { settings.num_return_sequences } else { 1 };
        let copy = |ids| std::iter::repeat_n(ids, copies);
        let ids: Vec<&[u32]> = ids.iter().map(AsRef::as_ref).flat_map(copy).collect();
        let (mut rows, mut limits, mut capacity) = (Vec::new(), Vec::new(), 0);
        for ids in &ids {
            if ids.is_empty() {
                return Err(Error::Request("the prompt is empty; give at least one token".into()));
            }
            let row = model.first_tokens(ids).to_vec();
            let room = settings.room(row.len(), model.max_seq_len())?;
            limits.push(row.len().saturating_add(room));
            capacity = capacity.max(room);
            rows.push(row);
        }
        let tokens = Padded::left(&rows, model.vocab_size())?;
        let capacity = capacity.saturating_add(tokens.tokens.shape()[1]);
        let state = no_grad(|| model.start(&ids, capacity))?;
        let end_tokens = settings.end_tokens.clone().unwrap_or_else(|| model.end_tokens());
        Ok(Begun { rows, limits, end_tokens, tokens, state })
    }
}

/// Row `i` of the state becomes what row `rows[i]` of `count` was; if all stay, nothing is copied.
fn reorder<M: Autoregressive>(model: &M, state: &mut M::State, rows: &[usize], count: usize) {
    let stays = rows.len() == count && rows.iter().enumerate().all(|(i, &row)| i == row);
    if !(stays || rows.is_empty()) {
        model.reorder(state, rows);
    }
}

/// One more token of each row.
fn column(ids: Vec<u32>, vocab_size: usize) -> Result<Padded, Error> {
    let count = ids.len();
    let tokens = Tokens::new(ids, vocab_size)?.reshape(&[count, 1]);
    Ok(Padded { tokens, is_token: vec![true; count].into() })
}

//! Generation: one token after the other, each read from the scores that a model gives it.

mod autoregressive;
pub mod beam;
mod decoder_only;
mod encoder_decoder;
pub mod sampling;
mod settings;

pub use autoregressive::Autoregressive;
pub use beam::Hypothesis;
pub use encoder_decoder::Reading;
pub use settings::{EarlyStopping, Generation};

use crate::{Error, Padded};
use autograd::no_grad;
use sampling::Sampler;
use tensor::{Rng, Tokens};

/// [`Autoregressive::generate_batch`].
fn rows<M: Autoregressive>(
    model: &M,
    ids: &[impl AsRef<[u32]>],
    settings: &Generation,
) -> Result<Vec<Vec<u32>>, Error> {
    settings.check()?;
    if settings.num_beams > 1 {
        let found = beam::search(model, ids, settings)?;
        let wanted = settings.num_return_sequences;
        if let Some((row, few)) = found.iter().enumerate().find(|(_, few)| few.len() < wanted) {
            return Err(Error::Request(format!(
                "row {row} has {} sequences where num_return_sequences asks for {wanted}; ask for \
                 fewer, or allow more new tokens",
                few.len()
            )));
        }
        return Ok(found.into_iter().flatten().map(|hypothesis| hypothesis.ids).collect());
    }
    let Begun { mut rows, limits, end_tokens, mut tokens, mut state } =
        Begun::new(model, ids, settings)?;
    let mut samplers: Vec<Sampler> = (0..rows.len())
        .map(|row| Sampler::new(settings, Rng::derived(settings.seed, &[row as u64])))
        .collect();
    let mut open: Vec<usize> =
        (0..rows.len()).filter(|&row| rows[row].len() < limits[row]).collect();
    while !open.is_empty() {
        let scores = no_grad(|| model.next_scores(&tokens, &mut state)).to_vec();
        let (mut kept, mut next) = (Vec::new(), Vec::new());
        for (index, scores) in scores.chunks_exact(model.vocab_size()).enumerate() {
            let row = open[index];
            let id = samplers[row].next(scores)?;
            rows[row].push(id);
            if rows[row].len() < limits[row] && !end_tokens.contains(&id) {
                kept.push(index);
                next.push(id);
            }
        }
        reorder(model, &mut state, &kept, open.len());
        open = kept.into_iter().map(|index| open[index]).collect();
        tokens = column(next, model.vocab_size())?;
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
        let ids: Vec<&[u32]> = ids.iter().map(AsRef::as_ref).collect();
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

//! What a caller may have a say in while a text is generated.

use crate::Tokenizer;
use std::ops::ControlFlow;

/// The tokens that may follow those of a row so far; `None` where all may.
pub type Allowed<'a> = &'a dyn Fn(usize, &[u32]) -> Option<Vec<u32>>;

/// What a caller adds to a generation.
///
/// ```
/// use std::ops::ControlFlow;
/// use transformer::{Autoregressive, Generation, Gpt2, Gpt2Config, Hooks};
/// let config = Gpt2Config { vocab_size: 11, d_model: 8, n_heads: 2, ..Gpt2Config::default() };
/// let model = Gpt2::new(config, &mut tensor::Rng::seeded(1)).unwrap();
/// let even = |_row: usize, _ids: &[u32]| Some(vec![0, 2, 4]);
/// let mut seen = Vec::new();
/// let mut on_token = |token: transformer::NewToken| {
///     seen.push(token.id);
///     if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// };
/// let hooks =
///     Hooks { on_token: Some(&mut on_token), allowed: Some(&even), ..Hooks::default() };
/// let found = model.generate_with(&[[1, 2]], &Generation::default(), hooks).unwrap();
/// assert_eq!(found[0].ids[2..], seen);
/// assert!(seen.iter().all(|id| id % 2 == 0));
/// ```
#[derive(Default)]
pub struct Hooks<'a> {
    /// What reads the text that stop texts and `bad_texts` are looked for in, and whose words are
    /// counted.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Told of each token as it is chosen; with beams, of those of the texts that are returned, once
    /// the search has ended. May stop the generation of all rows: they are returned as they are.
    pub on_token: Option<&'a mut dyn FnMut(NewToken) -> ControlFlow<()>>,
    /// Given a row's number and its tokens so far, the tokens that may follow.
    pub allowed: Option<Allowed<'a>>,
    /// What fixes the draws of each row, with the seed, so that they do not depend on the rows beside
    /// it; its number where there is none.
    pub draws: &'a [u64],
}

/// A token that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewToken {
    /// Which of the returned rows it belongs to.
    pub row: usize,
    /// The token.
    pub id: u32,
    /// Its log-probability, after all that the settings do to the scores.
    pub log_probability: f64,
}

/// A row that was generated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// Its tokens, with what the row began with.
    pub ids: Vec<u32>,
    /// Of each new token, after all that the settings do to the scores.
    pub log_probabilities: Vec<f64>,
}

impl Hooks<'_> {
    pub(super) fn tell(&mut self, token: NewToken) -> ControlFlow<()> {
        match &mut self.on_token {
            Some(on_token) => on_token(token),
            None => ControlFlow::Continue(()),
        }
    }
}

//! What decoders that stand alone have in common: GPT-2, Llama, Qwen.

use super::head::DecoderHead;
use crate::{Cache, Embedding, Padded, Pass, Reads, Trace};
use autograd::{Mask, Var, no_grad};
use tensor::Tokens;

/// A decoder that stands alone: it reads tokens, each seeing itself and those before it.
///
/// A model gives the first seven; the others are made of them.
pub trait DecoderOnly {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// Tokens of the vocabulary.
    fn vocab_size(&self) -> usize;

    /// The longest sequence, in tokens.
    fn max_seq_len(&self) -> usize;

    /// The number of blocks.
    fn n_layers(&self) -> usize;

    /// The tokens that end a text.
    fn end_tokens(&self) -> Vec<u32>;

    /// What the hidden states are read with, and the embedding, whose transpose may be it.
    fn head(&self) -> (&DecoderHead, &Embedding);

    /// The output of the last normalization, for tokens at `positions`:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, d_model]`. The positions are of the tokens'
    /// shape, or `[seq_len]` where all rows share them.
    ///
    /// # Panics
    /// If the tokens are of another vocabulary.
    #[track_caller]
    fn read(&self, tokens: &Tokens, positions: &Tokens, pass: &mut Pass<'_>) -> Var;

    /// The scores of the next token at each position, or of what else the head tells:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, vocab_size]`
    ///
    /// # Panics
    /// If the sequences are longer than the context, or of another vocabulary.
    #[track_caller]
    fn forward(&self, tokens: &Tokens) -> Var {
        self.logits(&self.hidden(tokens))
    }

    /// The output of the last normalization:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, d_model]`
    ///
    /// # Panics
    /// As [`DecoderOnly::forward`].
    #[track_caller]
    fn hidden(&self, tokens: &Tokens) -> Var {
        self.read(tokens, &in_order(self, tokens), &mut Pass::causal())
    }

    /// [`DecoderOnly::forward`] with hidden states and attention weights.
    ///
    /// # Panics
    /// As [`DecoderOnly::forward`].
    #[track_caller]
    fn forward_traced(&self, tokens: &Tokens) -> (Var, Trace) {
        let mut trace = Trace::default();
        let mut pass = Pass { trace: Some(&mut trace), ..Pass::causal() };
        let hidden = self.read(tokens, &in_order(self, tokens), &mut pass);
        (self.logits(&hidden), trace)
    }

    /// The scores of each token from hidden states: `[.., d_model]` → `[.., vocab_size]`
    fn logits(&self, hidden: &Var) -> Var {
        let (head, embedding) = self.head();
        head.scores(hidden, embedding)
    }

    /// As [`DecoderOnly::hidden`] of rows of unequal length, padded on either side: a position's
    /// number is that among its row's tokens, and no token attends to padding.
    ///
    /// # Panics
    /// As [`DecoderOnly::forward`].
    #[track_caller]
    fn hidden_padded(&self, text: &Padded, trace: Option<&mut Trace>) -> Var {
        seq_len(self, &text.tokens);
        let positions = within(self, text.positions(), text.tokens.shape());
        let mask = text.causal_mask();
        self.read(&text.tokens, &positions, &mut Pass { mask, trace, ..Pass::default() })
    }

    /// The scores of each text's classes, read at its last token:
    /// `[batch_size, seq_len]` → `[batch_size, n_labels]`
    ///
    /// # Panics
    /// As [`DecoderOnly::forward`], or if a row has no token.
    #[track_caller]
    fn classify(&self, text: &Padded) -> Var {
        self.logits(&text.last_tokens(&self.hidden_padded(text, None)))
    }

    /// As [`DecoderOnly::hidden`] for positions that follow those in the cache, which they join.
    /// `is_token` tells padding (to the left) from tokens, row by row. Nothing is recorded: a cache
    /// has no gradient.
    ///
    /// # Panics
    /// As [`DecoderOnly::forward`], or if `is_token` is not of the tokens' shape.
    #[track_caller]
    fn hidden_cached(&self, tokens: &Tokens, is_token: &[bool], cache: &mut Cache) -> Var {
        self.read_cached(Reads::All, tokens, is_token, cache)
    }

    /// [`DecoderOnly::hidden_cached`] at the positions that `reads` names.
    ///
    /// # Panics
    /// As [`DecoderOnly::hidden_cached`].
    #[track_caller]
    fn read_cached(
        &self,
        reads: Reads,
        tokens: &Tokens,
        is_token: &[bool],
        cache: &mut Cache,
    ) -> Var {
        seq_len(self, tokens);
        assert_eq!(is_token.len(), tokens.ids().len(), "is_token: one for each token");
        let positions = within(self, cache.advance(is_token), tokens.shape());
        let mask = Mask::causal();
        let mask = match cache.is_token.iter().flatten().all(|&is_token| is_token) {
            true => mask,
            false => mask.with_padding(cache.is_token.concat()),
        };
        let mut pass = Pass { mask, reads, cache: Some(cache), ..Pass::default() };
        no_grad(|| self.read(tokens, &positions, &mut pass))
    }
}

/// 0, 1, 2, … for all rows.
#[track_caller]
fn in_order(model: &(impl DecoderOnly + ?Sized), tokens: &Tokens) -> Tokens {
    let seq_len = seq_len(model, tokens);
    within(model, (0..seq_len as u32).collect(), &[seq_len])
}

#[track_caller]
fn within(model: &(impl DecoderOnly + ?Sized), positions: Vec<u32>, shape: &[usize]) -> Tokens {
    match Tokens::new(positions, model.max_seq_len()) {
        Ok(positions) => positions.reshape(shape),
        Err(_) => tensor::shape::wrong(
            model.name(),
            &format!("the context holds {} positions", model.max_seq_len()),
            &[shape],
            "cut the sequence",
        ),
    }
}

#[track_caller]
fn seq_len(model: &(impl DecoderOnly + ?Sized), tokens: &Tokens) -> usize {
    match tokens.shape() {
        [_, seq_len] => *seq_len,
        shape => {
            let rule = "tokens are not [batch_size, seq_len]";
            tensor::shape::wrong(model.name(), rule, &[shape], "")
        }
    }
}

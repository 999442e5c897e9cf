//! What a model reads and says, of each kind.

use crate::models::{Bert, DecoderOnly, HeadKind, T5};
use crate::{Error, Padded, Trace};
use autograd::Var;
use tensor::Tokens;

/// What a model reads.
#[derive(Clone, Debug)]
pub struct Input {
    /// The tokens, padded on either side.
    pub text: Padded,
    /// BERT's segments, of the tokens' shape; all 0 where absent.
    pub token_types: Option<Tokens>,
    /// What an encoder–decoder has written so far, `[batch_size, target_len]`.
    pub target: Option<Tokens>,
}

/// What a model says of what it reads.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// Scores: of tokens `[batch_size, seq_len, vocab_size]`, of classes `[batch_size, n_labels]`, of
    /// the answer's first and last token `[batch_size, seq_len, 2]`.
    pub logits: Option<Var>,
    /// The output of the last block or normalization, `[batch_size, seq_len, d_model]`.
    pub last_hidden_state: Option<Var>,
    /// BERT's summary of the text, `[batch_size, d_model]`.
    pub pooler_output: Option<Var>,
    /// Hidden states and attention weights; of an encoder–decoder, the decoder's.
    pub trace: Trace,
    /// The encoder's of an encoder–decoder.
    pub encoder_trace: Option<Trace>,
}

pub(super) fn decoder_outputs(
    model: &impl DecoderOnly,
    kind: HeadKind,
    input: &Input,
) -> Result<Outputs, Error> {
    if input.token_types.is_some() || input.target.is_some() {
        return Err(Error::Request(format!(
            "{} takes neither token types nor decoder ids",
            model.name()
        )));
    }
    let mut trace = Trace::default();
    let hidden = model.hidden_padded(&input.text, Some(&mut trace));
    let logits = match kind {
        HeadKind::Hidden => None,
        HeadKind::Classification => Some(model.logits(&input.text.last_tokens(&hidden))),
        HeadKind::LanguageModel | HeadKind::Span => Some(model.logits(&hidden)),
    };
    Ok(Outputs { logits, last_hidden_state: Some(hidden), trace, ..Outputs::default() })
}

pub(super) fn encoder_outputs(model: &Bert, name: &str, input: &Input) -> Result<Outputs, Error> {
    if input.target.is_some() {
        return Err(Error::Request(format!("{name} takes no decoder ids")));
    }
    let segments = input.token_types.as_ref();
    let wanted = (input.text.tokens.shape(), model.config.n_segments);
    if let Some(segments) = segments.filter(|found| (found.shape(), found.vocab_size()) != wanted) {
        return Err(Error::Request(format!(
            "token types are {:?} of {} kinds where {name} takes {:?} of {}",
            segments.shape(),
            segments.vocab_size(),
            wanted.0,
            wanted.1
        )));
    }
    let mut trace = Trace::default();
    let hidden = model.hidden(&input.text, segments, Some(&mut trace));
    let logits = (model.config.head.kind != HeadKind::Hidden).then(|| model.scores(&hidden));
    let pooler_output = model.pooled(&hidden);
    Ok(Outputs {
        logits,
        pooler_output,
        last_hidden_state: Some(hidden),
        trace,
        ..Outputs::default()
    })
}

pub(super) fn encoder_decoder_outputs(model: &T5, input: &Input) -> Result<Outputs, Error> {
    if input.token_types.is_some() {
        return Err(Error::Request("t5 takes no token types".into()));
    }
    let target = match &input.target {
        Some(target) if target.shape().first() == input.text.tokens.shape().first() => target,
        Some(target) => {
            return Err(Error::Request(format!(
                "decoder ids are {:?} where the encoder's are {:?}; give as many rows",
                target.shape(),
                input.text.tokens.shape()
            )));
        }
        None => {
            let text = "t5 writes while it reads: give decoder ids, the start token first";
            return Err(Error::Request(text.into()));
        }
    };
    let [mut encoder, mut decoder] = [Trace::default(), Trace::default()];
    let memory = model.encode(&input.text, Some(&mut encoder));
    let hidden = model.decode(target, &memory, Some(&mut decoder));
    let has_head = model.config.head.kind == HeadKind::LanguageModel;
    Ok(Outputs {
        logits: has_head.then(|| model.logits(&hidden)),
        last_hidden_state: Some(hidden),
        trace: decoder,
        encoder_trace: Some(encoder),
        ..Outputs::default()
    })
}

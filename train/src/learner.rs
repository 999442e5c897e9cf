//! What a model must tell to be trained: the loss of rows side by side.

use crate::Error;
use crate::batch::NextTokens;
use crate::sequence::{Sequence, Target};
use autograd::ops::cross_entropy::cross_entropy_forward;
use autograd::ops::linear_cross_entropy::{affine_cross_entropy_sum, linear_cross_entropy_sum};
use autograd::{Var, cross_entropy_sum, no_grad};
use tensor::{Targets, Tokens};
use transformer::models::bert::{EncoderHead, TokenScores};
use transformer::{Bert, DecoderOnly, Gpt2, HeadKind, Llama, Model, Module, Padded, T5};

/// A model that can be trained on [`Sequence`]s.
///
/// One of your own that is a [`DecoderOnly`] calls [`decoder_scores`] and [`decoder_loss_sum`].
pub trait Learner: Module {
    /// Tokens of the vocabulary.
    fn vocab_size(&self) -> usize;

    /// The scores of what is to be told at each target of the rows, `[targets, vocab_size]` or
    /// `[rows, n_labels]`, and the targets, row by row.
    ///
    /// # Errors
    /// If a token id is not in the vocabulary, or the model does not learn such targets.
    fn scores(&self, rows: &[&Sequence]) -> Result<(Var, Targets), Error>;

    /// The summed negative log-likelihood of all targets, in nats.
    ///
    /// # Errors
    /// As [`Learner::scores`].
    fn loss_sum(&self, rows: &[&Sequence]) -> Result<Var, Error> {
        let (scores, targets) = self.scores(rows)?;
        Ok(cross_entropy_sum(&scores, &targets))
    }

    /// The negative log-likelihood of each target, in nats, nothing recorded.
    ///
    /// # Errors
    /// As [`Learner::scores`].
    fn losses(&self, rows: &[&Sequence]) -> Result<Vec<f64>, Error> {
        let (scores, targets) = no_grad(|| self.scores(rows))?;
        Ok(cross_entropy_forward(scores.value(), &targets).0)
    }
}

/// [`Learner::scores`] of a decoder that stands alone: of the next tokens, or of a text's class.
///
/// # Errors
/// If a token id is not in the vocabulary, or the model's head is for something else.
pub fn decoder_scores(
    model: &impl DecoderOnly,
    rows: &[&Sequence],
) -> Result<(Var, Targets), Error> {
    let is_language_model = model.head().0.is_language_model();
    match rows.first().map(|row| &row.target) {
        Some(Target::Class(_)) if !is_language_model => {
            let classes = classes(rows)?;
            let scores = model.classify(&padded(rows, model.vocab_size())?);
            let targets = Targets::new(classes, scores.size(-1))?;
            Ok((scores, targets))
        }
        Some(Target::Text(_)) => {
            Err(does_not_learn(model.name(), "to write another text: give it prompts"))
        }
        Some(Target::Class(_)) => {
            Err(does_not_learn(model.name(), "classes: it has no head for them"))
        }
        Some(Target::Hidden(_)) => {
            Err(does_not_learn(model.name(), "hidden tokens: it reads in one direction"))
        }
        _ if !is_language_model => {
            Err(does_not_learn(model.name(), "the next token: it has no head that scores it"))
        }
        _ => {
            let batch = NextTokens::new(rows, model.vocab_size())?;
            Ok((batch.scores(model), batch.targets))
        }
    }
}

fn does_not_learn(name: &str, what: &str) -> Error {
    Error::settings(format!("this {name} does not learn {what}"))
}

fn padded(rows: &[&Sequence], vocab_size: usize) -> Result<Padded, Error> {
    let ids: Vec<&[u32]> = rows.iter().map(|row| &row.ids[..]).collect();
    Ok(Padded::right(&ids, vocab_size)?)
}

fn classes(rows: &[&Sequence]) -> Result<Vec<u32>, Error> {
    let class = |row: &&Sequence| match row.target {
        Target::Class(class) => Ok(class),
        _ => Err(mixed()),
    };
    rows.iter().map(class).collect()
}

pub(crate) fn mixed() -> Error {
    Error::settings("rows of different kinds stand in one batch; give rows of one task")
}

/// [`Learner::loss_sum`] of a decoder that stands alone, which never holds all scores of tokens.
///
/// # Errors
/// As [`decoder_scores`].
pub fn decoder_loss_sum(model: &impl DecoderOnly, rows: &[&Sequence]) -> Result<Var, Error> {
    let (head, embedding) = model.head();
    let reads_tokens = rows.iter().all(|row| matches!(row.target, Target::From(_)));
    match head.next_token_matrix(embedding).filter(|_| reads_tokens) {
        Some(matrix) => {
            let batch = NextTokens::new(rows, model.vocab_size())?;
            Ok(linear_cross_entropy_sum(&batch.states(model), &matrix, &batch.targets))
        }
        None => {
            let (scores, targets) = decoder_scores(model, rows)?;
            Ok(cross_entropy_sum(&scores, &targets))
        }
    }
}

macro_rules! decoder {
    ($model:ty) => {
        impl Learner for $model {
            fn vocab_size(&self) -> usize {
                self.config.vocab_size
            }

            fn scores(&self, rows: &[&Sequence]) -> Result<(Var, Targets), Error> {
                decoder_scores(self, rows)
            }

            fn loss_sum(&self, rows: &[&Sequence]) -> Result<Var, Error> {
                decoder_loss_sum(self, rows)
            }
        }
    };
}
decoder!(Gpt2);
decoder!(Llama);

/// The class of a text, or its hidden tokens.
impl Learner for Bert {
    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn scores(&self, rows: &[&Sequence]) -> Result<(Var, Targets), Error> {
        if hides(rows) {
            let (head, states, targets) = hidden_tokens(self, rows)?;
            return Ok((head.forward(&states, &self.token_embedding), targets));
        }
        if self.config.head.kind != HeadKind::Classification {
            return Err(does_not_learn("encoder", "classes: it has no head for them"));
        }
        let classes = classes(rows)?;
        let scores = self.classify(&padded(rows, self.config.vocab_size)?, None);
        let targets = Targets::new(classes, scores.size(-1))?;
        Ok((scores, targets))
    }

    fn loss_sum(&self, rows: &[&Sequence]) -> Result<Var, Error> {
        if hides(rows) {
            let (head, states, targets) = hidden_tokens(self, rows)?;
            let table = self.token_embedding.weight.transpose(0, 1);
            return Ok(affine_cross_entropy_sum(
                &head.states(&states),
                &table,
                &head.bias,
                &targets,
            ));
        }
        let (scores, targets) = Learner::scores(self, rows)?;
        Ok(cross_entropy_sum(&scores, &targets))
    }
}

fn hides(rows: &[&Sequence]) -> bool {
    matches!(rows.first().map(|row| &row.target), Some(Target::Hidden(_)))
}

/// The head that fills in tokens, the states where tokens are hidden, `[targets, d_model]`, and what
/// stood there.
fn hidden_tokens<'a>(
    model: &'a Bert,
    rows: &[&Sequence],
) -> Result<(&'a TokenScores, Var, Targets), Error> {
    let EncoderHead::LanguageModel(head) = &model.head else {
        return Err(does_not_learn("encoder", "hidden tokens: it has no head that fills them in"));
    };
    let text = padded(rows, model.config.vocab_size)?;
    let width = text.tokens.shape()[1] as u32;
    let (mut positions, mut ids) = (Vec::new(), Vec::new());
    for (row, sequence) in (0..).zip(rows) {
        let Target::Hidden(hidden) = &sequence.target else { return Err(mixed()) };
        positions.extend(hidden.iter().map(|(place, _)| row * width + place));
        ids.extend(hidden.iter().map(|(_, id)| *id));
    }
    let targets = Targets::new(ids, model.config.vocab_size)?;
    Ok((head, at(&model.hidden(&text, None, None), positions)?, targets))
}

/// The next token of a text that answers another.
impl Learner for T5 {
    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn scores(&self, rows: &[&Sequence]) -> Result<(Var, Targets), Error> {
        let written = rows.iter().map(|row| match &row.target {
            Target::Text(text) => Ok(match text.split_last() {
                Some((_, before)) => [self.start_token(), before].concat(),
                None => Vec::new(),
            }),
            _ => Err(does_not_learn("t5", "but to write another text: give rows of pairs")),
        });
        let written = written.collect::<Result<Vec<Vec<u32>>, Error>>()?;
        let source = padded(rows, self.config.vocab_size)?;
        let target = Padded::right(&written, self.config.vocab_size)?;
        let memory = self.encode(&source, None);
        // Attention is causal: no token of the target sees the padding behind it.
        let hidden = self.decode(&target.tokens, &memory, None);
        let positions: Vec<u32> = (0..target.is_token.len() as u32)
            .filter(|&position| target.is_token[position as usize])
            .collect();
        let hidden = at(&hidden, positions)?;
        let ids = rows.iter().flat_map(|row| match &row.target {
            Target::Text(text) => &text[..],
            _ => &[],
        });
        let targets = Targets::new(ids.copied().collect::<Vec<u32>>(), self.config.vocab_size)?;
        Ok((self.logits(&hidden), targets))
    }
}

/// The states at positions counted through all rows: `[rows, len, d_model]` → `[positions, d_model]`
pub(crate) fn at(hidden: &Var, positions: Vec<u32>) -> Result<Var, Error> {
    let count = hidden.size(0) * hidden.size(1);
    let flat = hidden.reshape(&[count, hidden.size(-1)]);
    match positions.len() == count {
        true => Ok(flat),
        false => Ok(flat.embedding(&Tokens::new(positions, count)?)),
    }
}

impl Learner for Model {
    fn vocab_size(&self) -> usize {
        Model::vocab_size(self)
    }

    fn scores(&self, rows: &[&Sequence]) -> Result<(Var, Targets), Error> {
        match self {
            Model::Bert(model) => Learner::scores(model, rows),
            Model::Gpt2(model) => model.scores(rows),
            Model::Llama(model) => model.scores(rows),
            Model::T5(model) => model.scores(rows),
        }
    }

    fn loss_sum(&self, rows: &[&Sequence]) -> Result<Var, Error> {
        match self {
            Model::Bert(model) => model.loss_sum(rows),
            Model::Gpt2(model) => model.loss_sum(rows),
            Model::Llama(model) => model.loss_sum(rows),
            Model::T5(model) => model.loss_sum(rows),
        }
    }
}

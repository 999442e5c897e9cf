//! BERT: a stack of blocks over tokens, positions and segments, read in both directions. Devlin et
//! al. 2019. RoBERTa and DistilBERT are built so too: [`super::roberta`], [`super::distilbert`].

mod config;
mod head;
mod names;

pub(in crate::models) use config::supported;
pub use config::{BertConfig, Variant};
pub use head::{ClassScores, EncoderHead, TokenScores};

use super::{distilbert, roberta};
use crate::block::{NormPlacement, Residual};
use crate::pretrained::{Checkpoint, Config, Layout, Pretrained};
use crate::{
    Block, Embedding, Encoder, Error, FeedForward, Init, LayerNorm, MultiHeadAttention, Padded,
    Pass, Reads, Trace, parameters_of,
};
use autograd::Var;
use serde_json::{Map, Value};
use tensor::{Float, Rng, Tokens};

/// A BERT, RoBERTa or DistilBERT.
///
/// ```
/// use tensor::Rng;
/// use transformer::{Bert, BertConfig, Padded};
/// let config = BertConfig { vocab_size: 11, d_model: 24, n_layers: 1, ..BertConfig::default() };
/// let model = Bert::new(config, &mut Rng::seeded(1)).unwrap();
/// let text = Padded::right(&[vec![1, 2, 3], vec![4]], 11).unwrap();
/// assert_eq!(model.hidden(&text, None, None).shape(), [2, 3, 24]);
/// ```
#[derive(Clone, Debug)]
pub struct Bert {
    /// Its sizes.
    pub config: BertConfig,
    /// A row for each token.
    pub token_embedding: Embedding,
    /// A row for each position.
    pub position_embedding: Embedding,
    /// A row for each segment; none in DistilBERT.
    pub segment_embedding: Option<Embedding>,
    /// Of their sum.
    pub embedding_norm: LayerNorm,
    /// The blocks.
    pub stack: Encoder,
    /// What the hidden states are read with.
    pub head: EncoderHead,
}
parameters_of!(Bert {
    token_embedding, position_embedding, segment_embedding, embedding_norm, ..stack, head
});

impl Bert {
    /// Random weights: normal with deviation 0.02 (`initializer_range`); biases zero.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: BertConfig, rng: &mut Rng) -> Result<Bert, Error> {
        config.check()?;
        let d_model = config.d_model;
        let init = match config.initializer_range {
            0.0 => Init::Zeros,
            std => Init::Normal(std),
        };
        let segments = config.n_segments;
        let blocks = (0..config.n_layers).map(|_| block(&config, init, rng));
        Ok(Bert {
            stack: Encoder { blocks: blocks.collect(), final_norm: None },
            token_embedding: Embedding::new(rng, config.vocab_size, d_model, init)
                .with_padding(config.pad_token_id),
            position_embedding: Embedding::new(rng, config.max_seq_len, d_model, init)
                .with_padding(config.pad_token_id.filter(|_| config.variant == Variant::Roberta)),
            segment_embedding: (segments > 0).then(|| Embedding::new(rng, segments, d_model, init)),
            embedding_norm: LayerNorm::new(d_model, config.eps),
            head: EncoderHead::new(rng, &config, init),
            config,
        })
    }

    /// Sets all dropout probabilities.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        let config = self.config.clone().with_dropout(p);
        config.check()?;
        for block in &mut self.stack.blocks {
            block.residual.dropout = p;
            block.attention.dropout = p;
        }
        if let EncoderHead::Classification(scores) = &mut self.head {
            scores.dropout = p;
        }
        self.config = config;
        Ok(())
    }

    /// The output of the last block: `[batch_size, seq_len]` → `[batch_size, seq_len, d_model]`.
    /// `segments`, of the same shape, tells which of two texts a token belongs to; without it all are
    /// of the first.
    ///
    /// # Panics
    /// If the text is longer than the context, of another vocabulary, or not of the segments' shape.
    #[track_caller]
    pub fn hidden(
        &self,
        text: &Padded,
        segments: Option<&Tokens>,
        trace: Option<&mut Trace>,
    ) -> Var {
        self.read(text, segments, Pass { trace, ..Pass::default() })
    }

    /// The scores of each text's classes, as [`Bert::scores`] of its hidden states; the last block computes
    /// the first token alone, which the head reads: `[batch_size, seq_len]` → `[batch_size, n_labels]`
    ///
    /// # Panics
    /// As [`Bert::hidden`], or if the head is no classifier.
    #[track_caller]
    pub fn classify(&self, text: &Padded, segments: Option<&Tokens>) -> Var {
        let EncoderHead::Classification(scores) = &self.head else {
            panic!("bert: the head is no classifier")
        };
        scores.forward(&self.read(text, segments, Pass { reads: Reads::First, ..Pass::default() }))
    }

    #[track_caller]
    fn read(&self, text: &Padded, segments: Option<&Tokens>, mut pass: Pass<'_>) -> Var {
        let x = self.embed(text, segments, &mut pass).dropout(self.config.dropout);
        self.stack.forward(&x, &mut Pass { mask: text.mask(), ..pass })
    }

    /// What the head tells of hidden states: the scores of tokens `[.., vocab_size]`, of a text's
    /// classes `[batch_size, n_labels]`, or of each token as an answer's first and last `[.., 2]`; the
    /// states themselves where there is no head.
    ///
    /// # Panics
    /// If they are not `[batch_size, seq_len, d_model]`.
    #[track_caller]
    pub fn scores(&self, hidden: &Var) -> Var {
        match &self.head {
            EncoderHead::Hidden(_) => hidden.clone(),
            EncoderHead::LanguageModel(scores) => scores.forward(hidden, &self.token_embedding),
            EncoderHead::Classification(scores) => scores.forward(hidden),
            EncoderHead::Span(span) => span.forward(hidden),
        }
    }

    /// tanh of a map of the first token's state, `[batch_size, d_model]`, if the model has it:
    /// `pooler_output`.
    ///
    /// # Panics
    /// If the states are not `[batch_size, seq_len, d_model]`.
    #[track_caller]
    pub fn pooled(&self, hidden: &Var) -> Option<Var> {
        match &self.head {
            EncoderHead::Hidden(Some(pooler)) => {
                Some(pooler.forward(&head::first_state(hidden)).tanh())
            }
            _ => None,
        }
    }

    /// LN(token + position + segment): Devlin et al. 2019, figure 2.
    #[track_caller]
    fn embed(&self, text: &Padded, segments: Option<&Tokens>, pass: &mut Pass<'_>) -> Var {
        let shape = text.tokens.shape();
        let longest = self.config.longest_text();
        let [_, seq_len] = shape else {
            tensor::shape::wrong("bert", "tokens are not [batch_size, seq_len]", &[shape], "")
        };
        if *seq_len > longest {
            let rule = format!("the context holds {longest} positions");
            tensor::shape::wrong("bert", &rule, &[shape], "cut the sequence");
        }
        let table = |ids: Vec<u32>, rows, shape: &[usize]| {
            Tokens::new(ids, rows).expect("it was checked").reshape(shape)
        };
        let positions = match self.config.variant {
            Variant::Roberta => table(self.positions(text), self.config.max_seq_len, shape),
            _ => table((0..*seq_len as u32).collect(), self.config.max_seq_len, &[*seq_len]),
        };
        let x = self.token_embedding.forward(&text.tokens);
        let x = x + self.position_embedding.forward(&positions);
        let x = match &self.segment_embedding {
            None => x,
            Some(embedding) => {
                let first = table(vec![0; text.tokens.ids().len()], self.config.n_segments, shape);
                x + embedding.forward(segments.unwrap_or(&first))
            }
        };
        let x = self.embedding_norm.forward(&x);
        pass.note(|trace| trace.token_embeddings = Some(x.clone()));
        x
    }

    /// RoBERTa's positions: tokens are counted from behind the padding token's id on; that token, and
    /// padding on the left, have that id.
    fn positions(&self, text: &Padded) -> Vec<u32> {
        let padding = self.config.pad_token_id;
        let width = text.tokens.shape()[1].max(1);
        let rows = text.tokens.ids().chunks(width).zip(text.is_token.chunks(width));
        rows.flat_map(|(ids, is_token)| {
            let first = is_token.iter().position(|&is_token| is_token).unwrap_or(ids.len());
            let start = padding.map_or(0, |id| id + 1);
            ids.iter().enumerate().scan(start, move |next, (place, id)| {
                if place < first || Some(*id) == padding {
                    return Some(padding.unwrap_or(0));
                }
                *next += 1;
                Some(*next - 1)
            })
        })
        .collect()
    }
}

fn block(config: &BertConfig, init: Init, rng: &mut Rng) -> Block {
    let d_model = config.d_model;
    let attention = MultiHeadAttention::apart(rng, (d_model, config.n_heads), init, init);
    let sizes = (d_model, config.d_ff);
    Block {
        norm_1: LayerNorm::new(d_model, config.eps).into(),
        attention: MultiHeadAttention { dropout: config.attention_dropout, ..attention },
        norm_2: LayerNorm::new(d_model, config.eps).into(),
        feed_forward: FeedForward::new(rng, sizes, config.activation, init, init),
        residual: Residual { placement: NormPlacement::Post, dropout: config.dropout },
    }
}

impl Pretrained for Bert {
    fn from_config(config: &Config) -> Result<Bert, Error> {
        let config = BertConfig::from_json(config)?;
        let empty = BertConfig { initializer_range: 0.0, ..config.clone() };
        Ok(Bert { config, ..Bert::new(empty, &mut Rng::seeded(0))? })
    }

    fn config_json(&self) -> Map<String, Value> {
        self.config.to_json()
    }

    fn layout(&self) -> Layout {
        match self.config.variant {
            Variant::Bert => names::LAYOUT,
            Variant::Roberta => roberta::LAYOUT,
            Variant::DistilBert => distilbert::LAYOUT,
        }
    }

    /// A file need not have a pooler.
    fn settle(checkpoint: &mut Checkpoint) {
        let has_pooler =
            checkpoint.tensors.keys().any(|name| name.ends_with("pooler.dense.weight"));
        checkpoint.config.values.insert(config::POOLER.into(), has_pooler.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::head::{HeadConfig, HeadKind, labels_of};

    fn model(variant: Variant) -> Bert {
        with_head(variant, HeadConfig::default())
    }

    fn classifier(variant: Variant) -> Bert {
        let labels = labels_of(2);
        let kind = HeadKind::Classification;
        with_head(variant, HeadConfig { kind, labels, ..HeadConfig::default() })
    }

    fn with_head(variant: Variant, head: HeadConfig) -> Bert {
        let config = BertConfig {
            vocab_size: 11,
            max_seq_len: 6,
            d_model: 8,
            n_layers: 1,
            n_heads: 2,
            d_ff: 16,
            initializer_range: 0.5,
            pad_token_id: Some(1),
            variant,
            head,
            ..BertConfig::default()
        };
        Bert::new(config, &mut Rng::seeded(1)).unwrap()
    }

    #[test]
    fn a_padded_batch_equals_its_rows_alone() {
        for variant in [Variant::Bert, Variant::Roberta, Variant::DistilBert] {
            let model = model(variant);
            let scores = |rows: &[Vec<u32>]| {
                model.scores(&model.hidden(&Padded::right(rows, 11).unwrap(), None, None))
            };
            let both = scores(&[vec![1, 2], vec![3, 4, 5, 6]]);
            let alone = scores(&[vec![1, 2]]);
            let difference = both.narrow(0, 0, 1).narrow(1, 0, 2) - &alone;
            assert!(difference.value().to_vec().iter().all(|d| d.abs() < 1e-5));
        }
    }

    #[test]
    fn a_classifier_needs_the_first_position_alone() {
        for variant in [Variant::Bert, Variant::Roberta, Variant::DistilBert] {
            let model = classifier(variant);
            let text = Padded::right(&[vec![2, 3, 4], vec![5]], 11).unwrap();
            let (alone, among) =
                (model.classify(&text, None), model.scores(&model.hidden(&text, None, None)));
            let difference = (alone - among).value().to_vec();
            assert!(difference.len() == 4 && difference.iter().all(|d| d.abs() < 1e-5));
        }
    }

    #[test]
    #[should_panic(expected = "bert: the head is no classifier")]
    fn what_is_no_classifier_classifies_nothing() {
        model(Variant::Bert).classify(&Padded::right(&[vec![2]], 11).unwrap(), None);
    }

    #[test]
    fn robertas_positions_by_hand() {
        let text = Padded::left(&[vec![5, 1, 7, 8], vec![3]], 11).unwrap();
        assert_eq!(model(Variant::Roberta).positions(&text), [2, 1, 3, 4, 1, 1, 1, 2]);
    }

    #[test]
    fn segments_are_told_apart() {
        let model = model(Variant::Bert);
        let text = Padded::right(&[vec![5, 6]], 11).unwrap();
        let hidden = |ids: [u32; 2]| {
            let segments = Tokens::batch(&[ids], 2).unwrap();
            model.hidden(&text, Some(&segments), None).value().to_vec()
        };
        assert_eq!(hidden([0, 0]), model.hidden(&text, None, None).value().to_vec());
        assert_ne!(hidden([0, 1]), hidden([0, 0]));
    }

    #[test]
    #[should_panic(expected = "bert: the context holds 4 positions: [1, 5]; cut the sequence")]
    fn a_text_longer_than_the_context_is_a_bug() {
        let text = Padded::right(&[vec![2; 5]], 11).unwrap();
        model(Variant::Roberta).hidden(&text, None, None);
    }
}

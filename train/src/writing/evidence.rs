//! What an answer rests on: the sentence of its context that the model needed for it.

use super::sequence;
use crate::Error;
use crate::batch::sequence_losses;
use crate::data::answer_prompt;
use crate::sequence::Sequence;
use transformer::generate::words::sentences;
use transformer::{Model, Tokenizer};

/// Contexts that are computed side by side.
const BATCH_SIZE: usize = 16;

/// A sentence of a context, and what it is worth to an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The sentence.
    pub sentence: String,
    /// By how many nats the answer is less likely without it.
    pub nats: f64,
}

/// The sentence of the context without which the model finds its answer least likely; `None` where
/// the answer is no less likely without any one of them.
///
/// ```math
/// s^* = \arg\max_{s \in c} \; \log p(y \mid c, q) - \log p(y \mid c \setminus s, q)
/// ```
/// c is the context, q the question and y the answer's tokens, the end token included where it was
/// written. One pass over the prompt and answer for each sentence: no word that is merely shared
/// counts, but what the model in fact used. Of two sentences that say the same neither is missed.
///
/// Source: Li, Monroe and Jurafsky, "Understanding Neural Networks through Representation Erasure"
/// (2016), section 2.
///
/// # Errors
/// If a text can't be tokenized, or an id is not in the model's vocabulary.
pub fn evidence(
    model: &Model,
    tokenizer: &Tokenizer,
    context: &str,
    question: &str,
    answer: &[u32],
) -> Result<Option<Evidence>, Error> {
    let sentences = sentences(context);
    let contexts = sentences.iter().map(|sentence| without(context, sentence));
    let contexts = contexts.chain([context.to_string()]);
    let is_pair = model.is_encoder_decoder();
    let row = |context: String| {
        let prompt = answer_prompt(Some(&context), question);
        let prompt = match is_pair {
            true => tokenizer.encode_special(&prompt)?,
            false => tokenizer.encode(&prompt)?,
        };
        Ok(sequence(is_pair, &prompt, answer, 1))
    };
    let rows = contexts.map(row).collect::<Result<Vec<Sequence>, Error>>()?;
    let losses = sequence_losses(model, &rows, BATCH_SIZE)?;
    let whole = losses[sentences.len()].0;
    let missed =
        sentences.iter().zip(&losses).map(|(sentence, (nats, _))| (sentence, nats - whole));
    let most = missed.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, nats)| *nats > 0.0);
    Ok(most.map(|(sentence, nats)| Evidence { sentence: sentence.to_string(), nats }))
}

/// A context without one of its own sentences.
fn without(context: &str, sentence: &str) -> String {
    let start = sentence.as_ptr() as usize - context.as_ptr() as usize;
    let after = context[start + sentence.len()..].trim_start();
    format!("{}{after}", &context[..start]).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpe::train_bpe;
    use tensor::Rng;
    use transformer::{Gpt2, Gpt2Config};

    #[test]
    fn a_sentence_is_left_out_with_its_space() {
        let context = "Wool. Soft! 很软。不贵。";
        let all = sentences(context);
        let left: Vec<String> = all.iter().map(|sentence| without(context, sentence)).collect();
        assert_eq!(
            left,
            [
                "Soft! 很软。不贵。",
                "Wool. 很软。不贵。",
                "Wool. Soft! 不贵。",
                "Wool. Soft! 很软。"
            ]
        );
    }

    /// Against the definition, one sequence at a time.
    #[test]
    fn the_sentence_is_the_one_that_is_missed_most() {
        let tokenizer = train_bpe(&["It is wool. It is red. Wash it cold."], 270).unwrap();
        let config = Gpt2Config {
            vocab_size: tokenizer.vocab_size(),
            max_seq_len: 128,
            d_model: 16,
            n_layers: 1,
            n_heads: 2,
            initializer_range: 0.5,
            ..Gpt2Config::default().with_dropout(0.0)
        };
        let model = Model::Gpt2(Gpt2::new(config, &mut Rng::seeded(4)).unwrap());
        let (context, question) = ("It is wool. It is red. Wash it cold.", "Which colour?");
        let answer = tokenizer.encode(" red").unwrap();
        let nats = |context: &str| {
            let prompt = tokenizer.encode(&answer_prompt(Some(context), question)).unwrap();
            sequence_losses(&model, &[sequence(false, &prompt, &answer, 1)], 1).unwrap()[0].0
        };
        let missed = [
            ("It is wool.", nats("It is red. Wash it cold.")),
            ("It is red.", nats("It is wool. Wash it cold.")),
            ("Wash it cold.", nats("It is wool. It is red.")),
        ];
        let most = missed.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let found = evidence(&model, &tokenizer, context, question, &answer).unwrap();
        let expected = most.1 - nats(context);
        match found {
            Some(found) => {
                assert_eq!(found.sentence, most.0);
                assert!((found.nats - expected).abs() < 1e-4, "{} {expected}", found.nats);
            }
            None => assert!(expected <= 0.0),
        }
        assert_eq!(evidence(&model, &tokenizer, "", question, &answer).unwrap(), None);
    }
}

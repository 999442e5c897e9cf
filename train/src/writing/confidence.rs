//! How sure a model is of what it wrote.

use crate::batch::sequence_losses;
use crate::sequence::{Sequence, Target};
use crate::{Error, Learner};

/// Texts that are computed side by side.
const BATCH_SIZE: usize = 32;

/// How sure the model is of each text: the geometric mean of its tokens' probabilities, from 0 to 1;
/// 0 for a text without tokens.
///
/// ```math
/// c(y) = \exp\Bigl(\frac{1}{|y|} \sum_{t=1}^{|y|} \log p(y_t \mid y_{<t}, x)\Bigr)
/// ```
/// x is the prompt and y the text. The probabilities are the model's own, before penalties,
/// temperature and what else [`transformer::Generation`] does to them. One pass over prompt and text.
///
/// # Errors
/// If an id is not in the model's vocabulary.
pub fn confidences(model: &impl Learner, texts: &[Sequence]) -> Result<Vec<f64>, Error> {
    let losses = sequence_losses(model, texts, BATCH_SIZE)?.into_iter();
    Ok(losses.map(|(nats, tokens)| of(nats, tokens)).collect())
}

/// 1 over the perplexity.
fn of(nats: f64, tokens: usize) -> f64 {
    match tokens {
        0 => 0.0,
        tokens => (-nats / tokens as f64).exp(),
    }
}

/// A prompt and what was written to it, as the model reads them: one row of a decoder, two texts of an
/// encoder–decoder. `line` is the row's in its file.
pub fn sequence(is_encoder_decoder: bool, prompt: &[u32], new: &[u32], line: usize) -> Sequence {
    match is_encoder_decoder {
        true => Sequence { ids: prompt.to_vec(), target: Target::Text(new.to_vec()), line },
        false => {
            let ids = [prompt, new].concat();
            Sequence { ids, target: Target::From(prompt.len()), line }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Rng;
    use transformer::{Autoregressive, Generation, Gpt2, Gpt2Config, Hooks};

    #[test]
    fn by_hand() {
        assert!((of(-(0.25f64 * 0.5 * 0.125).ln(), 3) - 0.25).abs() < 1e-12);
        assert_eq!((of(0.0, 4), of(0.0, 0)), (1.0, 0.0));
    }

    #[test]
    fn greedy_search_tells_the_same_of_what_it_wrote() {
        let config = Gpt2Config {
            vocab_size: 23,
            max_seq_len: 16,
            d_model: 8,
            n_heads: 2,
            initializer_range: 0.5,
            ..Gpt2Config::default()
        };
        let model = Gpt2::new(config, &mut Rng::seeded(3)).unwrap();
        let prompts: [&[u32]; 2] = [&[1, 2, 3], &[4, 5]];
        let settings = Generation { max_new_tokens: Some(6), ..Generation::default() };
        let found = model.generate_with(&prompts, &settings, Hooks::default()).unwrap();
        let rows = found.iter().zip(prompts);
        let rows: Vec<Sequence> = rows
            .map(|(row, prompt)| sequence(false, prompt, &row.ids[prompt.len()..], 1))
            .collect();
        for (confidence, row) in confidences(&model, &rows).unwrap().iter().zip(&found) {
            let mean = row.log_probabilities.iter().sum::<f64>() / 6.0;
            assert!((confidence - mean.exp()).abs() < 1e-5, "{confidence}");
        }
    }
}

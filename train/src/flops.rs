//! How many floating-point operations training takes, and how many the machine can do.

use crate::masking::SHARE;
use autograd::Parameter;
use std::time::Instant;
use tensor::{Rng, Tensor};
use transformer::{DecoderHead, HeadKind, Model, Module};

/// What of a model's shape its attention's operations depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Blocks.
    pub n_layers: usize,
    /// Heads times the width of one.
    pub width: usize,
    /// Tokens of a sequence.
    pub seq_len: usize,
}

/// The operations of the model that one token takes in training, forward and backward.
///
/// ```math
/// 6 N_\text{trained} + 4 N_\text{frozen} + 12\, n_\text{layers}\, n_\text{heads}\, d_k\,
/// \mathrm{seq\_len}
/// ```
/// N counts the numbers of matrices that are multiplied with: 2 N forward, 2 N for the gradient of
/// what is multiplied, 2 N for that of the matrix, unless it is frozen. Tables that are looked up do
/// not count, but the embedding does where it scores the next token too. The last term is
/// attention's, counted as if each token attended to all, as is the custom. What is computed again to
/// save memory does not count: that makes the share of the peak comparable between runs. Nor does
/// what is not computed: of a text classifier's last block, all but keys and values is needed at the
/// first token alone; and the head that fills in hidden tokens reads them alone.
///
/// `None` for encoder–decoders, whose two halves read texts of different lengths.
///
/// Source: Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022 (PaLM), appendix B.
///
/// ```
/// use transformer::{Gpt2, Gpt2Config, Model};
/// let config =
///     Gpt2Config { vocab_size: 10, d_model: 4, n_layers: 1, n_heads: 2, ..Gpt2Config::default() };
/// let model = Model::Gpt2(Gpt2::new(config, &mut tensor::Rng::seeded(1)).unwrap());
/// let matrices = 12 * 4 * 4 + 10 * 4;
/// assert_eq!(train::flops::flops_per_token(&model, 8), Some((6 * matrices + 12 * 4 * 8) as f64));
/// ```
pub fn flops_per_token(model: &Model, seq_len: usize) -> Option<f64> {
    let attention = |n_layers, width| Attention { n_layers, width, seq_len };
    let (attention, embedding_scores) = match model {
        Model::Gpt2(gpt2) => (
            attention(gpt2.config.n_layers, gpt2.config.d_model),
            matches!(gpt2.head, DecoderHead::Tied),
        ),
        Model::Llama(llama) => {
            let width = llama.config.n_heads * llama.config.d_k();
            (attention(llama.config.n_layers, width), matches!(llama.head, DecoderHead::Tied))
        }
        Model::Bert(bert) if bert.config.head.kind == HeadKind::LanguageModel => {
            let attention = attention(bert.config.n_layers, bert.config.d_model);
            let encoder = counted(model, false, attention, |name| !name.starts_with("head."));
            let d_model = bert.config.d_model;
            let scores = 6 * d_model * (d_model + bert.config.vocab_size);
            return Some(encoder + SHARE * scores as f64);
        }
        // A classifier of texts; a table of words that scores them is not what it is trained with.
        Model::Bert(bert) => {
            let whole = bert.config.n_layers.saturating_sub(1);
            let last = format!("blocks.{whole}.");
            let is_everywhere = |name: &str| {
                !name.contains(&last) || name.contains("w_k.") || name.contains("w_v.")
            };
            let attention = attention(whole, bert.config.d_model);
            return Some(counted(model, false, attention, is_everywhere));
        }
        Model::T5(_) => return None,
    };
    Some(flops_of(model, embedding_scores, attention))
}

/// [`flops_per_token`] of a model of one's own: tables are the parameters whose name holds
/// `embedding`; `embedding_scores` says whether the tokens' table is the output matrix too.
pub fn flops_of(model: &impl Module, embedding_scores: bool, attention: Attention) -> f64 {
    counted(model, embedding_scores, attention, |_| true)
}

/// [`flops_of`] a model's matrices that each token is multiplied with.
fn counted(
    model: &impl Module,
    embedding_scores: bool,
    attention: Attention,
    is_everywhere: impl Fn(&str) -> bool,
) -> f64 {
    let of_matrix = |(name, parameter): (String, &Parameter)| {
        let is_table = name.contains("embedding") || !is_everywhere(&name);
        let scores = embedding_scores && name.ends_with("token_embedding.weight");
        match parameter.value().rank() {
            2 if scores || !is_table => {
                (if parameter.is_trainable() { 6 } else { 4 }) * parameter.value().len()
            }
            _ => 0,
        }
    };
    let matrices: usize = model.parameters().into_iter().map(of_matrix).sum();
    let Attention { n_layers, width, seq_len } = attention;
    (matrices + 12 * n_layers * width * seq_len) as f64
}

/// Seconds that the measurement of the peak may take.
const BUDGET: f64 = 0.15;

/// Floating-point operations a second of the best of a few matrix products, on all threads and in
/// the precision of this scope. Takes less than 0.2 seconds.
pub fn peak_flops() -> f64 {
    let start = Instant::now();
    let (mut best, mut size) = (0.0, 64);
    loop {
        let [a, b] = [1, 2].map(|seed| Rng::seeded(seed).uniform_between(&[size, size], -1.0, 1.0));
        let flops = 2.0 * (size as f64).powi(3);
        let seconds = time(&a, &b).min(time(&a, &b));
        best = f64::max(best, flops / seconds);
        // The next product is of eight times the work, or the same again.
        let left = BUDGET - start.elapsed().as_secs_f64();
        if size < 1024 && 20.0 * seconds < left {
            size *= 2;
        } else if 3.0 * seconds > left {
            return best;
        }
    }
}

fn time(a: &Tensor, b: &Tensor) -> f64 {
    let start = Instant::now();
    std::hint::black_box(a.matmul(b));
    start.elapsed().as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use transformer::{Bert, BertConfig, Gpt2, Gpt2Config, HeadConfig};

    fn gpt2() -> Model {
        // Of GPT-2's sizes; zeros are made faster than random numbers.
        let config = Gpt2Config { initializer_range: 0.0, ..Gpt2Config::default() };
        Model::Gpt2(Gpt2::new(config, &mut Rng::seeded(1)).unwrap())
    }

    #[test]
    fn gpt2_124m_by_hand() {
        let mut model = gpt2();
        // 12 blocks of q, k, v, o (4 · 768²) and the two maps of 768 × 3072; 50257 × 768 scores.
        let (blocks, scores) = (12 * 12 * 768 * 768, 50_257 * 768);
        assert_eq!(blocks, 84_934_656);
        assert_eq!(scores, 38_597_376);
        let attention = 12 * 12 * 768 * 1024;
        let all = 6 * (blocks + scores) + attention;
        assert_eq!(all, 854_438_400);
        assert_eq!(flops_per_token(&model, 1024), Some(all as f64));
        model.freeze(|name| name != "token_embedding.weight");
        let frozen = 4 * blocks + 6 * scores + attention;
        assert_eq!(flops_per_token(&model, 1024), Some(frozen as f64));
    }

    #[test]
    fn a_classifiers_last_block_is_needed_at_one_token() {
        let (d, d_ff, seq_len) = (8, 16, 5);
        let sizes =
            BertConfig { vocab_size: 11, d_model: d, n_heads: 2, d_ff, ..Default::default() };
        let of = |n_layers| {
            let config = BertConfig { n_layers, ..sizes.clone() };
            let model = Model::Bert(Bert::new(config, &mut Rng::seeded(1)).unwrap());
            flops_per_token(&model, seq_len).unwrap() as usize
        };
        // W^K and W^V of the last block, and the map behind it.
        assert_eq!(of(1), 6 * (2 * d * d + d * d));
        assert_eq!(of(12) - of(1), 11 * (6 * (4 * d * d + 2 * d * d_ff) + 12 * d * seq_len));
    }

    #[test]
    fn a_masked_language_models_head_reads_the_hidden_tokens_alone() {
        let (d, d_ff, seq_len) = (8, 16, 5);
        let kind = HeadKind::LanguageModel;
        let head = HeadConfig { kind, ..HeadConfig::default() };
        let sizes =
            BertConfig { vocab_size: 11, d_model: d, n_heads: 2, d_ff, ..Default::default() };
        let config = BertConfig { n_layers: 1, head, ..sizes };
        let model = Model::Bert(Bert::new(config, &mut Rng::seeded(1)).unwrap());
        let block = 6 * (4 * d * d + 2 * d * d_ff) + 12 * d * seq_len;
        let head = 0.15 * (6 * (d * d + 11 * d)) as f64;
        assert_eq!(flops_per_token(&model, seq_len), Some(block as f64 + head));
    }

    #[test]
    fn the_peak_is_measured_in_time() {
        let start = Instant::now();
        let peak = peak_flops();
        assert!(peak.is_finite() && peak > 1e7, "{peak}");
        // Other tests run beside this one.
        assert!(start.elapsed().as_secs_f64() < 5.0);
    }
}

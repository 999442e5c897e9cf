//! Named sizes for models that start from random weights.

use transformer::Gpt2Config;

/// A named set of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// GPT-2 124M: 12 layers × 768, 12 heads, context 1024, vocabulary 50257
    Gpt2,
    /// 6 layers × 384, 6 heads, context 256, vocabulary 8192
    Mini,
    /// 4 layers × 192, 4 heads, context 256, vocabulary 4096
    Tiny,
}

impl Preset {
    /// Its sizes, with GPT-2's initialization and dropout 0.
    pub fn config(self) -> Gpt2Config {
        let sized = |n_layers, d_model, n_heads, max_seq_len, vocab_size| Gpt2Config {
            n_layers,
            d_model,
            n_heads,
            max_seq_len,
            vocab_size,
            eos_token_id: None,
            ..Gpt2Config::default().with_dropout(0.0)
        };
        match self {
            Preset::Gpt2 => sized(12, 768, 12, 1024, 50257),
            Preset::Mini => sized(6, 384, 6, 256, 8192),
            Preset::Tiny => sized(4, 192, 4, 256, 4096),
        }
    }
}

//! Qwen2: Llama with biases of queries, keys and values. Yang et al. 2024a, section 2.2.

use super::{Family, LlamaConfig};

/// What its `config.json` means where it is silent.
pub fn defaults() -> LlamaConfig {
    LlamaConfig {
        family: Family::Qwen2,
        vocab_size: 151_936,
        max_seq_len: 32768,
        d_ff: 22016,
        n_kv_heads: Some(32),
        bos_token_id: None,
        eos_token_id: Vec::new(),
        ..LlamaConfig::default()
    }
}

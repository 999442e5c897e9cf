//! Qwen3: Llama whose queries and keys are normalized, head by head, before they are turned. Yang et
//! al. 2025, section 2.

use super::{Family, LlamaConfig, qwen2};

/// What its `config.json` means where it is silent.
pub fn defaults() -> LlamaConfig {
    LlamaConfig { family: Family::Qwen3, d_k: Some(128), ..qwen2::defaults() }
}

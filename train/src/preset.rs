//! Named sizes for models that start from random weights.

use crate::Error;
use tensor::{Float, Rng};
use transformer::llama::Rope;
use transformer::{
    Bert, BertConfig, Gpt2, Gpt2Config, HeadConfig, HeadKind, Llama, LlamaConfig, Model, T5,
    T5Config,
};

/// A named set of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// GPT-2 124M: 12 layers × 768, 12 heads, context 1024, vocabulary 50257
    Gpt2,
    /// 6 layers × 384, 6 heads, context 256, vocabulary 8192
    Mini,
    /// 4 layers × 192, 4 heads, context 256, vocabulary 4096
    Tiny,
    /// Llama 135M: 30 layers × 576, 9 heads (3 of keys and values), context 2048, vocabulary 49152
    Smollm2,
    /// BERT: 4 layers × 192, 4 heads, context 256, vocabulary 4096
    EncoderTiny,
    /// T5: 2 + 2 layers × 192, 4 heads, vocabulary 4096
    EncoderDecoderTiny,
}

/// What the options say of a preset's sizes.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Blocks; of an encoder–decoder those of each side.
    pub n_layers: Option<usize>,
    /// The width of the residual stream.
    pub d_model: Option<usize>,
    /// Attention heads.
    pub n_heads: Option<usize>,
    /// Tokens of the vocabulary.
    pub vocab_size: Option<usize>,
    /// The token that ends a text.
    pub end: Option<u32>,
    /// The classes of a classifier; none where tokens are written.
    pub labels: Vec<String>,
}

impl Preset {
    /// The sizes of a GPT-2, with GPT-2's initialization and dropout 0; `None` of another
    /// architecture.
    pub fn config(self) -> Option<Gpt2Config> {
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
            Preset::Gpt2 => Some(sized(12, 768, 12, 1024, 50257)),
            Preset::Mini => Some(sized(6, 384, 6, 256, 8192)),
            Preset::Tiny => Some(sized(4, 192, 4, 256, 4096)),
            Preset::Smollm2 | Preset::EncoderTiny | Preset::EncoderDecoderTiny => None,
        }
    }

    /// The names of all.
    pub fn names() -> Vec<String> {
        let presets = <Preset as clap::ValueEnum>::value_variants().iter();
        presets
            .filter_map(clap::ValueEnum::to_possible_value)
            .map(|v| v.get_name().into())
            .collect()
    }

    /// Tokens of its vocabulary, unless the options say something else.
    pub fn vocab_size(self) -> usize {
        match (self.config(), self) {
            (Some(config), _) => config.vocab_size,
            (None, Preset::Smollm2) => 49152,
            (None, _) => 4096,
        }
    }

    /// Whether it reads a text as a whole, so that the tokenizer marks where it ends.
    pub fn reads_whole_texts(self) -> bool {
        matches!(self, Preset::EncoderTiny | Preset::EncoderDecoderTiny)
    }

    /// The model from random weights, with the architecture's own initialization.
    ///
    /// # Errors
    /// If the sizes do not make a model, or the architecture has no classifier.
    pub fn model(self, sizes: &Sizes, dropout: Float, rng: &mut Rng) -> Result<Model, Error> {
        let mut model = match self.config() {
            Some(preset) => Model::Gpt2(Gpt2::new(gpt2(preset, sizes), rng)?),
            None if self == Preset::Smollm2 => Model::Llama(Llama::new(llama(self, sizes), rng)?),
            None if self == Preset::EncoderTiny => Model::Bert(Bert::new(bert(self, sizes), rng)?),
            None => Model::T5(T5::new(t5(self, sizes)?, rng)?),
        };
        model.set_dropout(dropout)?;
        Ok(model)
    }
}

impl Sizes {
    fn vocab_size(&self, preset: Preset) -> usize {
        self.vocab_size.unwrap_or(preset.vocab_size())
    }

    /// Of a classifier where there are labels, else of a model that scores tokens.
    fn head(&self) -> HeadConfig {
        let kind = match self.labels.is_empty() {
            true => HeadKind::LanguageModel,
            false => HeadKind::Classification,
        };
        HeadConfig { kind, labels: self.labels.clone(), ..HeadConfig::default() }
    }
}

fn gpt2(preset: Gpt2Config, sizes: &Sizes) -> Gpt2Config {
    Gpt2Config {
        n_layers: sizes.n_layers.unwrap_or(preset.n_layers),
        d_model: sizes.d_model.unwrap_or(preset.d_model),
        n_heads: sizes.n_heads.unwrap_or(preset.n_heads),
        vocab_size: sizes.vocab_size.unwrap_or(preset.vocab_size),
        eos_token_id: sizes.end,
        head: sizes.head(),
        ..preset
    }
}

fn bert(preset: Preset, sizes: &Sizes) -> BertConfig {
    let d_model = sizes.d_model.unwrap_or(192);
    BertConfig {
        vocab_size: sizes.vocab_size(preset),
        max_seq_len: 256,
        n_segments: 1,
        n_layers: sizes.n_layers.unwrap_or(4),
        d_model,
        n_heads: sizes.n_heads.unwrap_or(4),
        d_ff: d_model.saturating_mul(4),
        pad_token_id: None,
        head: sizes.head(),
        ..BertConfig::default()
    }
}

/// SmolLM2-135M: its sizes are those of its `config.json`, its context shorter.
fn llama(preset: Preset, sizes: &Sizes) -> LlamaConfig {
    let n_heads = sizes.n_heads.unwrap_or(9);
    let d_model = sizes.d_model.unwrap_or(576);
    LlamaConfig {
        vocab_size: sizes.vocab_size(preset),
        max_seq_len: 2048,
        d_model,
        d_ff: d_model.saturating_mul(8) / 3,
        n_layers: sizes.n_layers.unwrap_or(30),
        n_heads,
        n_kv_heads: Some(if n_heads.is_multiple_of(3) { n_heads / 3 } else { n_heads }),
        eps: 1e-5,
        tie_word_embeddings: true,
        initializer_range: 1.0 / (d_model as Float).sqrt(),
        eos_token_id: sizes.end.into_iter().collect(),
        rope: Rope { base: 100_000.0, ..Rope::default() },
        head: sizes.head(),
        ..LlamaConfig::default()
    }
}

fn t5(preset: Preset, sizes: &Sizes) -> Result<T5Config, Error> {
    if !sizes.labels.is_empty() {
        let text = "encoder-decoder-tiny writes texts; for --task classify take encoder-tiny";
        return Err(Error::Usage(text.into()));
    }
    let (d_model, n_heads) = (sizes.d_model.unwrap_or(192), sizes.n_heads.unwrap_or(4));
    Ok(T5Config {
        vocab_size: sizes.vocab_size(preset),
        d_model,
        d_k: d_model / n_heads.max(1),
        d_ff: d_model.saturating_mul(4),
        n_layers: sizes.n_layers.unwrap_or(2),
        n_heads,
        start_token: Some(sizes.end.unwrap_or(0)),
        eos_token_id: sizes.end.into_iter().collect(),
        pad_token_id: sizes.end,
        ..T5Config::default()
    })
}

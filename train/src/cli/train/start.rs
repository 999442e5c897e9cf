//! What a run starts from: a model, its tokenizer and end token.

use super::Arguments;
use super::data::Data;
use crate::cli::model::{Loaded, check_vocabulary};
use crate::data::Task;
use crate::preset::Sizes;
use crate::settings::stream;
use crate::{Error, Preset};
use std::path::{Path, PathBuf};
use tensor::Rng;
use transformer::{END_OF_TEXT, Model, Module, Tokenizer};

/// The model to start from, its tokenizer and end token.
pub struct Start {
    /// The model.
    pub model: Model,
    /// Its tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// What ends a text.
    pub end: Option<u32>,
    /// The model that its adapters are for, if it has some.
    pub base: Option<PathBuf>,
}

impl Start {
    /// What texts become ids with, and what ends them.
    pub fn tokenizer_and_end(&self) -> Option<(&Tokenizer, u32)> {
        self.tokenizer.as_ref().zip(self.end)
    }

    /// # Errors
    /// If the tokenizer has more tokens than the model, or the model does not learn the task.
    fn check(&self, task: Task, name: &str, data: &Data) -> Result<(), Error> {
        if let Some(tokenizer) = &self.tokenizer {
            check_vocabulary(tokenizer, self.model.vocab_size())?;
        }
        let has_text = data.examples().iter().any(|example| example.ids.is_none());
        let writes = !matches!(task, Task::Classify | Task::MaskedLanguageModel);
        if self.tokenizer.is_some() && self.end.is_none() && has_text && writes {
            return Err(Error::settings(format!(
                "{name}: neither the model's configuration nor the tokenizer ({END_OF_TEXT}) names an \
                 end token, which follows each text; set eos_token_id in config.json"
            )));
        }
        let kind = self.model.model_type();
        match task {
            Task::Classify => Ok(()),
            Task::MaskedLanguageModel if self.model.is_encoder() => Ok(()),
            Task::MaskedLanguageModel => Err(Error::settings(format!(
                "{name}: is a {kind}, which fills in no hidden tokens; take encoder-tiny, or a folder \
                 of bert, roberta or distilbert"
            ))),
            _ if !self.model.is_language_model() => Err(Error::settings(format!(
                "{name}: is a {kind} without a head that scores the next token"
            ))),
            Task::LanguageModel if self.model.is_encoder_decoder() => {
                Err(Error::settings(format!(
                    "{name}: is a {kind}, which answers one text with another; take --task seq2seq"
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Arguments {
    /// The model to start from, its tokenizer and end token. A tokenizer that was trained on the data
    /// stands in the run's `checkpoint`, if there is one.
    ///
    /// # Errors
    /// If a file is missing or broken, or the model does not learn the task.
    pub fn start(&self, data: &Data, checkpoint: Option<&Path>, seed: u64) -> Result<Start, Error> {
        let rng = &mut Rng::derived(seed, &[stream::WEIGHTS]);
        let mut start = match self.preset() {
            Some(preset) => self.start_preset(preset, data, checkpoint, rng)?,
            None => self.start_pretrained(data, rng)?,
        };
        start.check(self.task(), self.model(), data)?;
        if let (Task::Classify, [only]) = (self.task(), start.model.labels()) {
            return Err(Error::settings(format!(
                "{}: every row has the label {only:?}; a classifier needs two or more",
                data.path.display()
            )));
        }
        if let Some(config) = &self.lora {
            if self.preset().is_some() {
                return Err(Error::Usage(
                    "--lora is for a pretrained model; a preset's random weights are trained whole"
                        .into(),
                ));
            }
            self.refuse_masked_adapters()?;
            start.model.attach_adapters(config, &mut Rng::derived(seed, &[stream::ADAPTERS]))?;
            start.base = Some(self.model().into());
        } else if start.base.is_some() {
            self.refuse_masked_adapters()?;
        } else if is_quantized(&start.model) {
            return Err(Error::settings(format!(
                "{}: its matrices lie quantized and are not trained; add --lora r=8, or convert \
                 it: attendant convert --dtype f32",
                self.model()
            )));
        }
        Ok(start)
    }

    /// # Errors
    /// If tokens are to be filled in: adapters leave the head as it was drawn.
    fn refuse_masked_adapters(&self) -> Result<(), Error> {
        match self.task() {
            Task::MaskedLanguageModel => Err(Error::Usage(
                "--task masked-language-model trains a whole encoder; leave out --lora, and merge \
                 adapters into their model first: attendant convert"
                    .into(),
            )),
            _ => Ok(()),
        }
    }

    fn start_pretrained(&self, data: &Data, rng: &mut Rng) -> Result<Start, Error> {
        let source = Path::new(self.model());
        if !source.exists() && !self.model().starts_with("hf:") {
            return Err(Error::settings(format!(
                "{}: neither a preset ({}) nor a folder or file",
                self.model(),
                Preset::names().join(", ")
            )));
        }
        let loaded = match self.task() {
            Task::Classify => Loaded::classifier(source, &data.labels(), rng)?,
            Task::MaskedLanguageModel => Loaded::masked_language_model(source, rng)?,
            _ => Loaded::open(source)?,
        };
        let end = loaded.end_tokens().first().copied();
        let base = loaded.base().map(Path::to_path_buf);
        let Loaded { mut model, tokenizer, .. } = loaded;
        model.set_dropout(self.dropout)?;
        Ok(Start { model, tokenizer, end, base })
    }

    fn start_preset(
        &self,
        preset: Preset,
        data: &Data,
        checkpoint: Option<&Path>,
        rng: &mut Rng,
    ) -> Result<Start, Error> {
        let tokenizer = self.preset_tokenizer(preset, data, checkpoint)?;
        let end = tokenizer.as_ref().and_then(Tokenizer::end_of_text);
        let labels = match self.task() {
            Task::Classify => data.labels(),
            _ => Vec::new(),
        };
        let sizes = Sizes {
            n_layers: self.n_layers,
            d_model: self.d_model,
            n_heads: self.n_heads,
            vocab_size: tokenizer.as_ref().map(Tokenizer::vocab_size).or(self.vocab_size),
            end,
            labels,
        };
        let model = preset.model(&sizes, self.dropout, rng)?;
        Ok(Start { model, tokenizer, end, base: None })
    }
}

/// Whether a weight lies quantized.
pub fn is_quantized(model: &Model) -> bool {
    let formats = model.parameters().into_iter();
    let mut formats = formats.filter_map(|(_, parameter)| parameter.value().packed_format());
    formats.any(|format| format.block_len() > 1)
}

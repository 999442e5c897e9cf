//! A model of whatever architecture its files name.

mod classifier;
mod masked;
mod outputs;
mod saliency;

pub use outputs::{Input, Outputs};
pub use saliency::Saliency;

use super::bert::Variant;
use super::head::Problem;
use super::{Bert, DecoderOnly, Gpt2, HeadKind, Llama, T5};
use crate::lora::{self, LoraConfig};
use crate::module::{Parts, PartsMut};
use crate::pretrained::{Checkpoint, GgufOptions, Layout, Pretrained, Report, save_gguf};
use crate::{Error, Module, sentence_embedding};
use autograd::{Parameter, Var};
use outputs::{decoder_outputs, encoder_decoder_outputs, encoder_outputs};
use std::path::Path;
use tensor::packed::Format;
use tensor::{Float, Rng};

/// A pretrained model, whatever its architecture.
///
/// What only some can do is an error of the others.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a program holds one or two
pub enum Model {
    /// BERT, RoBERTa, DistilBERT.
    Bert(Bert),
    /// GPT-2.
    Gpt2(Gpt2),
    /// Llama, Qwen2, Qwen3.
    Llama(Llama),
    /// T5.
    T5(T5),
}

/// The same for whichever model it is.
macro_rules! each {
    ($self:expr, $model:ident => $value:expr) => {
        match $self {
            Model::Bert($model) => $value,
            Model::Gpt2($model) => $value,
            Model::Llama($model) => $value,
            Model::T5($model) => $value,
        }
    };
}

impl Model {
    /// Loads a model of the architecture that its files name: see [`Pretrained::from_pretrained`].
    ///
    /// # Errors
    /// As [`Pretrained::from_pretrained`], and if the architecture is not supported.
    pub fn from_pretrained(source: impl AsRef<Path>) -> Result<Model, Error> {
        Ok(Model::from_checkpoint(Checkpoint::open(source.as_ref())?)?.0)
    }

    /// The model of a checkpoint, and what of it found no use.
    ///
    /// # Errors
    /// As [`Model::from_pretrained`].
    pub fn from_checkpoint(checkpoint: Checkpoint) -> Result<(Model, Report), Error> {
        fn of<M: Pretrained>(
            checkpoint: Checkpoint,
            wrap: impl FnOnce(M) -> Model,
        ) -> Result<(Model, Report), Error> {
            let (model, report) = M::from_checkpoint(checkpoint)?;
            Ok((wrap(model), report))
        }
        match checkpoint.config.text("model_type") {
            Some("bert" | "roberta" | "distilbert") => of(checkpoint, Model::Bert),
            Some("gpt2") => of(checkpoint, Model::Gpt2),
            Some("llama" | "qwen2" | "qwen3") => of(checkpoint, Model::Llama),
            Some("t5") => of(checkpoint, Model::T5),
            found => Err(checkpoint.config.wrong(format!(
                "model_type {}; bert, roberta, distilbert, gpt2, llama, qwen2, qwen3 and t5 are \
                 supported",
                found.map_or("is missing".into(), |name| format!("\"{name}\" is not supported"))
            ))),
        }
    }

    /// Sets all dropout probabilities; of Llama and its descendants that of attention weights, which
    /// is the one they have.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        each!(self, model => model.set_dropout(p))
    }

    /// Puts adapters on it and freezes all else: see [`lora::attach`].
    ///
    /// # Errors
    /// As [`lora::attach`].
    pub fn attach_adapters(&mut self, config: &LoraConfig, rng: &mut Rng) -> Result<(), Error> {
        lora::attach(self, &self.layout(), config, rng)
    }

    /// Saves its adapters alone, in PEFT's layout: see [`lora::save_adapter`].
    ///
    /// # Errors
    /// As [`lora::save_adapter`].
    pub fn save_adapter(&self, folder: &Path, base: &Path) -> Result<(), Error> {
        each!(self, model => lora::save_adapter(model, folder, base))
    }

    /// Whether it has adapters.
    pub fn has_adapters(&self) -> bool {
        lora::adapters(self).next().is_some()
    }

    /// Saves it: see [`Pretrained::save`].
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        each!(self, model => model.save(folder))
    }

    /// Saves a language model as a GGUF file: see [`save_gguf`].
    ///
    /// # Errors
    /// As [`save_gguf`].
    pub fn save_gguf(&self, path: &Path, options: &GgufOptions) -> Result<(), Error> {
        each!(self, model => save_gguf(model, path, options))
    }

    /// Saves it with numbers of two bytes: see [`Pretrained::save_as`].
    ///
    /// # Errors
    /// As [`Pretrained::save_as`].
    pub fn save_as(&self, folder: &Path, format: Format) -> Result<(), Error> {
        each!(self, model => model.save_as(folder, format))
    }

    /// Its `model_type` in `config.json`.
    pub fn model_type(&self) -> &'static str {
        match self {
            Model::Bert(model) => match model.config.variant {
                Variant::Bert => "bert",
                Variant::Roberta => "roberta",
                Variant::DistilBert => "distilbert",
            },
            Model::Gpt2(model) => model.name(),
            Model::Llama(model) => model.name(),
            Model::T5(_) => "t5",
        }
    }

    /// What it is read for.
    pub fn head_kind(&self) -> HeadKind {
        each!(self, model => model.config.head.kind)
    }

    /// Whether it scores the next token of what it writes.
    pub fn is_language_model(&self) -> bool {
        match self {
            Model::Bert(_) => false,
            Model::Gpt2(model) => model.head.is_language_model(),
            Model::Llama(model) => model.head.is_language_model(),
            Model::T5(model) => model.config.head.kind == HeadKind::LanguageModel,
        }
    }

    /// The names of the classes of a classifier.
    pub fn labels(&self) -> &[String] {
        each!(self, model => &model.config.head.labels)
    }

    /// What a classifier's scores are.
    pub fn problem(&self) -> Problem {
        each!(self, model => model.config.head.problem)
    }

    /// Tokens of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        each!(self, model => model.config.vocab_size)
    }

    /// The longest sequence, in tokens, if there is such a bound.
    pub fn max_seq_len(&self) -> Option<usize> {
        match self {
            Model::Bert(model) => Some(model.config.longest_text()),
            Model::Gpt2(model) => Some(model.config.max_seq_len),
            Model::Llama(model) => Some(model.config.max_seq_len),
            Model::T5(_) => None,
        }
    }

    /// The tokens that end a text, as the configuration names them.
    pub fn end_tokens(&self) -> Vec<u32> {
        match self {
            Model::Bert(_) => Vec::new(),
            Model::Gpt2(model) => DecoderOnly::end_tokens(model),
            Model::Llama(model) => DecoderOnly::end_tokens(model),
            Model::T5(model) => model.config.eos_token_id.clone(),
        }
    }

    /// All that the model says of an input.
    ///
    /// # Errors
    /// If it does not take such an input, or the text is longer than its context.
    pub fn outputs(&self, input: &Input) -> Result<Outputs, Error> {
        self.check(input)?;
        match self {
            Model::Bert(model) => encoder_outputs(model, self.model_type(), input),
            Model::Gpt2(model) => decoder_outputs(model, self.head_kind(), input),
            Model::Llama(model) => decoder_outputs(model, self.head_kind(), input),
            Model::T5(model) => encoder_decoder_outputs(model, input),
        }
    }

    /// A vector of length 1 for each text, `[batch_size, d_model]`: see [`sentence_embedding`].
    ///
    /// # Errors
    /// As [`Model::outputs`].
    pub fn embed(&self, input: &Input) -> Result<Var, Error> {
        if let Model::T5(model) = self {
            let states = model.encode(&input.text, None).states;
            return Ok(sentence_embedding(&states, &input.text));
        }
        match self.outputs(input)?.last_hidden_state {
            Some(states) => Ok(sentence_embedding(&states, &input.text)),
            None => Err(Error::Request(format!(
                "{} gives no state of what it reads; take an encoder or a decoder",
                self.model_type()
            ))),
        }
    }

    /// Whether it reads in both directions and writes nothing.
    pub fn is_encoder(&self) -> bool {
        matches!(self, Model::Bert(_))
    }

    /// How many kinds of segments it tells apart, if it does.
    pub fn segments(&self) -> Option<usize> {
        match self {
            Model::Bert(model) => Some(model.config.n_segments),
            _ => None,
        }
    }

    fn check(&self, input: &Input) -> Result<(), Error> {
        let seq_len = input.text.tokens.shape()[1];
        match self.max_seq_len().filter(|&most| seq_len > most) {
            Some(most) => Err(Error::Request(format!(
                "the text has {seq_len} tokens, the model's context holds {most}; shorten it"
            ))),
            None => Ok(()),
        }
    }

    /// # Errors
    /// If it is a model that writes nothing.
    pub(crate) fn check_writes(&self) -> Result<(), Error> {
        let writes = match self {
            Model::Gpt2(model) => model.head.is_language_model(),
            Model::Llama(model) => model.head.is_language_model(),
            Model::T5(model) => model.config.head.kind == HeadKind::LanguageModel,
            Model::Bert(_) => false,
        };
        match writes {
            true => Ok(()),
            false => Err(Error::Request(format!(
                "this {} has no head that scores the next token; it writes nothing",
                self.model_type()
            ))),
        }
    }

    /// An error that says that weights are broken, with the name of one that is.
    pub(crate) fn blamed(&self, error: Error) -> Error {
        if let Error::Request(text) = &error
            && text.ends_with("its weights are broken")
            && let Some(name) = self.broken_weight()
        {
            return Error::Request(format!("{text}: {name} holds NaN or infinity"));
        }
        error
    }
}

impl Module for Model {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        each!(self, model => model.collect(path, found));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        each!(self, model => model.collect_mut(path, found));
    }
}

impl Model {
    /// How its parameters are named in Hugging Face's files.
    pub fn layout(&self) -> Layout {
        each!(self, model => model.layout())
    }

    /// Whether it reads one text and writes another.
    pub fn is_encoder_decoder(&self) -> bool {
        match self {
            Model::Bert(_) | Model::Gpt2(_) | Model::Llama(_) => false,
            Model::T5(_) => true,
        }
    }

    /// The name of each parameter in Hugging Face's files, in the order of [`Module::parameters`].
    pub fn hugging_face_names(&self) -> Vec<String> {
        let layout = self.layout();
        let name = |(ours, _): (String, &Parameter)| layout.in_file(&ours).map(|named| named.name);
        self.parameters().into_iter().filter_map(name).collect()
    }

    /// The first parameter, by its name in Hugging Face's files, that holds a number which is not
    /// finite.
    pub fn broken_weight(&self) -> Option<String> {
        let finite = |parameter: &Parameter| parameter.value().sum().item().is_finite();
        let broken = self.parameters().iter().position(|(_, parameter)| !finite(parameter))?;
        self.hugging_face_names().into_iter().nth(broken)
    }
}

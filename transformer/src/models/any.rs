//! A model of whatever architecture its files name.

use super::bert::Variant;
use super::head::{HeadConfig, Problem, family};
use super::{Bert, DecoderOnly, Gpt2, HeadKind, Llama, T5};
use crate::lora::{self, LoraConfig};
use crate::module::{Parts, PartsMut};
use crate::pretrained::{Checkpoint, GgufOptions, Layout, Pretrained, Report, save_gguf};
use crate::{Error, Module, Padded, Trace, sentence_embedding};
use autograd::{Parameter, Var};
use std::path::Path;
use tensor::packed::Format;
use tensor::{Float, Rng, Tokens};

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

/// What a model reads.
#[derive(Clone, Debug)]
pub struct Input {
    /// The tokens, padded on either side.
    pub text: Padded,
    /// BERT's segments, of the tokens' shape; all 0 where absent.
    pub token_types: Option<Tokens>,
    /// What an encoder–decoder has written so far, `[batch_size, target_len]`.
    pub target: Option<Tokens>,
}

/// What a model says of what it reads.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// Scores: of tokens `[batch_size, seq_len, vocab_size]`, of classes `[batch_size, n_labels]`, of
    /// the answer's first and last token `[batch_size, seq_len, 2]`.
    pub logits: Option<Var>,
    /// The output of the last block or normalization, `[batch_size, seq_len, d_model]`.
    pub last_hidden_state: Option<Var>,
    /// BERT's summary of the text, `[batch_size, d_model]`.
    pub pooler_output: Option<Var>,
    /// Hidden states and attention weights; of an encoder–decoder, the decoder's.
    pub trace: Trace,
    /// The encoder's of an encoder–decoder.
    pub encoder_trace: Option<Trace>,
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

    /// The model of a checkpoint as a classifier of these labels. A head for other labels, or for
    /// something else, is left behind, and a fresh one is drawn: see [`Pretrained::with_fresh_head`].
    ///
    /// # Errors
    /// As [`Model::from_pretrained`], and if the architecture has no classifier.
    pub fn classifier(
        mut checkpoint: Checkpoint,
        labels: &[String],
        rng: &mut Rng,
    ) -> Result<(Model, Report), Error> {
        let family = family(&checkpoint.config).ok_or_else(|| {
            checkpoint.config.wrong(
                "a classifier is made of bert, roberta, distilbert, gpt2, llama, qwen2 and qwen3",
            )
        })?;
        let before = HeadConfig::of(&checkpoint.config, family, HeadKind::Hidden)?;
        let kind = HeadKind::Classification;
        let wanted = HeadConfig { kind, labels: labels.to_vec(), problem: Problem::OneClass };
        if before != wanted {
            let of_head =
                |name: &str| name.starts_with("classifier.") || name.starts_with("score.");
            checkpoint.tensors.retain(|name, _| !of_head(name));
        }
        checkpoint.config.values.remove("num_labels");
        checkpoint.config.values.extend(wanted.to_json(family, ""));
        fn of<M: Pretrained>(
            (checkpoint, rng): (Checkpoint, &mut Rng),
            wrap: impl FnOnce(M) -> Model,
        ) -> Result<(Model, Report), Error> {
            let (model, report) = M::with_fresh_head(checkpoint, rng)?;
            Ok((wrap(model), report))
        }
        match family {
            "GPT2" => of((checkpoint, rng), Model::Gpt2),
            "Llama" | "Qwen2" | "Qwen3" => of((checkpoint, rng), Model::Llama),
            _ => of((checkpoint, rng), Model::Bert),
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

fn decoder_outputs(
    model: &impl DecoderOnly,
    kind: HeadKind,
    input: &Input,
) -> Result<Outputs, Error> {
    if input.token_types.is_some() || input.target.is_some() {
        return Err(Error::Request(format!(
            "{} takes neither token types nor decoder ids",
            model.name()
        )));
    }
    let mut trace = Trace::default();
    let hidden = model.hidden_padded(&input.text, Some(&mut trace));
    let logits = match kind {
        HeadKind::Hidden => None,
        HeadKind::Classification => Some(model.logits(&input.text.last_tokens(&hidden))),
        HeadKind::LanguageModel | HeadKind::Span => Some(model.logits(&hidden)),
    };
    Ok(Outputs { logits, last_hidden_state: Some(hidden), trace, ..Outputs::default() })
}

fn encoder_outputs(model: &Bert, name: &str, input: &Input) -> Result<Outputs, Error> {
    if input.target.is_some() {
        return Err(Error::Request(format!("{name} takes no decoder ids")));
    }
    let segments = input.token_types.as_ref();
    let wanted = (input.text.tokens.shape(), model.config.n_segments);
    if let Some(segments) = segments.filter(|found| (found.shape(), found.vocab_size()) != wanted) {
        return Err(Error::Request(format!(
            "token types are {:?} of {} kinds where {name} takes {:?} of {}",
            segments.shape(),
            segments.vocab_size(),
            wanted.0,
            wanted.1
        )));
    }
    let mut trace = Trace::default();
    let hidden = model.hidden(&input.text, segments, Some(&mut trace));
    let logits = (model.config.head.kind != HeadKind::Hidden).then(|| model.scores(&hidden));
    let pooler_output = model.pooled(&hidden);
    Ok(Outputs {
        logits,
        pooler_output,
        last_hidden_state: Some(hidden),
        trace,
        ..Outputs::default()
    })
}

fn encoder_decoder_outputs(model: &T5, input: &Input) -> Result<Outputs, Error> {
    if input.token_types.is_some() {
        return Err(Error::Request("t5 takes no token types".into()));
    }
    let target = match &input.target {
        Some(target) if target.shape().first() == input.text.tokens.shape().first() => target,
        Some(target) => {
            return Err(Error::Request(format!(
                "decoder ids are {:?} where the encoder's are {:?}; give as many rows",
                target.shape(),
                input.text.tokens.shape()
            )));
        }
        None => {
            let text = "t5 writes while it reads: give decoder ids, the start token first";
            return Err(Error::Request(text.into()));
        }
    };
    let [mut encoder, mut decoder] = [Trace::default(), Trace::default()];
    let memory = model.encode(&input.text, Some(&mut encoder));
    let hidden = model.decode(target, &memory, Some(&mut decoder));
    let has_head = model.config.head.kind == HeadKind::LanguageModel;
    Ok(Outputs {
        logits: has_head.then(|| model.logits(&hidden)),
        last_hidden_state: Some(hidden),
        trace: decoder,
        encoder_trace: Some(encoder),
        ..Outputs::default()
    })
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

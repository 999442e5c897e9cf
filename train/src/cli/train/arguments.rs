//! The options of `attendant train`.

use super::tokenizer::Source;
use crate::data::Task;
use crate::masking;
use crate::optimizer::{Kind, Numbers, Schedule};
use crate::run::Plan;
use crate::training::Settings;
use crate::{Error, Preset};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use tensor::{Float, Precision};
use transformer::lora::LoraConfig;

/// Train a model, from random weights or from a folder.
#[derive(Args)]
#[command(
    after_help = "Presets, from random weights with their architecture's initialization:\n  \
    gpt2                  GPT-2, 12 layers × 768, 12 heads, context 1024, vocabulary 50257\n  \
    mini                  GPT-2, 6 layers × 384, 6 heads, context 256, vocabulary 8192\n  \
    tiny                  GPT-2, 4 layers × 192, 4 heads, context 256, vocabulary 4096\n  \
    smollm2               Llama, 30 layers × 576, 9 heads (3 of keys and values), context 2048, \
    vocabulary 49152\n  \
    encoder-tiny          BERT, 4 layers × 192, 4 heads, context 256, vocabulary 4096\n  \
    encoder-decoder-tiny  T5, 2 + 2 layers × 192, 4 heads, vocabulary 4096\n\n\
    Example:\n  attendant train --task describe --model tiny --vocab-size 2048 \
    --data products.jsonl --valid valid.jsonl --steps 500 --batch-size 32 --lr 1e-3 \
    --warmup 50 --output run\n\n\
    Data larger than memory:\n  attendant train --prepare ids.safetensors --data rows.jsonl \
    --tokenizer tokenizer.json\n  attendant train --task language-model --data ids.safetensors \
    --model mini --tokenizer tokenizer.json --output run\n\n\
    Go on with a run that was ended; repeat one:\n  attendant train --config run/run.toml --resume\n  \
    attendant train --config run/run.toml --output again"
)]
pub struct Arguments {
    /// What is learned
    #[arg(long, value_enum, required_unless_present = "prepare")]
    pub task: Option<Task>,
    /// The rows: JSON Lines, CSV or plain text; or a token file that --prepare wrote
    #[arg(long)]
    pub data: PathBuf,
    /// Train nothing: write the rows of a language model as a token file, FILE.safetensors, which
    /// --data takes in their place without loading it
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["output", "valid", "steps", "epochs", "seq_len"])]
    pub prepare: Option<PathBuf>,
    /// Rows to measure the loss on, at the end and as --evaluate-every says
    #[arg(long)]
    pub valid: Option<PathBuf>,
    /// A preset, a folder with config.json and model.safetensors, a GGUF file, or hf:ORG/NAME
    #[arg(long, required_unless_present = "prepare")]
    model: Option<String>,
    /// Where to write the model, metrics.jsonl and report.html: a new or empty folder
    #[arg(long, required_unless_present = "prepare")]
    output: Option<PathBuf>,
    /// The tokenizer of a preset: bpe, byte pairs trained on the data; characters, those that the data
    /// holds twice or more; or the path of a tokenizer.json [default: bpe]
    #[arg(long)]
    pub tokenizer: Option<Source>,
    /// Tokens of a preset's vocabulary; of one that is made of the data, at most
    #[arg(long)]
    pub vocab_size: Option<usize>,
    /// Blocks of a preset
    #[arg(long)]
    pub n_layers: Option<usize>,
    /// Width of a preset
    #[arg(long)]
    pub d_model: Option<usize>,
    /// Attention heads of a preset
    #[arg(long)]
    pub n_heads: Option<usize>,
    /// Dropout everywhere
    #[arg(long, default_value_t = 0.0)]
    pub dropout: Float,
    /// Leave out each token of a text with probability P while its label is learned, each time others
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub word_dropout: f64,
    /// Hide this share of the tokens of --task masked-language-model
    #[arg(long, value_name = "P", default_value_t = masking::SHARE)]
    pub mask_share: f64,
    /// Tokens of a language-model block, or the longest row of another task [default: the context]
    #[arg(long)]
    pub seq_len: Option<usize>,
    /// Steps to take [default: one epoch]
    #[arg(long)]
    steps: Option<usize>,
    /// Times to go through the rows
    #[arg(long, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Rows of one micro-batch
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Micro-batches of one step
    #[arg(long, default_value_t = 1)]
    accumulate: usize,
    /// The highest learning rate
    #[arg(long, default_value_t = 5e-4)]
    lr: f64,
    /// Steps over which the learning rate rises [default: 0; of one-cycle 3/10 of all]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    warmup: usize,
    /// How the learning rate goes on
    #[arg(long, value_enum, default_value = "cosine")]
    schedule: Schedule,
    /// What turns gradients into new weights
    #[arg(long, value_enum, default_value = "adamw")]
    optimizer: Kind,
    /// Momentum of sgd and muon [default: 0 for sgd, 0.95 for muon]
    #[arg(long)]
    momentum: Option<f64>,
    /// Let sgd look ahead along its momentum
    #[arg(long)]
    nesterov: bool,
    /// Decay of matrices
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
    /// First decay rate of adam, adamw, lion and muon [default: 0.9]
    #[arg(long)]
    beta1: Option<f64>,
    /// Second decay rate of adam, adamw, lion and muon [default: 0.999, of lion 0.99, of muon 0.95]
    #[arg(long)]
    beta2: Option<f64>,
    /// Epsilon of adam, adamw and muon [default: 1e-8, of muon 1e-10]
    #[arg(long)]
    eps: Option<f64>,
    /// The largest global norm of the gradients [default: no clipping]
    #[arg(long)]
    clip: Option<f64>,
    /// What the learning rate is multiplied with from each block to the one below it
    #[arg(long, value_name = "FACTOR")]
    layer_decay: Option<f64>,
    /// Train no parameter under this name, e.g. token_embedding or blocks.0; repeat for several
    #[arg(long, value_name = "NAME")]
    freeze: Vec<String>,
    /// Keep an average of the weights over the steps with this decay: it is measured and saved
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// Precision of the factors of matrix products
    #[arg(long, value_parser = precisions(), default_value = "f32")]
    precision: Precision,
    /// Compute each block again in the backward pass rather than keep what it computed: less memory,
    /// more time; auto is on where the weights lie quantized
    #[arg(long, value_enum, default_value = "auto")]
    recompute: Recompute,
    /// Freeze the model and train low-rank adapters on it, e.g. r=8,alpha=16,targets=q_proj+v_proj;
    /// also dropout=P, rslora=true; without targets all maps but the head's
    #[arg(long, value_name = "r=R,…")]
    pub lora: Option<LoraConfig>,
    /// Take the rows in the file's order
    #[arg(long)]
    no_shuffle: bool,
    /// Cut rows longer than --seq-len rather than leave them out
    #[arg(long)]
    pub cut: bool,
    /// Measure the loss on --valid each N steps
    #[arg(long, value_name = "N", requires = "valid")]
    pub evaluate_every: Option<usize>,
    /// Stop when N measurements on --valid brought nothing better; implies --best
    #[arg(long, value_name = "N", requires = "evaluate_every")]
    pub patience: Option<usize>,
    /// Leave in OUTPUT the model of the lowest loss on --valid, not the last
    #[arg(long, requires = "evaluate_every")]
    pub best: bool,
    /// Write a checkpoint each N steps [default: each 10 minutes]
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<usize>,
    /// Checkpoints that are kept
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub keep: usize,
    /// Go on from the last whole checkpoint in OUTPUT
    #[arg(long)]
    pub resume: bool,
    /// A file of options, such as a run's own OUTPUT/run.toml: lr = 1e-3, no-shuffle = true; what
    /// the command line says goes before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// When blocks are computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Recompute {
    Auto,
    On,
    Off,
}

fn precisions() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(["f32", "bf16"]).try_map(|name| name.parse::<Precision>())
}

impl Arguments {
    pub fn settings(&self, rows: usize, seed: u64) -> Settings {
        let mut settings = Settings {
            steps: 0,
            batch_size: self.batch_size,
            accumulate: self.accumulate,
            lr: self.lr,
            warmup: self.warmup,
            schedule: self.schedule,
            optimizer: self.optimizer,
            numbers: Numbers {
                momentum: self.momentum,
                nesterov: self.nesterov,
                beta1: self.beta1,
                beta2: self.beta2,
                eps: self.eps,
            },
            weight_decay: self.weight_decay,
            clip: self.clip,
            layer_decay: self.layer_decay,
            freeze: self.freeze.clone(),
            average: self.ema,
            precision: self.precision,
            recompute: self.recompute == Recompute::On,
            shuffle: !self.no_shuffle,
            seed,
        };
        let per_epoch = rows.div_ceil(settings.rows_per_step().max(1));
        settings.steps =
            self.steps.unwrap_or_else(|| self.epochs.unwrap_or(1).saturating_mul(per_epoch));
        settings
    }

    /// The model as it was named; empty where --prepare does without.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// The folder to write; empty where --prepare does without.
    pub fn output(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new(""))
    }

    /// What is done around the steps.
    pub fn plan(&self) -> Plan {
        Plan {
            output: self.output().into(),
            options: String::new(),
            evaluate_every: self.evaluate_every,
            patience: self.patience,
            leaves_best: self.best || self.patience.is_some(),
            checkpoint_every: self.checkpoint_every,
            keep: self.keep,
            how_to_resume: how_to_resume(self.output()),
            task: self.task().name(),
        }
    }

    /// Whether blocks are computed again where the weights lie quantized.
    pub fn recomputes_itself(&self) -> bool {
        self.recompute == Recompute::Auto
    }

    /// What is learned; a language model where --prepare does without.
    pub fn task(&self) -> Task {
        self.task.unwrap_or(Task::LanguageModel)
    }

    pub fn preset(&self) -> Option<Preset> {
        <Preset as clap::ValueEnum>::from_str(self.model(), false).ok()
    }

    /// Options that only make sense together.
    pub fn check(&self) -> Result<(), Error> {
        if self.epochs == Some(0) {
            return Err(Error::Usage("--epochs is 0; it must be at least 1".into()));
        }
        if self.seq_len == Some(0) {
            return Err(Error::Usage("--seq-len is 0; it must be at least 1".into()));
        }
        for (option, value) in [
            ("--evaluate-every", self.evaluate_every),
            ("--patience", self.patience),
            ("--checkpoint-every", self.checkpoint_every),
            ("--keep", Some(self.keep)),
        ] {
            if value == Some(0) {
                return Err(Error::Usage(format!("{option} is 0; it must be at least 1")));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Usage(format!(
                "--dropout is {}; it must be in [0, 1)",
                self.dropout
            )));
        }
        if !(0.0..1.0).contains(&self.word_dropout) {
            let share = self.word_dropout;
            return Err(Error::Usage(format!("--word-dropout is {share}; it must be in [0, 1)")));
        }
        if self.word_dropout > 0.0 && self.task() != Task::Classify {
            let text = "--word-dropout is for --task classify; leave it out";
            return Err(Error::Usage(text.into()));
        }
        if !(self.mask_share > 0.0 && self.mask_share < 1.0) {
            let share = self.mask_share;
            return Err(Error::Usage(format!("--mask-share is {share}; it must be in (0, 1)")));
        }
        if self.mask_share != masking::SHARE && self.task() != Task::MaskedLanguageModel {
            let text = "--mask-share is for --task masked-language-model; leave it out";
            return Err(Error::Usage(text.into()));
        }
        // The number of rows is not known yet; one that leaves room for a warm-up will do.
        self.settings(1 << 32, 0).check()?;
        let sizes = [
            ("--tokenizer", self.tokenizer.is_some()),
            ("--vocab-size", self.vocab_size.is_some()),
            ("--n-layers", self.n_layers.is_some()),
            ("--d-model", self.d_model.is_some()),
            ("--n-heads", self.n_heads.is_some()),
        ];
        if self.preset().is_none()
            && self.model.is_some()
            && let Some((option, _)) = sizes.iter().find(|(_, given)| *given)
        {
            return Err(Error::Usage(format!(
                "{option} is for presets; a model from a folder or a file has its own"
            )));
        }
        match (&self.tokenizer, self.vocab_size) {
            (Some(Source::File(path)), Some(_)) => Err(Error::Usage(format!(
                "--vocab-size is for a tokenizer that is made of the data; leave it out, for {} has \
                 its own vocabulary, or take --tokenizer bpe or characters",
                path.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// A command that takes all options from the run's own file.
fn how_to_resume(output: &Path) -> String {
    let file = output.join(super::config_file::NAME).display().to_string();
    let quote = if file.contains(char::is_whitespace) { "\"" } else { "" };
    format!("attendant train --config {quote}{file}{quote} --resume")
}

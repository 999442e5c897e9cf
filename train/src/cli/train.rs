//! `attendant train`

use super::Common;
use super::model::{Loaded, check_vocabulary};
use super::output::{Output, print};
use crate::bpe::train_bpe;
use crate::data::{Example, Task, read_rows};
use crate::optimizer::{Kind, Numbers, Schedule};
use crate::progress::Progress;
use crate::sequence::{Sequence, fitting, packed, prompted};
use crate::training::{self, Settings, StepReport};
use crate::{Error, Preset, batch, peak_rss_bytes};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use tensor::{Float, Rng};
use transformer::{Gpt2, Tokenizer};

/// Train a model, from random weights or from a folder.
#[derive(Args)]
#[command(after_help = "Presets, from random weights with GPT-2's initialization:\n  \
    gpt2  12 layers × 768, 12 heads, context 1024, vocabulary 50257\n  \
    mini  6 layers × 384, 6 heads, context 256, vocabulary 8192\n  \
    tiny  4 layers × 192, 4 heads, context 256, vocabulary 4096\n\n\
    Example:\n  attendant train --task describe --model tiny --vocab-size 2048 \
    --data products.jsonl --valid valid.jsonl --steps 500 --batch-size 32 --lr 1e-3 \
    --warmup 50 --output run")]
pub struct Arguments {
    /// What is learned
    #[arg(long, value_enum)]
    task: Task,
    /// The rows: JSON Lines, CSV or plain text
    #[arg(long)]
    data: PathBuf,
    /// Rows to measure the loss on at the end
    #[arg(long)]
    valid: Option<PathBuf>,
    /// A preset (gpt2, mini, tiny), or a folder with config.json and model.safetensors
    #[arg(long)]
    model: String,
    /// Where to write the model and metrics.jsonl: a new or empty folder
    #[arg(long)]
    output: PathBuf,
    /// The tokenizer of a preset: a tokenizer.json; trained on the data where absent
    #[arg(long, conflicts_with = "vocab_size")]
    tokenizer: Option<PathBuf>,
    /// Tokens of a preset's vocabulary
    #[arg(long)]
    vocab_size: Option<usize>,
    /// Blocks of a preset
    #[arg(long)]
    n_layers: Option<usize>,
    /// Width of a preset
    #[arg(long)]
    d_model: Option<usize>,
    /// Attention heads of a preset
    #[arg(long)]
    n_heads: Option<usize>,
    /// Dropout everywhere
    #[arg(long, default_value_t = 0.0)]
    dropout: Float,
    /// Tokens of a language-model block, or the longest row of another task [default: the context]
    #[arg(long)]
    seq_len: Option<usize>,
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
    /// Precision of matrix products
    #[arg(long, value_parser = ["f32"], default_value = "f32")]
    precision: String,
    /// Take the rows in the file's order
    #[arg(long)]
    no_shuffle: bool,
}

impl Arguments {
    fn settings(&self, rows: usize, seed: u64) -> Settings {
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
            shuffle: !self.no_shuffle,
            seed,
        };
        let per_epoch = rows.div_ceil(settings.rows_per_step().max(1));
        settings.steps =
            self.steps.unwrap_or_else(|| self.epochs.unwrap_or(1).saturating_mul(per_epoch));
        settings
    }

    fn preset(&self) -> Option<Preset> {
        <Preset as clap::ValueEnum>::from_str(&self.model, false).ok()
    }

    /// Options that only make sense together.
    fn check(&self) -> Result<(), Error> {
        if self.epochs == Some(0) {
            return Err(Error::Usage("--epochs is 0; it must be at least 1".into()));
        }
        if self.seq_len == Some(0) {
            return Err(Error::Usage("--seq-len is 0; it must be at least 1".into()));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Usage(format!(
                "--dropout is {}; it must be in [0, 1)",
                self.dropout
            )));
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
            && let Some((option, _)) = sizes.iter().find(|(_, given)| *given)
        {
            return Err(Error::Usage(format!(
                "{option} is for presets (gpt2, mini, tiny); a model from a folder has its own"
            )));
        }
        Ok(())
    }

    /// The model to start from, its tokenizer and end token.
    fn start(&self, examples: &[Example], seed: u64) -> Result<Start, Error> {
        let Some(preset) = self.preset() else {
            let folder = Path::new(&self.model);
            if !folder.exists() {
                return Err(Error::settings(format!(
                    "{}: neither a preset (gpt2, mini, tiny) nor a folder",
                    self.model
                )));
            }
            let loaded = Loaded::from_folder(folder)?;
            let end = loaded.end_token();
            let mut model = loaded.model;
            model.set_dropout(self.dropout)?;
            return Ok(Start { model, tokenizer: loaded.tokenizer, end });
        };
        let has_text = examples.iter().any(|example| example.ids.is_none());
        let mut config = preset.config().with_dropout(self.dropout);
        config.n_layers = self.n_layers.unwrap_or(config.n_layers);
        config.d_model = self.d_model.unwrap_or(config.d_model);
        config.n_heads = self.n_heads.unwrap_or(config.n_heads);
        config.vocab_size = self.vocab_size.unwrap_or(config.vocab_size);
        config.check()?;
        let tokenizer = match &self.tokenizer {
            Some(path) => Some(Tokenizer::from_file(path)?),
            None if has_text => {
                let texts = examples.iter().flat_map(|e| [&e.prompt[..], &e.target[..]]);
                let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
                Some(train_bpe(&texts, config.vocab_size)?)
            }
            None => None,
        };
        let end = tokenizer.as_ref().and_then(Tokenizer::end_of_text);
        config.vocab_size = tokenizer.as_ref().map_or(config.vocab_size, Tokenizer::vocab_size);
        config.eos_token_id = end;
        let model = Gpt2::new(config, &mut Rng::derived(seed, &[0]))?;
        Ok(Start { model, tokenizer, end })
    }

    fn sequences(&self, examples: &[Example], start: &Start) -> Result<Vec<Sequence>, Error> {
        let context = start.model.config.max_seq_len;
        let seq_len = self.seq_len.unwrap_or(context);
        if seq_len > context {
            return Err(Error::settings(format!(
                "--seq-len {seq_len} is longer than the model's context of {context} tokens"
            )));
        }
        let with_end = start.tokenizer.as_ref().zip(start.end);
        if self.task == Task::LanguageModel {
            return packed(examples, with_end, seq_len);
        }
        let (tokenizer, end) = with_end.ok_or_else(|| {
            Error::settings(format!(
                "{}: has no tokenizer with an end token, which this task needs",
                self.model
            ))
        })?;
        let all = prompted(examples, tokenizer, end)?;
        let count = all.len();
        let (fit, long) = fitting(all, seq_len);
        if let Some(line) = long.first() {
            eprintln!(
                "warning: {} of {count} rows are longer than {seq_len} tokens and were left out; \
                 the first is line {line}",
                long.len()
            );
        }
        if fit.is_empty() {
            return Err(Error::settings(format!(
                "all {count} rows are longer than {seq_len} tokens; give a larger --seq-len, or a \
                 model with a longer context"
            )));
        }
        Ok(fit)
    }
}

struct Start {
    model: Gpt2,
    tokenizer: Option<Tokenizer>,
    end: Option<u32>,
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    arguments.check()?;
    let output = Output::check(&arguments.output)?;
    let examples = read_rows(&arguments.data)?.examples(arguments.task)?;
    let valid = match &arguments.valid {
        Some(path) => Some(read_rows(path)?.examples(arguments.task)?),
        None => None,
    };
    let mut start = arguments.start(&examples, common.seed)?;
    if let Some(tokenizer) = &start.tokenizer {
        check_vocabulary(tokenizer, start.model.config.vocab_size)?;
    }
    check_ids(&arguments.data, &examples, start.model.config.vocab_size)?;
    if let (Some(path), Some(valid)) = (&arguments.valid, &valid) {
        check_ids(path, valid, start.model.config.vocab_size)?;
    }
    let sequences = arguments.sequences(&examples, &start)?;
    let valid = valid.map(|valid| arguments.sequences(&valid, &start)).transpose()?;
    let settings = arguments.settings(sequences.len(), common.seed);
    settings.check()?;

    let mut metrics = output.metrics();
    let mut progress = Progress::new(settings.steps);
    let mut totals = Totals::default();
    training::train(&mut start.model, &sequences, &settings, |report| {
        progress.step(report);
        totals.add(report);
        metrics.write(report)
    })?;
    progress.finish();
    save(&start, output.folder())?;
    let valid_loss = valid.map(|valid| mean_loss(&start.model, &valid)).transpose()?;
    let result = json!({
        "steps": settings.steps,
        "tokens": totals.tokens,
        "train_loss": totals.last_loss,
        "valid_loss": valid_loss,
        "seconds": totals.seconds,
        "tokens_per_second": totals.tokens as f64 / totals.seconds,
        "peak_rss_bytes": peak_rss_bytes(),
        "weights_sha256": output.weights_sha256()?,
    });
    let lines = || {
        let fields = result.as_object().into_iter().flatten();
        fields.map(|(name, value)| format!("{name:18} {value}")).collect::<Vec<_>>().join("\n")
    };
    print(if common.json { result.to_string() } else { lines() })
}

/// # Errors
/// If a row of ids holds one that the model does not have: says which line.
fn check_ids(file: &Path, examples: &[Example], vocab_size: usize) -> Result<(), Error> {
    for example in examples {
        let mut ids = example.ids.iter().flatten();
        if let Some(id) = ids.find(|&&id| id as usize >= vocab_size) {
            return Err(Error::settings(format!(
                "{}, line {}: field \"ids\": token id {id} is beyond the vocabulary of \
                 {vocab_size} tokens",
                file.display(),
                example.line
            )));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Totals {
    tokens: usize,
    seconds: f64,
    last_loss: f64,
}

impl Totals {
    fn add(&mut self, report: &StepReport) {
        self.tokens += report.tokens;
        self.seconds += report.seconds;
        self.last_loss = report.loss;
    }
}

fn save(start: &Start, folder: &Path) -> Result<(), Error> {
    start.model.save(folder)?;
    if let Some(tokenizer) = &start.tokenizer {
        tokenizer.save(folder)?;
    }
    Ok(())
}

fn mean_loss(model: &Gpt2, sequences: &[Sequence]) -> Result<f64, Error> {
    let losses = batch::sequence_losses(model, sequences, 16)?;
    let nats: f64 = losses.iter().map(|(nats, _)| nats).sum();
    let targets: usize = losses.iter().map(|(_, targets)| targets).sum();
    Ok(nats / targets as f64)
}

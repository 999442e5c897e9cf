//! `attendant generate`

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use tensor::Float;
use transformer::{Autoregressive, Generation, Hooks};

/// Write on after a prompt.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant generate --model run --prompt 'brand: Pellworth' \
                        --max-new-tokens 60 --do-sample --temperature 0.8")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors
    #[arg(long)]
    model: PathBuf,
    /// The text to go on from, as it is
    #[arg(long, required_unless_present = "ids", conflicts_with = "ids")]
    prompt: Option<String>,
    /// The token ids to go on from: 1,2,3
    #[arg(long, value_delimiter = ',')]
    ids: Option<Vec<u32>>,
    /// New tokens at most [default: 20]
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Tokens at most, the prompt included
    #[arg(long, conflicts_with = "max_new_tokens")]
    max_length: Option<usize>,
    /// Draw the next token instead of taking the most probable
    #[arg(long, conflicts_with = "greedy")]
    do_sample: bool,
    /// Take the most probable token, whatever the model's folder says
    #[arg(long)]
    greedy: bool,
    /// Divides the scores before drawing; 0 is greedy
    #[arg(long)]
    temperature: Option<Float>,
    /// Draw among the K most probable tokens
    #[arg(long)]
    top_k: Option<usize>,
    /// Draw among the fewest tokens whose probabilities sum to P
    #[arg(long)]
    top_p: Option<Float>,
    /// Draw among tokens at least P times as probable as the most probable
    #[arg(long, value_name = "P")]
    min_p: Option<Float>,
    /// Above 1, tokens that were there before become less probable; 1 is none
    #[arg(long, value_name = "X")]
    repetition_penalty: Option<Float>,
    /// Let no N tokens in a row stand there twice
    #[arg(long, value_name = "N")]
    no_repeat_ngram_size: Option<usize>,
    /// End where the new text holds T; may be repeated
    #[arg(long, value_name = "T")]
    stop: Vec<String>,
    /// Keep the N most probable texts at each step, and take the best
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// Above 0, beams that grow longer are favoured, below 0 shorter ones [default: 1]
    #[arg(long, allow_hyphen_values = true)]
    length_penalty: Option<Float>,
    /// Go on after the end token, as after any other
    #[arg(long)]
    ignore_eos: bool,
}

impl Arguments {
    /// What the model's folder says, and over it what the command line says.
    fn settings(&self, folder: &Generation, seed: u64) -> Result<Generation, Error> {
        let do_sample = self.do_sample || (folder.do_sample && !self.greedy);
        let needs_sampling = [
            ("--temperature", self.temperature.is_some_and(|t| t != 0.0)),
            ("--top-k", self.top_k.is_some()),
            ("--top-p", self.top_p.is_some()),
            ("--min-p", self.min_p.is_some()),
        ];
        for (option, given) in needs_sampling {
            if given && !do_sample {
                return Err(Error::Usage(format!("{option} needs sampling; add --do-sample")));
            }
        }
        let settings =
            Generation { seed, ..self.draws(folder, do_sample, self.beams(folder, do_sample)?) };
        let settings = self.rules(folder, settings);
        settings.check().map_err(|error| Error::Usage(error.to_string()))?;
        Ok(settings)
    }

    /// The settings of sampling; those of the folder count where it samples.
    fn draws(&self, folder: &Generation, do_sample: bool, settings: Generation) -> Generation {
        let default = Generation::default();
        let folder = if do_sample { folder } else { &default };
        Generation {
            do_sample,
            temperature: self.temperature.unwrap_or(folder.temperature),
            top_k: self.top_k.or(folder.top_k),
            top_p: self.top_p.or(folder.top_p),
            min_p: self.min_p.or(folder.min_p),
            typical_p: folder.typical_p,
            ..settings
        }
    }

    /// What counts in every mode: lengths, penalties, ends.
    fn rules(&self, folder: &Generation, settings: Generation) -> Generation {
        let is_given = self.max_new_tokens.is_some() || self.max_length.is_some();
        let lengths = match is_given {
            true => (self.max_new_tokens, self.max_length),
            false => (folder.max_new_tokens, folder.max_length),
        };
        Generation {
            max_new_tokens: lengths.0,
            max_length: lengths.1,
            min_new_tokens: folder.min_new_tokens.min(lengths.0.unwrap_or(usize::MAX)),
            min_length: folder.min_length,
            repetition_penalty: self.repetition_penalty.unwrap_or(folder.repetition_penalty),
            no_repeat_ngram_size: self.no_repeat_ngram_size.or(folder.no_repeat_ngram_size),
            bad_words: folder.bad_words.clone(),
            stop: if self.stop.is_empty() { folder.stop.clone() } else { self.stop.clone() },
            end_tokens: match self.ignore_eos {
                true => Some(Vec::new()),
                false => folder.end_tokens.clone(),
            },
            ..settings
        }
    }

    /// The settings of beams alone; those of the folder count where nothing is drawn.
    fn beams(&self, folder: &Generation, do_sample: bool) -> Result<Generation, Error> {
        let of_folder = if self.greedy || do_sample { 1 } else { folder.num_beams };
        let num_beams = self.num_beams.unwrap_or(of_folder);
        if num_beams > 1 && do_sample {
            let cure = if self.do_sample { "leave out --do-sample" } else { "add --greedy" };
            return Err(Error::Usage(format!("--num-beams needs greedy search; {cure}")));
        }
        if num_beams == 1 && self.length_penalty.is_some() {
            return Err(Error::Usage("--length-penalty needs beams; add --num-beams".into()));
        }
        let folder = if num_beams > 1 { folder.clone() } else { Generation::default() };
        Ok(Generation {
            num_beams,
            length_penalty: self.length_penalty.unwrap_or(folder.length_penalty),
            early_stopping: folder.early_stopping,
            ..Generation::default()
        })
    }
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let folder = Generation::from_pretrained(&arguments.model)?;
    let mut settings = arguments.settings(&folder, common.seed)?; // before weights are read
    let loaded = Loaded::open(&arguments.model)?;
    if settings.end_tokens.is_none() {
        settings.end_tokens = Some(loaded.end_tokens());
    }
    if !settings.stop.is_empty() {
        loaded.tokenizer()?;
    }
    let prompt = match (&arguments.prompt, &arguments.ids) {
        (Some(text), _) => loaded.tokenizer()?.encode_special(text)?,
        (None, ids) => ids.clone().unwrap_or_default(),
    };
    let start = Instant::now();
    let hooks = Hooks { tokenizer: loaded.tokenizer.as_ref(), ..Hooks::default() };
    let ids = loaded.model.generate_with(&[&prompt], &settings, hooks)?.remove(0).ids;
    let new = &ids[loaded.model.first_tokens(&prompt).len()..];
    let per_second = new.len() as f64 / start.elapsed().as_secs_f64();
    let decode = |tokenizer: &transformer::Tokenizer| tokenizer.decode(new);
    let text = loaded.tokenizer.as_ref().map(decode).transpose()?;
    print(match text {
        text if common.json => {
            json!({ "ids": ids, "text": text, "tokens_per_second": per_second }).to_string()
        }
        Some(text) => format!("{}{text}", arguments.prompt.as_deref().unwrap_or("")),
        None => format!("{ids:?}"),
    })
}

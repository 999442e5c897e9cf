//! What `attendant generate` is told, and the settings that follow from it.

use super::rules::Rules;
use super::source::Source;
use crate::Error;
use crate::cli::logits::{Numbers, numbers};
use crate::cli::model::Loaded;
use crate::data::Task;
use clap::Args;
use std::path::PathBuf;
use tensor::Float;
use transformer::Generation;

/// New tokens at most, where a text as a whole is asked for.
const LONGEST: usize = 512;

/// Write on after a prompt.
#[derive(Args)]
#[command(after_help = "Examples:\n  attendant generate --model run --prompt 'brand: Pellworth' \
                        --max-new-tokens 60 --do-sample --temperature 0.8\n  \
                        attendant generate --model run --task describe --data products.csv \
                        --output written.csv --min-words 30 --max-words 60 --bad-word cheap\n  \
                        attendant generate --model run --task describe --attribute 'name=Oak desk' \
                        --attribute 'tone=playful' --must-have oak --variants 3")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors, a .gguf file, or hf:ORG/NAME
    #[arg(long)]
    pub model: PathBuf,
    /// The text to go on from, as it is
    #[arg(long, required_unless_present_any = ["ids", "task", "data"])]
    #[arg(conflicts_with_all = ["ids", "task", "data"])]
    pub prompt: Option<String>,
    /// The token ids to go on from: 1,2,3; repeat for several rows
    #[arg(long, value_parser = numbers, conflicts_with_all = ["task", "data"])]
    pub ids: Vec<Numbers>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub rules: Rules,
    /// New tokens at most [default: 20; 512 with --task or with rules about words]
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Tokens at most, the prompt included
    #[arg(long, conflicts_with_all = ["max_new_tokens", "task"])]
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
    /// Draw among the K most probable tokens, 0: among all [default: 50]
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
    #[arg(long, conflicts_with = "task")]
    ignore_eos: bool,
}

impl Arguments {
    /// What is printed before the new text.
    pub fn repeated(&self, loaded: &Loaded) -> &str {
        match loaded.model.is_encoder_decoder() {
            true => "",
            false => self.prompt.as_deref().unwrap_or(""),
        }
    }

    /// # Errors
    /// If options contradict each other: says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        self.source.check()?;
        self.rules.check()?;
        if let (Some(option), false) =
            (self.rules.of_answers(), self.source.task == Some(Task::Answer))
        {
            let text = format!("{option} is for --task answer; add it, or leave it out");
            return Err(Error::Usage(text));
        }
        match self.rules.given() {
            Some(option) if !self.ids.is_empty() => Err(Error::Usage(format!(
                "{option} is about a text, --ids are none; give --prompt or --task"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether texts are written as a whole, judged and perhaps drawn anew, not token by token.
    pub fn is_judged(&self) -> bool {
        self.source.task.is_some() || self.rules.given().is_some()
    }

    /// What the model's folder says, and over it what the command line says.
    pub fn settings(&self, folder: &Generation, seed: u64) -> Result<Generation, Error> {
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
        let settings = self.rules.set(self.lawful(folder, settings));
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
    fn lawful(&self, folder: &Generation, settings: Generation) -> Generation {
        let is_given = self.max_new_tokens.is_some() || self.max_length.is_some();
        let lengths = match (is_given, self.is_judged()) {
            (true, _) => (self.max_new_tokens, self.max_length),
            (false, true) => (Some(LONGEST), None),
            (false, false) => (folder.max_new_tokens, folder.max_length),
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

//! `attendant generate`

use super::Common;
use super::logits::{Numbers, numbers};
use super::model::Loaded;
use super::output::{print, print_part};
use crate::Error;
use clap::Args;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;
use tensor::Float;
use transformer::{Autoregressive, Generation, Hooks, NewToken, TextStream, Tokenizer};

/// Write on after a prompt.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant generate --model run --prompt 'brand: Pellworth' \
                        --max-new-tokens 60 --do-sample --temperature 0.8")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors, a .gguf file, or hf:ORG/NAME
    #[arg(long)]
    model: PathBuf,
    /// The text to go on from, as it is
    #[arg(long, required_unless_present = "ids", conflicts_with = "ids")]
    prompt: Option<String>,
    /// The token ids to go on from: 1,2,3; repeat for several rows
    #[arg(long, value_parser = numbers)]
    ids: Vec<Numbers>,
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
    #[arg(long)]
    ignore_eos: bool,
}

impl Arguments {
    /// What is printed before the new text.
    fn repeated(&self, loaded: &Loaded) -> &str {
        match loaded.model.is_encoder_decoder() {
            true => "",
            false => self.prompt.as_deref().unwrap_or(""),
        }
    }

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
    let prompts: Vec<Vec<u32>> = match &arguments.prompt {
        Some(text) => vec![loaded.tokenizer()?.encode_special(text)?],
        None => arguments.ids.iter().map(|row| row.0.clone()).collect(),
    };
    let is_one = prompts.len() == 1 && settings.num_return_sequences == 1;
    let mut stream = match (&loaded.tokenizer, common.json || !is_one) {
        // What an encoder read is not repeated.
        (Some(tokenizer), false) => Some(Stream::new(tokenizer, arguments.repeated(&loaded))),
        _ => None,
    };
    let mut on_token = |token: NewToken| match &mut stream {
        Some(stream) => stream.push(token.id),
        None => ControlFlow::Continue(()),
    };
    let tokenizer = loaded.tokenizer.as_ref();
    let hooks = Hooks { tokenizer, on_token: Some(&mut on_token), ..Hooks::default() };
    let start = Instant::now();
    let rows = loaded.model.generate_with(&prompts, &settings, hooks)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(stream) = stream {
        return stream.finish();
    }
    let (mut ids, mut texts, mut count) = (Vec::new(), Vec::new(), 0);
    for (row, generated) in rows.into_iter().enumerate() {
        let prompt = &prompts[row / settings.num_return_sequences.max(1)];
        let new = &generated.ids[loaded.model.first_tokens(prompt).len()..];
        count += new.len();
        texts.push(tokenizer.map(|tokenizer| tokenizer.decode(new)).transpose()?);
        ids.push(generated.ids);
    }
    if !common.json {
        let line = |(text, ids): (&Option<String>, &Vec<u32>)| match text {
            Some(text) => text.clone(),
            None => format!("{ids:?}"),
        };
        return print(texts.iter().zip(&ids).map(line).collect::<Vec<_>>().join("\n"));
    }
    let (ids, text) = match is_one {
        true => (json!(ids[0]), json!(texts[0])),
        false => (json!(ids), json!(texts)),
    };
    print(json!({ "ids": ids, "text": text, "tokens_per_second": count as f64 / seconds }))
}

/// A text that is written on stdout as its tokens come, behind its prompt.
struct Stream<'a> {
    prompt: &'a str,
    text: TextStream<'a>,
    is_begun: bool,
    failed: Option<Error>,
}

impl<'a> Stream<'a> {
    fn new(tokenizer: &'a Tokenizer, prompt: &'a str) -> Stream<'a> {
        Stream { prompt, text: tokenizer.stream(), is_begun: false, failed: None }
    }

    /// Breaks off where stdout can't be written.
    fn push(&mut self, id: u32) -> ControlFlow<()> {
        let written = self.text.push(id).map_err(Error::from).and_then(|piece| self.write(&piece));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// The prompt waits for the first token: a failure before it leaves stdout empty.
    fn write(&mut self, piece: &str) -> Result<(), Error> {
        let prompt = if self.is_begun { "" } else { self.prompt };
        self.is_begun = true;
        print_part(format_args!("{prompt}{piece}"))
    }

    fn finish(mut self) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let prompt = if self.is_begun { "" } else { self.prompt };
        print(format_args!("{prompt}{}", self.text.finish()?))
    }
}

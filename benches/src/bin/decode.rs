//! Times decoding: a prompt of random ids is read at once, then one token after the other is
//! chosen greedily, end tokens as any other.
//!
//! `cargo run --release --bin decode -- --preset gpt2 --prompt-tokens 32 --new-tokens 64 --json`

use clap::Parser;
use serde_json::json;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tensor::Rng;
use tensor::packed::Format;
use train::{Preset, Sizes};
use transformer::{Autoregressive, Generation, Hooks, Model, NewToken, packing};

/// Times the reading of a prompt of random ids, and the tokens written after it.
#[derive(Parser)]
struct Arguments {
    /// The model: a folder with config.json and model.safetensors, or a .gguf file
    #[arg(long, required_unless_present = "preset", conflicts_with = "preset")]
    model: Option<PathBuf>,
    /// Random weights of these sizes
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 32)]
    prompt_tokens: usize,
    /// Tokens written; the first comes of reading the prompt
    #[arg(long, default_value_t = 64)]
    new_tokens: usize,
    /// How matrices that are not packed already are kept
    #[arg(long, value_parser = ["f32", "bf16"], default_value = "f32")]
    precision: String,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    if arguments.prompt_tokens == 0 || arguments.new_tokens < 2 {
        return Err("--prompt-tokens must be at least 1, --new-tokens at least 2".into());
    }
    let model = model(arguments)?;
    let prompt = random_ids(arguments.prompt_tokens, model.vocab_size());
    written(&model, &prompt[..1], 2)?; // fresh memory, sleeping threads
    let moments = written(&model, &prompt, arguments.new_tokens)?;
    let (reading, all) = (moments[0], moments[moments.len() - 1]);
    let prefill = arguments.prompt_tokens as f64 / reading;
    let decode = (arguments.new_tokens - 1) as f64 / (all - reading);
    if arguments.json {
        let result = json!({
            "tokens_per_second": decode,
            "prefill_tokens_per_second": prefill,
            "peak_rss_bytes": train::peak_rss_bytes(),
        });
        println!("{result}");
    } else {
        println!("{decode:.1} tokens/s, prefill {prefill:.0} tokens/s");
    }
    Ok(())
}

fn model(arguments: &Arguments) -> Result<Model, Box<dyn Error>> {
    let mut model = match (&arguments.model, arguments.preset) {
        (Some(path), _) => Model::from_pretrained(path)?,
        (None, Some(preset)) => preset.model(&Sizes::default(), 0.0, &mut Rng::seeded(0))?,
        (None, None) => unreachable!("one of the two is required"),
    };
    if arguments.precision == "bf16" {
        packing::pack_matrices(&mut model, Format::BF16);
    }
    Ok(model)
}

fn random_ids(count: usize, vocab_size: usize) -> Vec<u32> {
    let mut rng = Rng::seeded(1);
    (0..count).map(|_| rng.below(vocab_size) as u32).collect()
}

/// The seconds from the start to each new token.
fn written(model: &Model, prompt: &[u32], new_tokens: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let settings = Generation {
        max_new_tokens: Some(new_tokens),
        end_tokens: Some(Vec::new()),
        ..Generation::default()
    };
    let (start, mut moments) = (Instant::now(), Vec::new());
    let mut on_token = |_: NewToken| {
        moments.push(start.elapsed().as_secs_f64());
        ControlFlow::Continue(())
    };
    let hooks = Hooks { on_token: Some(&mut on_token), ..Hooks::default() };
    model.generate_with(&[prompt], &settings, hooks)?;
    Ok(moments)
}

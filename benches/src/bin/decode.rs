//! Times decoding: a prompt is read at once, then one token after the other is chosen greedily, end
//! tokens as any other.
//!
//! `cargo run --release --bin decode -- --preset gpt2 --prompt-tokens 32 --new-tokens 64 --json`

use attendant_benches::work::{Decode, Source, precisions};
use attendant_benches::{exit_with, turns};
use clap::Parser;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use tensor::Precision;

/// Times the reading of a prompt, and the tokens written after it.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 32)]
    prompt_tokens: usize,
    /// Tokens written; the first comes of reading the prompt
    #[arg(long, default_value_t = 64)]
    new_tokens: usize,
    /// How matrices that are not packed already are kept, and what products round to
    #[arg(long, value_parser = precisions(), default_value = "f32")]
    precision: Precision,
    /// Write once for each line of the input: see the module `turns`
    #[arg(long, conflicts_with = "json")]
    turns: bool,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_with(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    let &Arguments { prompt_tokens, new_tokens, precision, .. } = arguments;
    if new_tokens < 2 && !arguments.turns {
        return Err("--new-tokens must be at least 2".into());
    }
    let work = Decode::new(&arguments.source, prompt_tokens, new_tokens, precision)?;
    if arguments.turns {
        return turns::serve_stdio(|| work.turn());
    }
    work.warm_up()?;
    let moments = work.write()?;
    let prefill = prompt_tokens as f64 / moments.reading;
    let decoded = (new_tokens - 1) as f64 / moments.writing;
    if arguments.json {
        let result = json!({
            "tokens_per_second": decoded,
            "prefill_tokens_per_second": prefill,
            "peak_rss_bytes": train::peak_rss_bytes(),
        });
        println!("{result}");
    } else {
        println!("{decoded:.1} tokens/s, prefill {prefill:.0} tokens/s");
    }
    Ok(())
}

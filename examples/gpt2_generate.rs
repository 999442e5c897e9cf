//! GPT-2 goes on from a sentence: load, encode, sample, decode.
//!
//! `cargo run --release --example gpt2_generate -- --model hf:openai-community/gpt2` (with
//! `--features hub`), or a folder in Hugging Face's layout; without `--model`, random weights.

use clap::Parser;
use examples::catalogue;
use std::error::Error;
use std::path::{Path, PathBuf};
use tensor::Rng;
use train::bpe::train_bpe;
use transformer::{Autoregressive, Generation, Gpt2, Gpt2Config, Pretrained, Tokenizer};

/// Sample from a GPT-2.
#[derive(Parser)]
struct Arguments {
    /// A folder, or hf:ORG/NAME; where absent, a GPT-2 of random weights is made
    #[arg(long)]
    model: Option<PathBuf>,
    /// Where the model of random weights is saved
    #[arg(long, default_value = "target/gpt2_random")]
    output: PathBuf,
    /// Its vocabulary; that of its tokenizer where absent, GPT-2's is 50257
    #[arg(long)]
    vocab_size: Option<usize>,
    /// Fixes weights and draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let source = match &arguments.model {
        Some(source) => source.clone(),
        None => random(&arguments)?,
    };
    go_on(&source, arguments.seed)
}

fn go_on(source: &Path, seed: u64) -> Result<(), Box<dyn Error>> {
    let settings = Generation {
        max_length: Some(100),
        do_sample: true,
        temperature: 0.7,
        seed,
        ..Generation::default()
    };
    let model = Gpt2::from_pretrained(source)?;
    let tokenizer = Tokenizer::from_pretrained(source)?;
    let prompt = tokenizer.encode("The future of e-commerce B-side operation is")?;
    let ids = model.generate(&prompt, &settings)?;
    println!("{}", tokenizer.decode(&ids)?);
    Ok(())
}

/// The folder of a GPT-2 of random weights, whose tokenizer learned the catalogue's words.
fn random(arguments: &Arguments) -> Result<PathBuf, Box<dyn Error>> {
    let products = catalogue::parse_lines(catalogue::EMBEDDED)?;
    let texts: Vec<&str> = products.iter().map(|product| &product.description[..]).collect();
    let tokenizer = train_bpe(&texts, 4096)?;
    let end = tokenizer.end_of_text();
    let config = Gpt2Config {
        vocab_size: arguments.vocab_size.unwrap_or(tokenizer.vocab_size()),
        bos_token_id: end,
        eos_token_id: end,
        ..Gpt2Config::default()
    };
    let model = Gpt2::new(config, &mut Rng::seeded(arguments.seed))?;
    std::fs::create_dir_all(&arguments.output)?;
    model.save(&arguments.output)?;
    tokenizer.save(&arguments.output)?;
    let folder = arguments.output.display();
    eprintln!("a GPT-2 of random weights, saved to {folder}: what it writes means nothing");
    Ok(arguments.output.clone())
}

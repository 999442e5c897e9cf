//! `attendant embed`

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use crate::retrieval::embed;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Turn texts into vectors: the mean of their tokens' states, of length 1.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant embed --model minilm --text 'a wool rug' \
                        --text 'a soft carpet' --json")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors
    #[arg(long)]
    model: PathBuf,
    /// A text; repeat for several
    #[arg(long, required = true)]
    text: Vec<String>,
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let loaded = Loaded::open(&arguments.model)?;
    let (tokenizer, longest) = (loaded.tokenizer()?, loaded.longest_text()?);
    let vectors = embed(&loaded.model, tokenizer, &arguments.text, longest)?;
    if common.json {
        return print(json!({ "vectors": vectors }));
    }
    for vector in &vectors {
        let numbers: Vec<String> = vector.iter().map(|x| format!("{x:.6}")).collect();
        print(numbers.join(" "))?;
    }
    Ok(())
}

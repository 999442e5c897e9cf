//! `attendant embed`

use super::Common;
use super::classify::rows_of;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use autograd::no_grad;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use transformer::{Input, Padded};

/// Texts that are computed side by side.
const BATCH_SIZE: usize = 32;

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
    let mut vectors = Vec::new();
    in_batches(&loaded, &arguments.text, |input| {
        let batch = rows_of(&loaded.model.embed(input)?.value().contiguous());
        if batch.iter().flatten().any(|x| x.is_nan()) {
            let text = "the model's states are not numbers; its weights are broken";
            return Err(Error::settings(text));
        }
        vectors.extend(batch);
        Ok(())
    })?;
    if common.json {
        return print(json!({ "vectors": vectors }));
    }
    for vector in &vectors {
        let numbers: Vec<String> = vector.iter().map(|x| format!("{x:.6}")).collect();
        print(numbers.join(" "))?;
    }
    Ok(())
}

/// Calls `each` with the tokens of some texts at a time, in order, as the model's tokenizer makes them
/// with its special tokens, cut to the context. Nothing is recorded.
///
/// # Errors
/// Those of `each`, and if a text cannot be tokenized or has no token.
pub fn in_batches(
    loaded: &Loaded,
    texts: &[String],
    mut each: impl FnMut(&Input) -> Result<(), Error>,
) -> Result<(), Error> {
    let (tokenizer, longest) = (loaded.tokenizer()?, loaded.longest_text()?);
    for (batch, texts) in texts.chunks(BATCH_SIZE).enumerate() {
        let mut rows = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            let ids = tokenizer.encode_text(text, longest)?.ids;
            if ids.is_empty() {
                let number = batch * BATCH_SIZE + row + 1;
                return Err(Error::settings(format!("text {number} is empty; leave it out")));
            }
            rows.push(ids);
        }
        let text = Padded::right(&rows, loaded.model.vocab_size())?;
        no_grad(|| each(&Input { text, token_types: None, target: None }))?;
    }
    Ok(())
}

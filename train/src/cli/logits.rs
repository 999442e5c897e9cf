//! `attendant logits`

use super::Common;
use super::model::Loaded;
use super::output::{lines, print};
use crate::Error;
use autograd::{Var, no_grad};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use tensor::{Tensor, Tokens};
use transformer::{HeadKind, Input, Padded};

/// Write what a model computes for token ids to a file.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant logits --model run --ids 5,6,7 --ids 8,9,0 \
                        --attention-mask 1,1,1 --attention-mask 1,1,0 --output logits.safetensors\n\n\
                        The file holds `logits` of a model with a head, `last_hidden_state` and\n\
                        `pooler_output` of an encoder, `start_logits` and `end_logits` of one that\n\
                        finds answers, in f32.")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors
    #[arg(long)]
    model: PathBuf,
    /// Token ids, 1,2,3; repeat for a batch of rows of one length
    #[arg(long, required = true, value_parser = numbers)]
    ids: Vec<Numbers>,
    /// 1 for a token, 0 for padding; repeat as the ids [default: all 1]
    #[arg(long, value_parser = numbers)]
    attention_mask: Vec<Numbers>,
    /// BERT's segments; repeat as the ids [default: all 0]
    #[arg(long, value_parser = numbers)]
    token_type_ids: Vec<Numbers>,
    /// What an encoder-decoder has written so far, its start token first; repeat as the ids
    #[arg(long, value_parser = numbers)]
    decoder_ids: Vec<Numbers>,
    /// The file to write, in safetensors' format
    #[arg(long)]
    output: PathBuf,
}

/// A row of ids. A type of its own, for clap would take a plain list for the option's values.
#[derive(Clone, Debug)]
pub struct Numbers(pub Vec<u32>);

/// `1,2,3`
pub fn numbers(text: &str) -> Result<Numbers, String> {
    let number = |part: &str| {
        part.trim().parse().map_err(|_| format!("\"{part}\" is not an id; write 1,2,3"))
    };
    text.split(',').map(number).collect::<Result<_, _>>().map(Numbers)
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let rows = rectangle("--ids", &arguments.ids)?;
    let loaded = Loaded::open(&arguments.model)?;
    let vocab_size = loaded.model.vocab_size();
    let mut text = Padded::right(&rows, vocab_size)?;
    if !arguments.attention_mask.is_empty() {
        text.is_token = mask(&beside(&arguments.attention_mask, "--attention-mask", &rows)?)?;
    }
    let token_types = match arguments.token_type_ids.is_empty() {
        true => None,
        false => {
            let types = beside(&arguments.token_type_ids, "--token-type-ids", &rows)?;
            let kinds = types.iter().flatten().max().map_or(1, |&most| most as usize + 1);
            let kinds = loaded.model.segments().unwrap_or(kinds);
            Some(Tokens::batch(&types, kinds)?)
        }
    };
    let target = match arguments.decoder_ids.is_empty() {
        true => None,
        false => {
            Some(Tokens::batch(&rectangle("--decoder-ids", &arguments.decoder_ids)?, vocab_size)?)
        }
    };
    let tensors = tensors(&loaded, &Input { text, token_types, target })?;
    let named = tensors.iter().map(|(name, tensor)| (name.clone(), tensor));
    tensor::file::write(&arguments.output, named, HashMap::new())?;
    let shapes: Map<String, Value> =
        tensors.iter().map(|(name, tensor)| (name.clone(), json!(tensor.shape()))).collect();
    match common.json {
        true => {
            print(json!({ "output": arguments.output.display().to_string(), "shapes": shapes }))
        }
        false => print(lines(&shapes.into())),
    }
}

/// What the file will hold.
fn tensors(loaded: &Loaded, input: &Input) -> Result<Vec<(String, Tensor)>, Error> {
    let model = &loaded.model;
    let outputs = no_grad(|| model.outputs(input))?;
    let mut found: Vec<(&str, Var)> = Vec::new();
    if let (HeadKind::Span, Some(logits)) = (model.head_kind(), &outputs.logits) {
        let shape = [logits.size(0), logits.size(1)];
        for (index, name) in ["start_logits", "end_logits"].into_iter().enumerate() {
            found.push((name, logits.narrow(2, index, 1).reshape(&shape)));
        }
    }
    found.extend(outputs.logits.map(|logits| ("logits", logits)));
    if model.is_encoder() || found.is_empty() {
        found.extend(outputs.last_hidden_state.map(|states| ("last_hidden_state", states)));
        found.extend(outputs.pooler_output.map(|pooled| ("pooler_output", pooled)));
    }
    found
        .into_iter()
        .map(|(name, var)| {
            let tensor = var.value().contiguous();
            match tensor.data().iter().all(|x| !x.is_nan()) {
                true => Ok((name.to_string(), tensor)),
                false => Err(Error::settings(format!(
                    "{}: its {name} are not numbers; its weights are broken{}",
                    loaded.source().display(),
                    model.broken_weight().map(|name| format!(": {name}")).unwrap_or_default()
                ))),
            }
        })
        .collect()
}

/// The rows of an option.
///
/// # Errors
/// If they have different lengths.
fn rectangle(option: &str, rows: &[Numbers]) -> Result<Vec<Vec<u32>>, Error> {
    let rows: Vec<Vec<u32>> = rows.iter().map(|row| row.0.clone()).collect();
    let width = rows.first().map_or(0, Vec::len);
    match rows.iter().position(|row| row.len() != width) {
        Some(row) => Err(Error::Usage(format!(
            "{option} number {} has {} ids, the first has {width}; rows are of one length, with \
             padding that --attention-mask marks",
            row + 1,
            rows[row].len()
        ))),
        None => Ok(rows),
    }
}

/// The rows of an option that stands beside the ids.
fn beside(rows: &[Numbers], option: &str, ids: &[Vec<u32>]) -> Result<Vec<Vec<u32>>, Error> {
    let rows = rectangle(option, rows)?;
    match rows.len() == ids.len() && rows[0].len() == ids[0].len() {
        true => Ok(rows),
        false => Err(Error::Usage(format!(
            "{option} has {} rows of {}, --ids {} of {}; give as many",
            rows.len(),
            rows[0].len(),
            ids.len(),
            ids[0].len()
        ))),
    }
}

fn mask(rows: &[Vec<u32>]) -> Result<std::sync::Arc<[bool]>, Error> {
    if let Some(row) = rows.iter().position(|row| !row.contains(&1)) {
        let text = format!("--attention-mask number {} has no token: no 1", row + 1);
        return Err(Error::Usage(text));
    }
    let is_token = |&mark: &u32| match mark {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::Usage(format!("--attention-mask holds {mark}; it takes 0 and 1"))),
    };
    rows.iter().flatten().map(is_token).collect()
}

//! From a model to files.

use super::Pretrained;
use crate::{Error, lora};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;
use tensor::packed::Format;
use tensor::{Float, Tensor};

/// Writes `config.json`, `generation_config.json` and `model.safetensors`, its numbers in `format` or as
/// they are computed with.
///
/// # Errors
/// If a file can't be written, or the format is one that such files do not have.
pub(super) fn model<M: Pretrained>(
    model: &M,
    folder: &Path,
    format: Option<Format>,
) -> Result<(), Error> {
    lora::refuse(model)?;
    let mut config = model.config_json();
    let dtype = match format {
        Some(Format::F16) => "float16",
        Some(Format::BF16) => "bfloat16",
        _ if size_of::<Float>() == 8 => "float64",
        _ => "float32",
    };
    config.insert("dtype".into(), dtype.into());
    let keys = ["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"];
    let of_generation: Map<String, Value> =
        keys.iter().filter_map(|key| Some((key.to_string(), config.get(*key)?.clone()))).collect();
    write_json(&folder.join("config.json"), &config.into())?;
    write_json(&folder.join("generation_config.json"), &of_generation.into())?;
    let layout = model.layout();
    let parameters = model.parameters().into_iter();
    let named: Vec<(String, Tensor)> = parameters
        .map(|(ours, parameter)| {
            let named = layout.in_file(&ours).expect("every parameter has a name in files");
            let value = parameter.value().clone();
            (named.name, if named.transposed { value.transpose(0, 1) } else { value })
        })
        .collect();
    let note = HashMap::from([("format".to_string(), "pt".to_string())]);
    let tensors = named.iter().map(|(name, tensor)| (name.clone(), tensor));
    let path = folder.join("model.safetensors");
    let written = match format {
        Some(format) => tensor::file::write_as(&path, format, tensors, note),
        None => tensor::file::write(&path, tensors, note),
    };
    Ok(written?)
}

/// Writes a JSON file, indented.
///
/// # Errors
/// If it can't be written.
pub fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).expect("JSON values are printable");
    std::fs::write(path, text + "\n").map_err(|source| Error::Io {
        path: path.into(),
        action: "write",
        source,
    })
}

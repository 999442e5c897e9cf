//! Writing a model as a GGUF file that llama.cpp reads.

use super::names::{Architecture, reordered};
use super::rope::Llama3;
use crate::pretrained::Pretrained;
use crate::tokenizer::gguf::to_metadata;
use crate::{Error, Tokenizer, lora};
use serde_json::{Map, Value as Json, json};
use std::path::Path;
use tensor::gguf::{Part, Value};
use tensor::packed::Format;
use tensor::{Float, Tensor};

/// What a GGUF file is to hold beside a model's weights, and how these are packed.
#[derive(Clone, Copy, Debug, Default)]
pub struct GgufOptions<'a> {
    /// F16, BF16 or Q8_0; `f32` if `None`. Biases and normalizations are `f32` always.
    pub format: Option<Format>,
    /// The tokenizer.
    pub tokenizer: Option<&'a Tokenizer>,
    /// The template of a chat.
    pub chat_template: Option<&'a str>,
}

/// Writes a language model as a GGUF file.
///
/// # Errors
/// If it is of an architecture or has an option that GGUF files do not have, or the file can't be
/// written.
pub fn save_gguf<M: Pretrained>(
    model: &M,
    path: &Path,
    options: &GgufOptions,
) -> Result<(), Error> {
    lora::refuse(model)?;
    let config = model.config_json();
    let wrong =
        |reason: String| Error::Request(format!("{}: cannot be written: {reason}", path.display()));
    let architecture = architecture(&config).map_err(wrong)?;
    let mut metadata = general(architecture, options);
    metadata.extend(sizes(architecture, &config).map_err(wrong)?);
    metadata.extend(tokens(&config, options).map_err(wrong)?);
    let layout = model.layout();
    let mut parts = Vec::new();
    for (ours, parameter) in model.parameters() {
        let named = layout.in_file(&ours).expect("every parameter has a name in files");
        let value = parameter.value();
        let value = if named.transposed { value.transpose(0, 1) } else { value.clone() };
        if options.format.is_some() && !value.unpacked().to_vec().iter().all(|x| x.is_finite()) {
            return Err(wrong(format!("{} holds numbers that are not finite", named.name)));
        }
        let part = part(architecture, &config, &named.name, value, options.format);
        parts.push(part.ok_or_else(|| wrong(format!("{} has no name there", named.name)))?);
    }
    parts.extend(rope_factors(&config));
    Ok(tensor::gguf::write(path, &metadata, &parts)?)
}

fn architecture(config: &Map<String, Json>) -> Result<Architecture, String> {
    let name = config.get("model_type").and_then(Json::as_str).unwrap_or_default();
    let architecture = Architecture::of(name)
        .ok_or_else(|| format!("GGUF files of {name:?} are not known here"))?;
    let class = config.get("architectures").and_then(|classes| classes.get(0));
    if class.is_some_and(|class| class != architecture.class()) {
        let class = class.unwrap_or(&Json::Null);
        return Err(format!("a {class} has no form in GGUF; only {} has", architecture.class()));
    }
    // What llama.cpp computes for these architectures, whatever the file says.
    let fixed = [
        ("activation_function", json!("gelu_new")),
        ("scale_attn_weights", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(false)),
        ("hidden_act", json!("silu")),
    ];
    match fixed.iter().find(|(key, value)| config.get(*key).is_some_and(|found| found != value)) {
        Some((key, _)) => Err(format!("{key} is {}, which GGUF has no key for", config[*key])),
        None => Ok(architecture),
    }
}

fn general(architecture: Architecture, options: &GgufOptions) -> Vec<(String, Value)> {
    let file_type = match options.format {
        Some(Format::F16) => 1,
        Some(Format::Q8_0) => 7,
        Some(Format::BF16) => 32,
        _ => 0,
    };
    let text = |text: &str| Value::String(text.into());
    let mut values = vec![
        ("general.architecture".to_string(), text(architecture.name())),
        ("general.type".to_string(), text("model")),
        ("general.file_type".to_string(), Value::U32(file_type)),
    ];
    if options.format == Some(Format::Q8_0) {
        values.push(("general.quantization_version".to_string(), Value::U32(2)));
    }
    values
}

/// Keys of counts, ours and Hugging Face's; those that a configuration lacks are left out.
const GPT2: &[(&str, &str)] = &[
    ("context_length", "n_positions"),
    ("embedding_length", "n_embd"),
    ("block_count", "n_layer"),
    ("feed_forward_length", "n_inner"),
    ("attention.head_count", "n_head"),
    ("vocab_size", "vocab_size"),
];
const LLAMA: &[(&str, &str)] = &[
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("block_count", "num_hidden_layers"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.value_length", "head_dim"),
    ("rope.dimension_count", "head_dim"),
    ("vocab_size", "vocab_size"),
];

fn sizes(
    architecture: Architecture,
    config: &Map<String, Json>,
) -> Result<Vec<(String, Value)>, String> {
    let key = |name: &str| format!("{}.{name}", architecture.name());
    let (counts, epsilon) = match architecture {
        Architecture::Gpt2 => (GPT2, ("attention.layer_norm_epsilon", "layer_norm_epsilon")),
        _ => (LLAMA, ("attention.layer_norm_rms_epsilon", "rms_norm_eps")),
    };
    let mut values = Vec::new();
    for (ours, theirs) in counts {
        let Some(count) = config.get(*theirs).and_then(Json::as_u64) else { continue };
        let count = u32::try_from(count).map_err(|_| format!("{theirs} is {count}"))?;
        values.push((key(ours), Value::U32(count)));
    }
    let width = count(config, "n_embd");
    if architecture == Architecture::Gpt2 && config.get("n_inner").is_none_or(Json::is_null) {
        values.push((key("feed_forward_length"), Value::U32(4 * width as u32)));
    }
    let number = |name: &str| config.get(name).and_then(Json::as_f64).map(|x| x as f32);
    values.extend(number(epsilon.1).map(|x| (key(epsilon.0), Value::F32(x))));
    values.extend(number("rope_theta").map(|x| (key("rope.freq_base"), Value::F32(x))));
    let scaling = config.get("rope_scaling").unwrap_or(&Json::Null);
    if scaling["rope_type"] == "linear" {
        let factor = scaling["factor"].as_f64().unwrap_or(1.0) as f32;
        values.push((key("rope.scaling.type"), Value::String("linear".into())));
        values.push((key("rope.scaling.factor"), Value::F32(factor)));
    }
    Ok(values)
}

fn count(config: &Map<String, Json>, key: &str) -> usize {
    config.get(key).and_then(Json::as_u64).unwrap_or(0) as usize
}

fn tokens(
    config: &Map<String, Json>,
    options: &GgufOptions,
) -> Result<Vec<(String, Value)>, String> {
    let text = |text: &str| Value::String(text.into());
    let Some(tokenizer) = options.tokenizer else {
        return Ok(vec![("tokenizer.ggml.model".to_string(), text("none"))]);
    };
    let mut values = to_metadata(tokenizer.inner(), count(config, "vocab_size"))?;
    let first = |key: &str, place: usize| match config.get(key) {
        Some(Json::Array(ids)) => ids.get(place).and_then(Json::as_u64),
        Some(id) if place == 0 => id.as_u64(),
        _ => None,
    };
    let ids = [
        ("bos", first("bos_token_id", 0)),
        ("eos", first("eos_token_id", 0)),
        ("eot", first("eos_token_id", 1)),
        ("padding", first("pad_token_id", 0)),
    ];
    for (name, id) in ids {
        let id = id.filter(|&id| id < count(config, "vocab_size") as u64);
        let key = format!("tokenizer.ggml.{name}_token_id");
        values.extend(id.map(|id| (key, Value::U32(id as u32))));
    }
    let around = tokenizer.inner().encode("", true).map_err(|error| error.to_string())?;
    let begins = first("bos_token_id", 0)
        .is_some_and(|bos| around.get_ids().first().is_some_and(|&id| u64::from(id) == bos));
    values.push(("tokenizer.ggml.add_bos_token".to_string(), Value::Bool(begins)));
    let template = options.chat_template.map(text);
    values.extend(template.map(|text| ("tokenizer.chat_template".to_string(), text)));
    Ok(values)
}

/// Hugging Face's tensor as the file holds it.
fn part(
    architecture: Architecture,
    config: &Map<String, Json>,
    theirs: &str,
    value: Tensor,
    format: Option<Format>,
) -> Option<Part> {
    let heads = ["num_attention_heads", "num_key_value_heads"].map(|key| count(config, key));
    let value = match architecture.turned_heads(theirs, heads) {
        Some(heads) => reordered(&value, heads, true)?,
        None if architecture.is_transposed(theirs) => value.transpose(0, 1),
        None => value,
    };
    let is_matrix = value.rank() == 2 && theirs != "transformer.wpe.weight";
    let format = format.filter(|_| is_matrix).map(|format| {
        // As llama.cpp's own converter: what is not a whole number of blocks becomes halves.
        let whole = value.size(-1).is_multiple_of(format.block_len());
        if whole { format } else { Format::F16 }
    });
    Some(Part { name: architecture.gguf(theirs)?, tensor: value, format })
}

/// The factors of Llama 3's angles.
fn rope_factors(config: &Map<String, Json>) -> Option<Part> {
    let llama3 = Llama3::of_config(config.get("rope_scaling")?)?;
    let base = config.get("rope_theta").and_then(Json::as_f64)?;
    let factors = llama3.factors(count(config, "head_dim"), base);
    let factors: Vec<Float> = factors.into_iter().map(|x| x as Float).collect();
    let tensor = Tensor::new(&factors[..], &[factors.len()]);
    Some(Part { name: "rope_freqs.weight".into(), tensor, format: None })
}

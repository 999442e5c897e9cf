//! Folders in Hugging Face's layout: `config.json` and `model.safetensors`, in and out.

use crate::gpt2::hugging_face_name;
use crate::state::mismatches;
use crate::{Error, Gpt2, Gpt2Config, Module};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tensor::{Float, Rng};

impl Gpt2 {
    /// Loads a GPT-2 from a folder in Hugging Face's layout; the weights stay in the file's memory
    /// map until they are changed.
    ///
    /// # Errors
    /// If a file is missing or broken, an option of the configuration is not supported, or the
    /// weights do not fit the configuration.
    pub fn from_pretrained(folder: impl AsRef<Path>) -> Result<Gpt2, Error> {
        let folder = folder.as_ref();
        if !folder.is_dir() {
            let reason = "no such folder; --model takes a folder with config.json and \
                          model.safetensors";
            return Err(Error::Config { path: folder.into(), reason: reason.into() });
        }
        let config = read_config(&folder.join("config.json"))?;
        let path = folder.join("model.safetensors");
        let contents = tensor::file::read(&path)?;
        // Weights are checked before a model of the configured size takes memory.
        let sizes = expected_shapes(&config);
        let unsupported = stripped(contents.unsupported);
        if let Some((name, dtype)) = unsupported.iter().find(|(name, _)| sizes.contains_key(*name))
        {
            let report = format!("{name} has type {dtype}; F32 and F64 are supported");
            return Err(Error::Weights { path, report });
        }
        let mut found = stripped(contents.tensors);
        let report = mismatches(&sizes, &found);
        if !report.is_empty() {
            return Err(Error::Weights { path, report });
        }
        let mut model = Gpt2::new(
            Gpt2Config { initializer_range: 0.0, ..config.clone() },
            &mut Rng::seeded(0),
        )?;
        for (name, parameter) in model.parameters_mut() {
            let name = hugging_face_name(&name);
            *parameter.value_mut() = found.remove(&name).expect("the report found none missing");
        }
        model.config = config;
        Ok(model)
    }

    /// Saves `config.json`, `generation_config.json` and `model.safetensors`, as Transformers
    /// loads them.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        write_json(&folder.join("config.json"), &config_json(&self.config))?;
        let generation = json!({ "eos_token_id": self.config.eos_token_id });
        write_json(&folder.join("generation_config.json"), &generation)?;
        let tensors = self.parameters().into_iter();
        let named = tensors.map(|(name, parameter)| (hugging_face_name(&name), parameter.value()));
        let note = HashMap::from([("format".to_string(), "pt".to_string())]);
        Ok(tensor::file::write(&folder.join("model.safetensors"), named, note)?)
    }
}

fn read_config(path: &Path) -> Result<Gpt2Config, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.into(),
        action: "read",
        source,
    })?;
    let wrong = |reason: String| Error::Config { path: path.into(), reason };
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("not valid JSON: {error}")))?;
    match value.get("model_type").and_then(Value::as_str) {
        Some("gpt2") => {}
        Some(other) => {
            return Err(wrong(format!("model_type \"{other}\" is not supported; \"gpt2\" is")));
        }
        None => return Err(wrong("model_type is missing; \"gpt2\" is supported".into())),
    }
    refuse_unsupported(&value).map_err(wrong)?;
    let config: Gpt2Config =
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    config.check().map_err(|error| wrong(error.to_string()))?;
    Ok(config)
}

/// Options that change the computation in a way this model does not have.
fn refuse_unsupported(config: &Value) -> Result<(), String> {
    let supported = [
        ("activation_function", json!("gelu_new")),
        ("scale_attn_weights", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(false)),
        ("reorder_and_upcast_attn", json!(false)),
        ("add_cross_attention", json!(false)),
        ("tie_word_embeddings", json!(true)),
    ];
    for (option, value) in supported {
        if config.get(option).is_some_and(|found| *found != value) {
            return Err(format!("{option} is {}; only {value} is supported", config[option]));
        }
    }
    Ok(())
}

fn config_json(config: &Gpt2Config) -> Value {
    let mut value = serde_json::to_value(config).expect("plain numbers");
    let fixed = json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "bos_token_id": config.eos_token_id,
        "tie_word_embeddings": true,
        "dtype": if size_of::<Float>() == 8 { "float64" } else { "float32" },
    });
    let fixed = fixed.as_object().expect("an object").clone();
    value.as_object_mut().expect("an object").extend(fixed);
    value
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

/// The shapes of all tensors of a configuration under Hugging Face's names.
fn expected_shapes(config: &Gpt2Config) -> BTreeMap<String, Vec<usize>> {
    let (d, d_ff) = (config.d_model, config.d_ff.unwrap_or(4 * config.d_model));
    let block = [
        ("ln_1.weight", vec![d]),
        ("ln_1.bias", vec![d]),
        ("attn.c_attn.weight", vec![d, 3 * d]),
        ("attn.c_attn.bias", vec![3 * d]),
        ("attn.c_proj.weight", vec![d, d]),
        ("attn.c_proj.bias", vec![d]),
        ("ln_2.weight", vec![d]),
        ("ln_2.bias", vec![d]),
        ("mlp.c_fc.weight", vec![d, d_ff]),
        ("mlp.c_fc.bias", vec![d_ff]),
        ("mlp.c_proj.weight", vec![d_ff, d]),
        ("mlp.c_proj.bias", vec![d]),
    ];
    let whole = [
        ("wte.weight", vec![config.vocab_size, d]),
        ("wpe.weight", vec![config.max_seq_len, d]),
        ("ln_f.weight", vec![d]),
        ("ln_f.bias", vec![d]),
    ];
    let whole = whole.into_iter().map(|(name, shape)| (format!("transformer.{name}"), shape));
    let blocks = (0..config.n_layers).flat_map(|layer| {
        block.clone().map(|(name, shape)| (format!("transformer.h.{layer}.{name}"), shape))
    });
    whole.chain(blocks).collect()
}

/// Tensors under full names: the prefix may be absent; buffers and the tied head are left out.
fn stripped<T>(tensors: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let is_weight = |name: &str| {
        !(name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))
            && name != "lm_head.weight"
    };
    tensors
        .into_iter()
        .filter(|(name, _)| is_weight(name))
        .map(|(name, tensor)| match name.starts_with("transformer.") {
            true => (name, tensor),
            false => (format!("transformer.{name}"), tensor),
        })
        .collect()
}

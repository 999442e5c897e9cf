//! `adapter_config.json`, as PEFT writes and reads it.

use super::Adapter;
use crate::Error;
use crate::pretrained::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tensor::Float;

pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const WEIGHTS: &str = "adapter_model.safetensors";
/// What every name in PEFT's files begins with.
pub(super) const PREFIX: &str = "base_model.model.";

/// What of the file is looked at; which maps have adapters, the tensors tell.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct PeftConfig {
    pub r: usize,
    pub lora_alpha: Float,
    pub lora_dropout: Float,
    pub use_rslora: bool,
    pub base_model_name_or_path: Option<String>,
    pub revision: Option<String>,
    pub task_type: Option<String>,
    pub modules_to_save: Option<Vec<String>>,
}

impl PeftConfig {
    /// # Errors
    /// If an option is not supported, or no number that can be used.
    pub fn of(config: &Config) -> Result<PeftConfig, Error> {
        let off = [
            "use_dora",
            "lora_bias",
            "use_qalora",
            "layer_replication",
            "trainable_token_indices",
            "alora_invocation_tokens",
            "use_bdlora",
            "arrow_config",
            "kasa_config",
            "monteclora_config",
            "velora_config",
        ];
        let is_set = |key: &&&str| {
            config.get(key).is_some_and(|value| *value != json!(false) && *value != json!([]))
        };
        if let Some(key) = off.iter().find(is_set) {
            let found = &config.values[*key];
            return Err(config.wrong(format!("{key} is {found}; it is not supported")));
        }
        config.only(&[
            ("peft_type", json!("LORA")),
            ("bias", json!("none")),
            ("rank_pattern", json!({})),
            ("alpha_pattern", json!({})),
            ("target_parameters", json!([])),
        ])?;
        // The others change the base's matrices too.
        let plain =
            [json!(true), json!(false), json!("gaussian"), json!("eva"), json!("orthogonal")];
        if let Some(found) = config.get("init_lora_weights").filter(|it| !plain.contains(it)) {
            let text =
                format!("init_lora_weights is {found}; it changes the base, and is not supported");
            return Err(config.wrong(text));
        }
        let defaults = json!({ "r": 8, "lora_alpha": 8, "lora_dropout": 0.0, "use_rslora": false });
        let peft: PeftConfig = config.read(&defaults)?;
        if peft.r == 0 || !peft.lora_alpha.is_finite() {
            let text = format!(
                "r is {}, lora_alpha {}; they are to be above 0 and finite",
                peft.r, peft.lora_alpha
            );
            return Err(config.wrong(text));
        }
        if !(0.0..1.0).contains(&peft.lora_dropout) {
            let text =
                format!("lora_dropout is {}; it is at least 0 and less than 1", peft.lora_dropout);
            return Err(config.wrong(text));
        }
        Ok(peft)
    }

    /// The base that it names: a file or folder of this machine, else a model of the hub.
    ///
    /// # Errors
    /// If it names none, or one that is not here and can be on no hub.
    pub fn base(&self, config: &Config) -> Result<PathBuf, Error> {
        let name = self.base_model_name_or_path.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| config.wrong("base_model_name_or_path names no model"))?;
        let beside = config.path.with_file_name(name);
        if let Some(here) = [PathBuf::from(name), beside].into_iter().find(|path| path.exists()) {
            return Ok(here);
        }
        if Path::new(name).is_absolute() || name.matches('/').count() != 1 || name.starts_with('.')
        {
            return Err(config.wrong(format!(
                "base_model_name_or_path: there is no {name}; write there where the model is"
            )));
        }
        let revision = self.revision.as_ref().map_or(String::new(), |name| format!("@{name}"));
        let name = name.strip_prefix("hf:").unwrap_or(name);
        Ok(format!("hf:{name}{revision}").into())
    }

    /// The file's text for adapters like `adapter`.
    pub fn to_json(
        adapter: &Adapter,
        base: &Path,
        task_type: Option<&str>,
        target_modules: &[String],
        modules_to_save: &[String],
    ) -> Value {
        let (base, revision) = name_and_revision(base);
        let alpha = short(adapter.alpha);
        // PEFT has whole numbers there as a rule.
        let alpha = if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) };
        json!({
            "peft_type": "LORA",
            "task_type": task_type,
            "base_model_name_or_path": base,
            "revision": revision,
            "r": adapter.rank(),
            "lora_alpha": alpha,
            "lora_dropout": short(adapter.dropout),
            "use_rslora": adapter.rank_stabilized,
            "target_modules": target_modules,
            "modules_to_save": (!modules_to_save.is_empty()).then_some(modules_to_save),
            "bias": "none",
            "fan_in_fan_out": false,
            "init_lora_weights": true,
            "inference_mode": true,
        })
    }
}

/// The shortest decimal that reads back as the same number.
fn short(x: Float) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

/// A model's name as PEFT has it: the hub's without `hf:`, or an absolute path.
fn name_and_revision(base: &Path) -> (String, Option<String>) {
    let text = base.to_string_lossy();
    match text.strip_prefix("hf:") {
        Some(name) => match name.split_once('@') {
            Some((name, revision)) => (name.into(), Some(revision.into())),
            None => (name.into(), None),
        },
        None => {
            let path = std::path::absolute(base).unwrap_or_else(|_| base.into());
            (path.to_string_lossy().into_owned(), None)
        }
    }
}

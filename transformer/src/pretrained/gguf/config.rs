//! The metadata of a GGUF file as a `config.json`.

use super::names::Architecture;
use super::rope::Llama3;
use crate::Error;
use crate::pretrained::Config;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use tensor::Tensor;
use tensor::gguf::Value;

/// Keys of an architecture that say something of the computation that is not supported, and the
/// value that says nothing.
const REFUSED: [(&str, f64); 8] = [
    ("expert_count", 0.0),
    ("attention.sliding_window", 0.0),
    ("logit_scale", 1.0),
    ("embedding_scale", 1.0),
    ("residual_scale", 1.0),
    ("attention.scale", 0.0),
    ("rope.scaling.attn_factor", 1.0),
    ("rope.scale_linear", 1.0),
];

/// What a file says of its model.
pub(super) struct Keys<'a> {
    path: &'a Path,
    pub architecture: Architecture,
    metadata: &'a BTreeMap<String, Value>,
    tensors: &'a BTreeMap<String, Tensor>,
}

impl<'a> Keys<'a> {
    pub fn of(
        path: &'a Path,
        metadata: &'a BTreeMap<String, Value>,
        tensors: &'a BTreeMap<String, Tensor>,
    ) -> Result<Keys<'a>, Error> {
        let wrong = |reason: String| Error::Config { path: path.into(), reason };
        let name = metadata.get("general.architecture").and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong("general.architecture is missing".into()))?;
        let architecture = Architecture::of(name).ok_or_else(|| {
            wrong(format!(
                "general.architecture is {name:?}; gpt2, llama, qwen2 and qwen3 are supported"
            ))
        })?;
        Ok(Keys { path, architecture, metadata, tensors })
    }

    pub fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Config { path: self.path.into(), reason: reason.into() }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.metadata.get(&self.key(name))
    }

    fn no_number(&self, name: &str, value: &Value) -> Error {
        self.wrong(format!("{} is {value:?}, no number that it can be", self.key(name)))
    }

    /// A count, if the file has it.
    pub fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| self.no_number(name, value))
    }

    /// A count that a model can't be without.
    pub fn needed(&self, name: &str) -> Result<u64, Error> {
        let missing = || self.wrong(format!("{} is missing", self.key(name)));
        self.count(name)?.ok_or_else(missing)
    }

    /// A number; of an `f32` the shortest decimal that it is the nearest to.
    fn number(&self, name: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::F32(x) => x.to_string().parse().ok(),
            value => value.as_f64(),
        };
        number.map(Some).ok_or_else(|| self.no_number(name, value))
    }

    fn token(&self, name: &str) -> Option<u64> {
        self.metadata.get(&format!("tokenizer.ggml.{name}_token_id")).and_then(Value::as_u64)
    }

    fn refuse_unsupported(&self) -> Result<(), Error> {
        for (name, neutral) in REFUSED {
            let found = self.number(name)?.filter(|number| *number != neutral);
            if let Some(number) = found {
                let key = self.key(name);
                return Err(self.wrong(format!("{key} is {number}; that is not supported")));
            }
        }
        Ok(())
    }

    /// The configuration under Hugging Face's keys.
    pub fn config(&self) -> Result<Config, Error> {
        self.refuse_unsupported()?;
        let mut keys = match self.architecture {
            Architecture::Gpt2 => self.gpt2()?,
            _ => self.llama()?,
        };
        let embedding = self.tensors.get("token_embd.weight").filter(|table| table.rank() == 2);
        let embedding = embedding.ok_or_else(|| self.wrong("no matrix token_embd.weight"))?;
        let own = json!({
            "model_type": self.architecture.name(),
            "architectures": [self.architecture.class()],
            "vocab_size": embedding.shape()[0],
            "tie_word_embeddings": !self.tensors.contains_key("output.weight"),
            "bos_token_id": self.token("bos"),
            "eos_token_id": self.ends(),
            "pad_token_id": self.token("padding"),
        });
        keys.extend(own.as_object().cloned().unwrap_or_default());
        Ok(Config { path: self.path.into(), values: keys })
    }

    /// The token that ends a text, and the one that ends a turn of a chat.
    fn ends(&self) -> Json {
        match (self.token("eos"), self.token("eot")) {
            (Some(text), Some(turn)) if text != turn => json!([text, turn]),
            (text, turn) => json!(text.or(turn)),
        }
    }

    fn gpt2(&self) -> Result<Map<String, Json>, Error> {
        let keys = json!({
            "n_positions": self.needed("context_length")?,
            "n_embd": self.needed("embedding_length")?,
            "n_layer": self.needed("block_count")?,
            "n_head": self.needed("attention.head_count")?,
            "n_inner": self.count("feed_forward_length")?,
            "layer_norm_epsilon": self.number("attention.layer_norm_epsilon")?.unwrap_or(1e-5),
        });
        Ok(keys.as_object().cloned().unwrap_or_default())
    }

    fn llama(&self) -> Result<Map<String, Json>, Error> {
        let n_heads = self.needed("attention.head_count")?;
        let d_k = self.head_width(n_heads)?;
        let base = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let has = |part: &str| self.tensors.contains_key(&format!("blk.0.{part}.bias"));
        let keys = json!({
            "max_position_embeddings": self.needed("context_length")?,
            "hidden_size": self.needed("embedding_length")?,
            "num_hidden_layers": self.needed("block_count")?,
            "intermediate_size": self.needed("feed_forward_length")?,
            "num_attention_heads": n_heads,
            "num_key_value_heads": self.count("attention.head_count_kv")?.unwrap_or(n_heads),
            "head_dim": d_k,
            "hidden_act": "silu",
            "rms_norm_eps": self.number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
            "attention_bias": has("attn_q") && self.architecture != Architecture::Qwen2,
            "mlp_bias": has("ffn_up"),
            "rope_theta": base,
            "rope_scaling": self.rope_scaling(base)?,
        });
        Ok(keys.as_object().cloned().unwrap_or_default())
    }

    fn head_width(&self, n_heads: u64) -> Result<u64, Error> {
        let derived = self.needed("embedding_length")?.checked_div(n_heads);
        let derived = derived.ok_or_else(|| self.wrong("there are no attention heads"))?;
        let turned = self.count("rope.dimension_count")?;
        let d_k = self.count("attention.key_length")?.unwrap_or(derived);
        let value = self.count("attention.value_length")?.unwrap_or(d_k);
        let others =
            [("attention.value_length", value), ("rope.dimension_count", turned.unwrap_or(d_k))];
        if let Some((name, width)) = others.into_iter().find(|(_, width)| *width != d_k) {
            let key = self.key(name);
            let reason = format!("{key} is {width}, where heads are {d_k} wide: not supported");
            return Err(self.wrong(reason));
        }
        Ok(d_k)
    }

    fn rope_scaling(&self, base: f64) -> Result<Json, Error> {
        if let Some(factors) = self.tensors.get("rope_freqs.weight") {
            let factors: Vec<f64> = factors.to_vec().into_iter().map(|x| x as f64).collect();
            if factors.iter().all(|&factor| factor == 1.0) {
                return Ok(Json::Null);
            }
            let llama3 = Llama3::of_factors(&factors, base);
            let other = || self.wrong("rope_freqs.weight holds other factors than Llama 3's");
            return Ok(llama3.ok_or_else(other)?.to_config().into());
        }
        let kind = self.value("rope.scaling.type").and_then(Value::as_str).unwrap_or("linear");
        match (kind, self.number("rope.scaling.factor")?) {
            ("none", _) | ("linear", None) => Ok(Json::Null),
            ("linear", Some(factor)) => Ok(json!({ "rope_type": "linear", "factor": factor })),
            (other, _) => {
                let key = self.key("rope.scaling.type");
                Err(self.wrong(format!("{key} is {other:?}; none and linear are supported")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(values: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let sizes = [
            ("context_length", 64),
            ("embedding_length", 8),
            ("block_count", 2),
            ("feed_forward_length", 16),
            ("attention.head_count", 2),
        ];
        let name = ("general.architecture".to_string(), Value::String("llama".into()));
        let own = sizes.map(|(key, size)| (format!("llama.{key}"), Value::U32(size)));
        let values = values.iter().map(|(key, value)| (key.to_string(), value.clone()));
        [name].into_iter().chain(own).chain(values).collect()
    }

    fn config(values: &[(&str, Value)]) -> Result<Map<String, Json>, String> {
        let (path, metadata) = (Path::new("x.gguf"), metadata(values));
        let tensors = BTreeMap::from([("token_embd.weight".into(), Tensor::zeros(&[11, 8]))]);
        let keys = Keys::of(path, &metadata, &tensors).and_then(|keys| keys.config());
        keys.map(|config| config.values).map_err(|error| error.to_string())
    }

    #[test]
    fn metadata_become_hugging_faces_keys() {
        let found = config(&[
            ("llama.attention.head_count_kv", Value::U64(1)),
            ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
            ("llama.rope.freq_base", Value::F32(5e5)),
            ("llama.rope.scaling.type", Value::String("linear".into())),
            ("llama.rope.scaling.factor", Value::F32(2.0)),
            ("tokenizer.ggml.eos_token_id", Value::U32(2)),
            ("tokenizer.ggml.eot_token_id", Value::U32(3)),
        ])
        .unwrap();
        assert_eq!(found["vocab_size"], 11);
        assert_eq!(found["num_key_value_heads"], 1);
        assert_eq!((&found["head_dim"], &found["rms_norm_eps"]), (&json!(4), &json!(1e-5)));
        assert_eq!(found["rope_scaling"], json!({ "rope_type": "linear", "factor": 2.0 }));
        assert_eq!((&found["bos_token_id"], &found["eos_token_id"]), (&Json::Null, &json!([2, 3])));
        assert_eq!(found["tie_word_embeddings"], true);
    }

    #[test]
    fn what_is_not_supported_or_wrong_is_named() {
        let wrong = |key: &str, value| config(&[(key, value)]).unwrap_err();
        let text = |text: &str| Value::String(text.into());
        assert_eq!(
            wrong("general.architecture", text("mamba")),
            "x.gguf: general.architecture is \"mamba\"; gpt2, llama, qwen2 and qwen3 are supported"
        );
        assert_eq!(
            wrong("general.architecture", text("qwen2")),
            "x.gguf: qwen2.attention.head_count is missing"
        );
        assert_eq!(
            wrong("llama.block_count", text("two")),
            "x.gguf: llama.block_count is String(\"two\"), no number that it can be"
        );
        assert_eq!(
            wrong("llama.expert_count", Value::U32(8)),
            "x.gguf: llama.expert_count is 8; that is not supported"
        );
        assert_eq!(
            wrong("llama.rope.scaling.type", text("yarn")),
            "x.gguf: llama.rope.scaling.type is \"yarn\"; none and linear are supported"
        );
        assert_eq!(
            wrong("llama.rope.dimension_count", Value::U32(2)),
            "x.gguf: llama.rope.dimension_count is 2, where heads are 4 wide: not supported"
        );
        assert_eq!(
            wrong("llama.attention.head_count", Value::U32(0)),
            "x.gguf: there are no attention heads"
        );
    }
}

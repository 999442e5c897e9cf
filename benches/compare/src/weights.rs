//! GPT-2's weights, as Hugging Face names them.

use crate::Result;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The sizes of a GPT-2, from its `config.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Blocks.
    pub n_layer: usize,
    /// Heads of attention.
    pub n_head: usize,
    /// The width.
    pub n_embd: usize,
    /// The longest sequence.
    pub n_positions: usize,
    /// Tokens.
    pub vocab_size: usize,
    /// What LayerNorm adds to the variance.
    pub layer_norm_epsilon: f64,
    /// The activation of the feed-forward network.
    pub activation_function: String,
}

/// A matrix or vector: its shape, and its numbers row by row.
pub type Weight = (Vec<usize>, Vec<f32>);

/// All weights of a model; each is taken once. Matrices of linear maps are `[inputs, outputs]`.
pub struct Weights {
    /// The model's sizes.
    pub config: Config,
    weights: HashMap<String, Weight>,
}

impl Weights {
    /// Reads `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// If one is missing or broken, or the model is no GPT-2 in f32 with GELU in its tanh form.
    pub fn open(folder: &Path) -> Result<Weights> {
        let config = fs::read_to_string(folder.join("config.json"))?;
        let config: Config = serde_json::from_str(&config)?;
        if config.activation_function != "gelu_new" {
            return Err(format!("activation {}, not gelu_new", config.activation_function).into());
        }
        let bytes = fs::read(folder.join("model.safetensors"))?;
        let mut weights = HashMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("{name} is {:?}, not f32", view.dtype()).into());
            }
            let (numbers, _) = view.data().as_chunks();
            let numbers = numbers.iter().map(|&four| f32::from_le_bytes(four)).collect();
            let name = name.strip_prefix("transformer.").unwrap_or(name);
            weights.insert(name.into(), (view.shape().to_vec(), numbers));
        }
        weights.remove("lm_head.weight"); // it is wte.weight
        Ok(Weights { config, weights })
    }

    /// Takes the weight of this name.
    ///
    /// # Errors
    /// If there is none, or it was taken.
    pub fn take(&mut self, name: &str) -> Result<Weight> {
        Ok(self.weights.remove(name).ok_or_else(|| format!("there is no {name}"))?)
    }

    /// # Errors
    /// If a weight was not taken: then the model is another one.
    pub fn finish(self) -> Result<()> {
        match self.weights.keys().min() {
            Some(name) => Err(format!("{name} is no weight of a GPT-2").into()),
            None => Ok(()),
        }
    }
}

//! A model as its files hold it: configuration and tensors, before they become a model.

use super::{Config, is_gguf, read_text, resolve};
use crate::Error;
use crate::lora::{self, SavedAdapters};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tensor::Tensor;

/// Bytes of an index of files at most.
const LARGEST_INDEX: u64 = 32 << 20;

/// Configuration and weights of a model under the names of Hugging Face's files. The tensors lie in
/// the files' memory maps.
#[derive(Debug)]
pub struct Checkpoint {
    /// The configuration.
    pub config: Config,
    /// The file or folder of the weights, for messages.
    pub weights: PathBuf,
    /// The tensors by their names.
    pub tensors: BTreeMap<String, Tensor>,
    /// Tensors of types that are not read, and their types.
    pub unsupported: BTreeMap<String, String>,
    /// Adapters that go on the model.
    pub adapters: Option<SavedAdapters>,
}

impl Checkpoint {
    /// Opens a folder in Hugging Face's layout: `config.json`, and `model.safetensors` or the files
    /// that `model.safetensors.index.json` lists; such a folder of the hub, `hf:ORG/NAME`; a GGUF file;
    /// or a folder of adapters in PEFT's layout, which names its base.
    ///
    /// # Errors
    /// If a file is missing or broken, or the hub's can't be had.
    pub fn open(source: &Path) -> Result<Checkpoint, Error> {
        let source = &resolve(source)?;
        if is_gguf(source) {
            return super::gguf::open(source);
        }
        if !source.is_dir() {
            let reason = "no such folder; a model is a folder with config.json and \
                          model.safetensors, or a GGUF file";
            return Err(Error::Config { path: source.into(), reason: reason.into() });
        }
        if lora::is_adapter(source) {
            return lora::open(source, None);
        }
        let config = Config::from_file(&source.join("config.json"))?;
        let one = source.join("model.safetensors");
        let index = source.join("model.safetensors.index.json");
        if !one.exists() && index.exists() {
            return Checkpoint::sharded(config, &index);
        }
        let contents = tensor::file::read(&one)?;
        let (tensors, unsupported) = (contents.tensors, contents.unsupported);
        Ok(Checkpoint { config, weights: one, tensors, unsupported, adapters: None })
    }

    fn sharded(config: Config, path: &Path) -> Result<Checkpoint, Error> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let wrong = |reason: String| Error::Config { path: path.into(), reason };
        let text = read_text(path, LARGEST_INDEX)?;
        let index: Index = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut files = BTreeSet::new();
        for (tensor, file) in &index.weight_map {
            // A name alone: an index must not lead out of its folder.
            if Path::new(file).file_name() != Some(file.as_ref()) {
                return Err(wrong(format!("weight_map: {tensor} has no file's name")));
            }
            files.insert(file);
        }
        let mut whole = Checkpoint {
            config,
            weights: path.into(),
            tensors: BTreeMap::new(),
            unsupported: BTreeMap::new(),
            adapters: None,
        };
        for file in files {
            let contents = tensor::file::read(&path.with_file_name(file))?;
            whole.tensors.extend(contents.tensors);
            whole.unsupported.extend(contents.unsupported);
        }
        let absent = index.weight_map.keys().find(|name| {
            !whole.tensors.contains_key(*name) && !whole.unsupported.contains_key(*name)
        });
        match absent {
            Some(name) => Err(wrong(format!("{name} is in none of the files that it lists"))),
            None => Ok(whole),
        }
    }

    /// Whether it has a matrix of each name, and they are not the same numbers.
    pub fn differ(&self, name: &str, other: &str) -> bool {
        let pair = (self.tensors.get(name), self.tensors.get(other));
        let (Some(a), Some(b)) = pair else { return false };
        match a.shape() == b.shape() && a.rank() == 2 {
            true => !rows_are_equal(a, b),
            false => a.shape() != b.shape(),
        }
    }

    /// Writes into the configuration that the output layer is not the transposed `table`, if both are
    /// here and differ; as Transformers reads such files.
    pub fn untie(&mut self, table: &str, output: &str) {
        let names: Vec<String> =
            self.tensors.keys().filter(|name| is_or_ends(name, table)).cloned().collect();
        if names.iter().any(|table| self.differ(table, output)) {
            self.config.values.insert("tie_word_embeddings".into(), false.into());
        }
    }

    /// Takes the tensor of one of `names` out.
    pub(super) fn take(&mut self, names: &[String]) -> Option<Tensor> {
        names.iter().find_map(|name| self.tensors.remove(name))
    }

    /// Names of old files become today's.
    pub(super) fn renamed(mut self) -> Checkpoint {
        let today = |name: String| {
            let old =
                [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];
            let found = old.iter().find_map(|(old, new)| Some((name.strip_suffix(old)?, new)));
            found.map(|(path, new)| format!("{path}{new}")).unwrap_or(name)
        };
        self.tensors =
            self.tensors.into_iter().map(|(name, tensor)| (today(name), tensor)).collect();
        self
    }
}

/// Whether two matrices of one shape hold the same numbers. Nearly always the first row tells; packed
/// ones stay so.
fn rows_are_equal(a: &Tensor, b: &Tensor) -> bool {
    if let (Some(a), Some(b)) = (a.packed_bytes(), b.packed_bytes())
        && a.0 == b.0
    {
        return a.1 == b.1;
    }
    let mut rows = [(); 2].map(|()| vec![0.0; a.size(1)]);
    (0..a.size(0)).all(|row| {
        a.read_row(row, &mut rows[0]);
        b.read_row(row, &mut rows[1]);
        rows[0] == rows[1]
    })
}

/// Whether a name is `end`, or `end` behind a prefix.
fn is_or_ends(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};
    use tensor::packed::Format;

    fn checkpoint(tensors: &[(&str, Tensor)]) -> Checkpoint {
        Checkpoint {
            config: Config { path: "config.json".into(), values: Map::new() },
            weights: "model.safetensors".into(),
            tensors: tensors.iter().map(|(name, x)| (name.to_string(), x.clone())).collect(),
            unsupported: BTreeMap::new(),
            adapters: None,
        }
    }

    #[test]
    fn an_output_layer_that_differs_from_the_table_is_not_tied() {
        let table = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
        let other = Tensor::new([1.0, 2.0, 3.0, 5.0], &[2, 2]);
        for (output, tied) in [(&table, None), (&other, Some(&json!(false)))] {
            for output in [output.clone(), output.pack(Format::BF16)] {
                let tensors = [("model.table", table.clone()), ("output", output)];
                let mut checkpoint = checkpoint(&tensors);
                checkpoint.untie("table", "output");
                assert_eq!(checkpoint.config.get("tie_word_embeddings"), tied);
            }
        }
        let mut alone = checkpoint(&[("table", table)]);
        alone.untie("table", "output");
        assert!(alone.config.values.is_empty());
    }
}

//! Models in GGUF files, in and out.
//!
//! A file is one folder of Hugging Face's in another form: its metadata become a `config.json`, its
//! tensors take Hugging Face's names and, where llama.cpp keeps rows in another order, their order.
//! Format of keys and names: github.com/ggml-org/ggml, `docs/gguf.md`.

mod config;
mod names;
mod rope;
mod write;

pub use write::{GgufOptions, save_gguf};

use super::Checkpoint;
use crate::Error;
use config::Keys;
use names::{Architecture, reordered};
use std::collections::BTreeMap;
use std::path::Path;
use tensor::Tensor;

/// Opens a GGUF file; its tensors stay packed in the memory map.
///
/// # Errors
/// If the file is broken, or of an architecture or with an option that is not supported.
pub(super) fn open(path: &Path) -> Result<Checkpoint, Error> {
    let contents = tensor::gguf::read(path)?;
    let keys = Keys::of(path, &contents.metadata, &contents.tensors)?;
    let config = keys.config()?;
    let architecture = keys.architecture;
    let heads = match architecture {
        Architecture::Llama => {
            let queries = keys.needed("attention.head_count")?;
            [queries, keys.count("attention.head_count_kv")?.unwrap_or(queries)]
        }
        _ => [1, 1],
    };
    let heads = heads.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &contents.tensors {
        let Some(theirs) = architecture.hugging_face(name) else {
            if name != "rope_freqs.weight" {
                tensors.insert(name.clone(), tensor.clone());
            }
            continue;
        };
        let tensor = in_their_order(architecture, &theirs, tensor, heads).ok_or_else(|| {
            let shape = tensor.shape();
            keys.wrong(format!("tensor {name:?} {shape:?} can't be shared out to {heads:?} heads"))
        })?;
        tensors.insert(theirs, tensor);
    }
    let unsupported = BTreeMap::new();
    Ok(Checkpoint { config, weights: path.into(), tensors, unsupported, adapters: None })
}

/// A file's tensor as Hugging Face's file would hold it.
fn in_their_order(
    architecture: Architecture,
    name: &str,
    tensor: &Tensor,
    heads: [usize; 2],
) -> Option<Tensor> {
    if let Some(heads) = architecture.turned_heads(name, heads) {
        return reordered(tensor, heads, false);
    }
    let transposed = architecture.is_transposed(name) && tensor.rank() == 2;
    Some(if transposed { tensor.transpose(0, 1) } else { tensor.clone() })
}

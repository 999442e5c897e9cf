//! Models and checkpoints of a run, in and out of folders.

use crate::Error;
use crate::checkpoint::State;
use crate::training::Trainer;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use transformer::{Model, Module, Tokenizer};

/// What is saved beside a model, and how.
pub struct Saved<'a> {
    /// The model's tokenizer, if it has one.
    pub tokenizer: Option<&'a Tokenizer>,
    /// How an adapter names the model it is for; `None` where the whole model is saved.
    pub base: Option<&'a Path>,
}

impl Saved<'_> {
    /// The name of the file that holds what was trained.
    pub fn weights_file(&self) -> &'static str {
        if self.base.is_some() { "adapter_model.safetensors" } else { "model.safetensors" }
    }
}

/// Writes a model, or its adapter, and its tokenizer.
///
/// # Errors
/// If a file can't be written.
pub fn save_model(model: &Model, saved: &Saved<'_>, folder: &Path) -> Result<(), Error> {
    match saved.base {
        Some(base) => model.save_adapter(folder, base)?,
        None => model.save(folder)?,
    }
    if let Some(tokenizer) = saved.tokenizer {
        tokenizer.save(folder)?;
    }
    Ok(())
}

/// The file of what the optimizer remembers.
const OPTIMIZER: &str = "optimizer.safetensors";
/// The file of the average of the weights.
const AVERAGE: &str = "average.safetensors";
/// The file of all else.
const STATE: &str = "state.json";

/// Writes all that the run needs to go on after its last step.
///
/// # Errors
/// If a file can't be written.
pub(super) fn save(
    trainer: &Trainer<'_, Model>,
    saved: &Saved<'_>,
    state: &State,
    folder: &Path,
) -> Result<(), Error> {
    save_model(trainer.model(), saved, folder)?;
    trainer.optimizer.save_state(&folder.join(OPTIMIZER))?;
    if let Some(average) = &trainer.average {
        let tensors = average.state().1.iter().map(|(name, tensor)| (name.clone(), tensor));
        tensor::file::write(&folder.join(AVERAGE), tensors, HashMap::new())?;
    }
    state.write(&folder.join(STATE))
}

/// Goes on from a folder that [`save`] wrote. Parameters that are not trained stay as they are.
///
/// # Errors
/// If a file is missing or broken, or does not belong to this run.
pub(super) fn load(
    trainer: &mut Trainer<'_, Model>,
    folder: &Path,
    fingerprint: &str,
) -> Result<State, Error> {
    let state = State::read(&folder.join(STATE))?;
    if state.fingerprint != fingerprint {
        return Err(Error::settings(format!(
            "{}: was written while training on other rows; put the old --data and --valid back, \
             or begin a new --output",
            folder.display()
        )));
    }
    load_weights(trainer.model_mut(), folder)?;
    trainer.load_optimizer(&folder.join(OPTIMIZER))?;
    if let Some(average) = &mut trainer.average {
        let path = folder.join(AVERAGE);
        let tensors = tensor::file::read(&path)?.tensors;
        average.load(state.step as u64, &tensors).map_err(|name| {
            Error::settings(format!("{}: {name} is missing or misshapen", path.display()))
        })?;
    }
    trainer.resume_after(state.step);
    Ok(state)
}

fn load_weights(model: &mut Model, folder: &Path) -> Result<(), Error> {
    let loaded = Model::from_pretrained(folder)?;
    let mut tensors: BTreeMap<String, _> =
        loaded.parameters().into_iter().map(|(name, x)| (name, x.value().clone())).collect();
    for (name, parameter) in model.parameters_mut() {
        if !parameter.is_trainable() {
            continue;
        }
        match tensors.remove(&name).filter(|tensor| tensor.shape() == parameter.shape()) {
            Some(tensor) => *parameter.value_mut() = tensor,
            None => {
                return Err(Error::settings(format!(
                    "{}: {name} is missing or misshapen",
                    folder.display()
                )));
            }
        }
    }
    Ok(())
}

/// Copies the model's files from one folder to another.
///
/// # Errors
/// If a file can't be read or written.
pub(super) fn copy_model(from: &Path, to: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(from).map_err(Error::io(from, "read"))?;
    for entry in entries {
        let path = entry.map_err(Error::io(from, "read"))?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            let to = to.join(name);
            fs::copy(&path, &to).map_err(Error::io(&to, "write"))?;
        }
    }
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it can't be read.
pub fn sha256(path: &Path) -> Result<String, Error> {
    let failed = Error::io(path, "read");
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(&failed)?);
    let mut hasher = Sha256::new();
    loop {
        let bytes = file.fill_buf().map_err(&failed)?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

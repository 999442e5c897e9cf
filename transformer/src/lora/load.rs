//! PEFT's files to adapters.

use super::Adapter;
use super::peft::{CONFIG, PREFIX, PeftConfig, WEIGHTS};
use crate::models::head::{HeadConfig, HeadKind, family, labels_of};
use crate::pretrained::{Checkpoint, Config, Layout};
use crate::{Error, Module};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tensor::Tensor;

/// Adapters as their files hold them, and what else was trained with them.
#[derive(Debug)]
pub struct SavedAdapters {
    /// The base model that they are of.
    pub base: PathBuf,
    weights: PathBuf,
    config: PeftConfig,
    /// Under the names of Hugging Face's files, with `lora_A` and `lora_B` behind a map's.
    tensors: BTreeMap<String, Tensor>,
}

/// Whether a folder holds adapters alone.
pub fn is_adapter(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has(CONFIG) && !has("model.safetensors") && !has("model.safetensors.index.json")
}

/// The base model that a folder of adapters names; none where it holds no adapters.
///
/// # Errors
/// If its configuration is broken, or names no model.
pub fn base_of(folder: &Path) -> Result<Option<PathBuf>, Error> {
    if !is_adapter(folder) {
        return Ok(None);
    }
    let config = Config::from_file(&folder.join(CONFIG))?;
    PeftConfig::of(&config)?.base(&config).map(Some)
}

/// Opens a folder in PEFT's layout with the base model that it names, or with `base`.
///
/// # Errors
/// If a file is missing or broken, an option is not supported, or the base can't be opened.
pub fn open(folder: &Path, base: Option<&Path>) -> Result<Checkpoint, Error> {
    let file = Config::from_file(&folder.join(CONFIG))?;
    let config = PeftConfig::of(&file)?;
    let base = base.map_or_else(|| config.base(&file), |base| Ok(base.into()))?;
    let base = crate::pretrained::resolve(&base)?;
    if is_adapter(&base) {
        return Err(
            file.wrong(format!("its base, {}, holds adapters; merge those first", base.display()))
        );
    }
    let mut checkpoint = Checkpoint::open(&base)?;
    let weights = folder.join(WEIGHTS);
    let contents = tensor::file::read(&weights)?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in contents.tensors {
        let bare = name
            .strip_prefix(PREFIX)
            .ok_or_else(|| file.wrong(format!("{WEIGHTS}: {name} does not begin with {PREFIX}")))?;
        tensors.insert(bare.replace(".base_layer.", "."), tensor);
    }
    if let Some((name, dtype)) = contents.unsupported.iter().next() {
        return Err(file.wrong(format!(
            "{WEIGHTS}: {name} has type {dtype}; F32, F64, F16 and BF16 are supported"
        )));
    }
    let whole = folder.join("config.json");
    match whole.exists() {
        true => checkpoint.config = Config::from_file(&whole)?,
        false => set_head(&mut checkpoint.config, &config, &tensors)?,
    }
    checkpoint.adapters = Some(SavedAdapters { base, weights, config, tensors });
    Ok(checkpoint)
}

/// Writes into the base's configuration what its adapters are trained for, where that is another head.
fn set_head(
    base: &mut Config,
    config: &PeftConfig,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(), Error> {
    let kind = match config.task_type.as_deref() {
        Some("SEQ_CLS") => HeadKind::Classification,
        Some("QUESTION_ANS") => HeadKind::Span,
        _ => return Ok(()),
    };
    let Some(family) = family(base) else { return Ok(()) };
    let ends = ["classifier.weight", "classifier.out_proj.weight", "score.weight"];
    let matrix = ends.iter().find_map(|name| tensors.get(*name).filter(|w| w.rank() == 2));
    let count = matrix.filter(|_| kind == HeadKind::Classification).map(|w| w.size(0));
    let found = HeadConfig::of(base, family, HeadKind::Hidden)?;
    if found.kind != kind || count.is_some_and(|count| count != found.labels.len()) {
        let labels = labels_of(count.unwrap_or(0));
        let head = HeadConfig { kind, labels, ..HeadConfig::default() };
        base.values.remove("num_labels");
        base.values.extend(head.to_json(family, ""));
    }
    Ok(())
}

impl SavedAdapters {
    /// Takes out the tensor that stands for a whole parameter of the base, and whether it was trained:
    /// PEFT saves embeddings also where it only reads them.
    pub(crate) fn take_whole(&mut self, names: [Option<&str>; 2]) -> Option<(Tensor, bool)> {
        let mut names = names.into_iter().flatten();
        let found = names.find_map(|name| Some((name, self.tensors.remove(name)?)));
        found.map(|(name, tensor)| (tensor, self.is_trained(name)))
    }

    fn is_trained(&self, name: &str) -> bool {
        let modules = self.config.modules_to_save.iter().flatten();
        let parts: Vec<&str> = name.split('.').collect();
        modules.into_iter().any(|module| {
            let wanted: Vec<&str> = module.split('.').collect();
            parts.windows(wanted.len()).any(|window| window == wanted)
        })
    }

    /// Puts the adapters on a model and freezes all else but `whole`, parameters by our names.
    ///
    /// # Errors
    /// If a tensor has no place in the model, or no room there.
    pub(crate) fn attach(
        mut self,
        model: &mut impl Module,
        layout: &Layout,
        whole: &BTreeSet<String>,
    ) -> Result<(), Error> {
        model.freeze(|name| !whole.contains(name));
        let wrong = |reason: String| Error::Config { path: self.weights.clone(), reason };
        for (ours, linear) in model.linears_mut() {
            let Some(module) = layout.module_in_file(&ours) else { continue };
            let [a, b] = ["lora_A", "lora_B"].map(|matrix| {
                let names = layout.candidates(&format!("{module}.{matrix}.weight"));
                names.iter().find_map(|name| self.tensors.remove(name))
            });
            let (a, b) = match (a, b) {
                (None, None) => continue,
                (Some(a), Some(b)) => (a, b),
                _ => return Err(wrong(format!("{module} has one of lora_A and lora_B alone"))),
            };
            let [d_in, d_out] = [0, 1].map(|axis| linear.weight.size(axis));
            let r = self.config.r;
            for (name, found, expected) in [("lora_A", &a, [r, d_in]), ("lora_B", &b, [d_out, r])] {
                if found.shape() != expected {
                    let found = found.shape();
                    return Err(wrong(format!(
                        "{module}.{name}.weight is {found:?} where {expected:?} is expected"
                    )));
                }
            }
            let [a, b] = [a, b].map(|matrix| autograd::Parameter::new(matrix.transpose(0, 1)));
            linear.adapter = Some(Adapter {
                a,
                b,
                alpha: self.config.lora_alpha,
                rank_stabilized: self.config.use_rslora,
                dropout: self.config.lora_dropout,
            });
        }
        match self.tensors.keys().next() {
            Some(name) => Err(wrong(format!("{name} has no place in the model"))),
            None => Ok(()),
        }
    }
}

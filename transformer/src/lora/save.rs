//! Adapters to PEFT's files.

use super::attach::is_of_task_head;
use super::peft::{CONFIG, PREFIX, PeftConfig, WEIGHTS};
use super::{Adapter, adapters};
use crate::pretrained::{Layout, Pretrained, write_json};
use crate::{Error, Module};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use tensor::Tensor;

/// Writes a model's adapters as PEFT loads them, `adapter_config.json` and `adapter_model.safetensors`, and
/// with them every other tensor that is trained: the head of a classifier always. `base` is where the
/// model came from: `hf:ORG/NAME`, a folder, or a file. `config.json` is written too: it names the
/// classes.
///
/// # Errors
/// If there are no adapters, they are of unlike kinds, what is trained can't be told to PEFT, or a
/// file can't be written.
pub fn save_adapter<M: Pretrained>(model: &M, folder: &Path, base: &Path) -> Result<(), Error> {
    let layout = model.layout();
    let found: Vec<_> = adapters(model).collect();
    let Some((_, first)) = found.first() else {
        let text = "lora: the model has no adapters to be saved; save the model";
        return Err(Error::Request(text.into()));
    };
    let kind = |adapter: &Adapter| (adapter.rank(), adapter.alpha, adapter.rank_stabilized);
    if let Some((name, _)) = found.iter().find(|(_, other)| kind(other) != kind(first)) {
        let text = format!("lora: the adapter of {name} has another rank or scale than the first");
        return Err(Error::Request(text));
    }
    let Trained { tensors, whole } = trained(model, &layout)?;
    let config = model.config_json();
    let architecture = config.get("architectures").and_then(|names| names.get(0)?.as_str());
    let json = PeftConfig::to_json(
        first,
        base,
        architecture.and_then(task_type),
        &target_modules(model, &layout),
        &whole,
    );
    write_json(&folder.join(CONFIG), &json)?;
    write_json(&folder.join("config.json"), &config.into())?;
    let note = HashMap::from([("format".to_string(), "pt".to_string())]);
    let named = tensors.iter().map(|(name, tensor)| (name.clone(), tensor));
    Ok(tensor::file::write(&folder.join(WEIGHTS), named, note)?)
}

/// What is saved.
struct Trained {
    /// Under PEFT's names.
    tensors: Vec<(String, Tensor)>,
    /// The modules that are saved whole.
    whole: Vec<String>,
}

fn trained(model: &impl Module, layout: &Layout) -> Result<Trained, Error> {
    let adapted: BTreeSet<String> = adapters(model).map(|(name, _)| name).collect();
    let (mut tensors, mut whole) = (Vec::new(), BTreeSet::new());
    for (ours, parameter) in model.parameters() {
        let path = ours.rsplit_once('.').map_or("", |(path, _)| path);
        let is_of_adapter = ours.contains(".adapter.");
        if !(is_of_adapter || is_of_task_head(&ours) || parameter.is_trainable()) {
            continue;
        }
        let named = layout.in_file(&ours).expect("every parameter has a name in files");
        if !is_of_adapter {
            if adapted.contains(path) {
                return Err(Error::Request(format!(
                    "lora: {ours} is trained beside its adapter, which PEFT's files can't hold; \
                     freeze it, or merge the adapters and save the model"
                )));
            }
            whole.insert(module_to_save(&named.name));
        }
        let value = parameter.value().clone();
        let value = if named.transposed { value.transpose(0, 1) } else { value };
        tensors.push((format!("{PREFIX}{}", named.name), value));
    }
    Ok(Trained { tensors, whole: whole.into_iter().collect() })
}

/// The module of a tensor that PEFT is to save whole; a head of many parts is one.
fn module_to_save(name: &str) -> String {
    let first = name.split('.').next().unwrap_or(name);
    match first {
        "classifier" | "score" | "qa_outputs" => first.into(),
        _ => name.rsplit_once('.').map_or(name, |(path, _)| path).into(),
    }
}

/// The last parts of the adapted maps' names where these name no other map, else whole names.
fn target_modules(model: &impl Module, layout: &Layout) -> Vec<String> {
    let mut by_last: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for (ours, linear) in model.linears() {
        let name = layout.module_in_file(&ours).unwrap_or(ours);
        let last = name.rsplit('.').next().unwrap_or(&name).to_string();
        by_last.entry(last).or_default().push((name, linear.adapter.is_some()));
    }
    let mut targets = Vec::new();
    for (last, maps) in by_last {
        match maps.iter().all(|(_, is_adapted)| *is_adapted) {
            true => targets.push(last),
            false => targets.extend(maps.into_iter().filter(|map| map.1).map(|map| map.0)),
        }
    }
    targets
}

/// PEFT's name of what an architecture does.
fn task_type(architecture: &str) -> Option<&'static str> {
    let ends = [
        ("LMHeadModel", "CAUSAL_LM"),
        ("ForCausalLM", "CAUSAL_LM"),
        ("ForConditionalGeneration", "SEQ_2_SEQ_LM"),
        ("ForSequenceClassification", "SEQ_CLS"),
        ("ForQuestionAnswering", "QUESTION_ANS"),
    ];
    ends.iter().find(|(end, _)| architecture.ends_with(end)).map(|(_, task)| *task)
}

/// # Errors
/// If the model has adapters, for which a file of whole matrices has no place.
pub(crate) fn refuse(model: &impl Module) -> Result<(), Error> {
    match adapters(model).next() {
        None => Ok(()),
        Some(_) => Err(Error::Request(
            "the model has adapters: merge them and save it (attendant convert does), or save them \
             alone"
                .into(),
        )),
    }
}

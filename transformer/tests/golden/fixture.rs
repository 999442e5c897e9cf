//! A folder of `fixtures/models`: a model as it lies in the wild, and what it must compute; made by
//! `fixtures/make_models.py`.

use autograd::{Var, cross_entropy};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tensor::file::Contents;
use tensor::{Targets, Tensor, Tokens};
use transformer::{Input, Model, Outputs, Padded};

pub struct Fixture {
    pub name: String,
    pub case: Case,
    pub golden: Contents,
    pub model: Model,
}

/// `case.json`.
#[derive(Deserialize)]
pub struct Case {
    pub shows: String,
    pub kind: Kind,
    #[allow(dead_code)] // the training test compares losses alone
    pub zero: Vec<String>,
    #[allow(dead_code)] // the training test generates nothing
    pub generation: Option<Generated>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Base,
    LanguageModel,
    Seq2seq,
    MaskedLanguageModel,
    Classify,
    Answer,
}

#[derive(Deserialize)]
#[allow(dead_code)] // the training test generates nothing
pub struct Generated {
    pub prompts: Vec<Vec<u32>>,
    pub max_new_tokens: usize,
    pub cases: Vec<GeneratedCase>,
}

#[derive(Deserialize)]
#[allow(dead_code)] // the training test generates nothing
pub struct GeneratedCase {
    pub settings: Map<String, Value>,
    pub ids: Vec<Vec<Vec<u32>>>,
}

/// All fixtures, by name.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() > 70, "fixtures are gone: {}", folders.len());
    folders
}

impl Fixture {
    pub fn open(folder: &Path) -> Fixture {
        let name = folder.file_name().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(folder.join("case.json")).unwrap();
        let case: Case = serde_json::from_str(&text).expect(&name);
        let golden = tensor::file::read(&folder.join("golden.safetensors")).unwrap();
        let model =
            Model::from_pretrained(folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        Fixture { name, case, golden, model }
    }

    /// The batch that `prefix` begins the names of.
    pub fn input(&self, prefix: &str) -> Input {
        let vocab_size = self.model.vocab_size();
        let tokens = |name: &str, count: usize| {
            let (shape, values) = self.golden.integers.get(name)?;
            let ids: Vec<u32> = values.iter().map(|&id| u32::try_from(id).unwrap()).collect();
            Some(Tokens::new(ids, count).unwrap().reshape(shape))
        };
        let ids = tokens(&format!("{prefix}ids"), vocab_size).unwrap();
        let is_token = match self.golden.integers.get(&format!("{prefix}mask")) {
            Some((_, mask)) => mask.iter().map(|&mask| mask == 1).collect(),
            None => vec![true; ids.ids().len()],
        };
        Input {
            text: Padded { tokens: ids, is_token: is_token.into() },
            token_types: tokens("token_type_ids", 2),
            target: tokens("decoder_ids", vocab_size),
        }
    }

    /// What the fixture says that it loses.
    pub fn loss(&self, outputs: &Outputs) -> Var {
        match self.case.kind {
            Kind::Base => {
                let weighted = |name: &str, x: &Option<Var>| {
                    let weights = self.golden.tensors.get(name)?;
                    Some((x.as_ref().unwrap() * &Var::constant(weights.clone())).sum())
                };
                let loss = weighted("loss_weights", &outputs.last_hidden_state).unwrap();
                match weighted("pooler_weights", &outputs.pooler_output) {
                    Some(pooled) => loss + pooled,
                    None => loss,
                }
            }
            Kind::Answer => {
                let logits = outputs.logits.as_ref().unwrap();
                let [start, end] = span(logits);
                let n = logits.size(1);
                let start = cross_entropy(&start, &self.targets("start", n));
                (start + cross_entropy(&end, &self.targets("end", n))) * 0.5
            }
            _ => {
                let logits = outputs.logits.as_ref().unwrap();
                cross_entropy(logits, &self.targets("labels", logits.size(-1)))
            }
        }
    }

    fn targets(&self, name: &str, count: usize) -> Targets {
        let (_, labels) = &self.golden.integers[name];
        let id = |&label: &i64| if label < 0 { Targets::IGNORED } else { label as u32 };
        Targets::new(labels.iter().map(id).collect::<Vec<_>>(), count).unwrap()
    }

    #[allow(dead_code)] // the training test compares losses alone
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.golden.tensors.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }
}

/// `[batch_size, seq_len, 2]` → scores of the first and of the last token, `[batch_size, seq_len]`
/// each.
pub fn span(logits: &Var) -> [Var; 2] {
    let shape = &logits.shape()[..2];
    logits.split(-1, [1, 1]).map(|scores| scores.reshape(shape))
}

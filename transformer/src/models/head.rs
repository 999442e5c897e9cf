//! What a model's hidden states are read with: the next token, the class of a text, or the answer's
//! place in it. Radford et al. 2018, section 3.3; Devlin et al. 2019, section 4.

use crate::init::Init;
use crate::module::{Parts, PartsMut};
use crate::pretrained::Config;
use crate::{Embedding, Error, Linear, Module, module};
use autograd::Var;
use serde_json::{Map, Value, json};
use tensor::Rng;

/// More classes than this are a wrong number.
const MAX_LABELS: usize = 1 << 20;

/// What a model is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadKind {
    /// Nothing: its hidden states are the result.
    Hidden,
    /// The scores of tokens.
    #[default]
    LanguageModel,
    /// The scores of a text's classes.
    Classification,
    /// The scores of each token as the answer's first and as its last.
    Span,
}

/// A kind of head and the names of its classes, as `config.json` tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadConfig {
    /// What the model is read for.
    pub kind: HeadKind,
    /// The names of the classes, of a classifier.
    pub labels: Vec<String>,
    /// How a classifier's scores become what it tells.
    pub problem: Problem,
}

/// What the scores of a classifier are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Problem {
    /// One class is right: probabilities by softmax.
    #[default]
    OneClass,
    /// Each class is right or not: probabilities by the logistic function.
    EachClass,
    /// The scores are the numbers that are told.
    Regression,
}

impl Problem {
    const NAMES: [(&str, Problem); 3] = [
        ("single_label_classification", Problem::OneClass),
        ("multi_label_classification", Problem::EachClass),
        ("regression", Problem::Regression),
    ];

    /// `problem_type` of a configuration; where it is absent, one class alone is right or not.
    fn of(config: &Config, n_labels: usize) -> Result<Problem, Error> {
        match config.get("problem_type") {
            None if n_labels == 1 => Ok(Problem::EachClass),
            None => Ok(Problem::OneClass),
            Some(found) => {
                let known = Problem::NAMES.iter().find(|(name, _)| *found == **name);
                let unknown = || config.wrong(format!("problem_type is {found}, which is unknown"));
                known.map(|(_, problem)| *problem).ok_or_else(unknown)
            }
        }
    }

    /// What a classifier tells of its scores, `[.., n_labels]` → the same.
    pub fn probabilities(self, scores: &Var) -> Var {
        match self {
            Problem::OneClass => scores.log_softmax(-1).exp(),
            Problem::EachClass => scores.sigmoid(),
            Problem::Regression => scores.clone(),
        }
    }
}

impl HeadConfig {
    /// The kind by the first name under `architectures`, e.g. `GPT2LMHeadModel`, where `family` is
    /// `GPT2`; `absent` where there is no name.
    ///
    /// # Errors
    /// If the architecture is of another kind, or there are absurdly many classes.
    pub fn of(config: &Config, family: &str, absent: HeadKind) -> Result<HeadConfig, Error> {
        let kind = match config.architecture() {
            None => absent,
            Some(name) => match name.strip_prefix(family) {
                Some("Model") => HeadKind::Hidden,
                Some(
                    "LMHeadModel"
                    | "ForCausalLM"
                    | "ForMaskedLM"
                    | "ForPreTraining"
                    | "ForConditionalGeneration"
                    | "WithLMHeadModel",
                ) => HeadKind::LanguageModel,
                Some("ForSequenceClassification") => HeadKind::Classification,
                Some("ForQuestionAnswering") => HeadKind::Span,
                _ => {
                    return Err(config.wrong(format!(
                        "architectures names {name}; of {family}, the model, the language model, \
                         ForSequenceClassification and ForQuestionAnswering are supported"
                    )));
                }
            },
        };
        let labels = match kind {
            HeadKind::Classification => labels(config)?,
            _ => Vec::new(),
        };
        let problem = match kind {
            HeadKind::Classification => Problem::of(config, labels.len())?,
            _ => Problem::default(),
        };
        Ok(HeadConfig { kind, labels, problem })
    }

    /// How many scores the head gives, where that is fixed by the task.
    pub fn count(&self) -> usize {
        if self.kind == HeadKind::Span { 2 } else { self.labels.len() }
    }

    /// The keys of `config.json` that tell it; `name` is that of the language model.
    pub fn to_json(&self, family: &str, language_model: &str) -> Map<String, Value> {
        let suffix = match self.kind {
            HeadKind::Hidden => "Model",
            HeadKind::LanguageModel => language_model,
            HeadKind::Classification => "ForSequenceClassification",
            HeadKind::Span => "ForQuestionAnswering",
        };
        let mut keys = Map::new();
        keys.insert("architectures".into(), json!([format!("{family}{suffix}")]));
        if self.kind == HeadKind::Classification {
            let named = self.labels.iter().enumerate();
            let id2label: Map<String, Value> =
                named.clone().map(|(id, label)| (id.to_string(), json!(label))).collect();
            let label2id: Map<String, Value> =
                named.map(|(id, label)| (label.clone(), json!(id))).collect();
            keys.insert("id2label".into(), id2label.into());
            keys.insert("label2id".into(), label2id.into());
            let name = Problem::NAMES.iter().find(|(_, problem)| *problem == self.problem);
            keys.insert("problem_type".into(), json!(name.map(|(name, _)| name)));
        }
        keys
    }
}

/// What the names of an architecture's models with a task's head begin with.
pub(crate) fn family(config: &Config) -> Option<&'static str> {
    Some(match config.text("model_type")? {
        "bert" => "Bert",
        "roberta" => "Roberta",
        "distilbert" => "DistilBert",
        "gpt2" => "GPT2",
        "llama" => "Llama",
        "qwen2" => "Qwen2",
        "qwen3" => "Qwen3",
        _ => return None,
    })
}

/// As many classes, named as Transformers names those without a name.
pub(crate) fn labels_of(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("LABEL_{id}")).collect()
}

/// The names of the classes: `id2label`, or as many as `num_labels` says, 2 where it is absent.
fn labels(config: &Config) -> Result<Vec<String>, Error> {
    match (config.get("id2label"), config.get("num_labels")) {
        (Some(Value::Object(named)), _) => {
            let label = |id: usize| Some(named.get(&id.to_string())?.as_str()?.to_string());
            let labels: Option<Vec<String>> = (0..named.len()).map(label).collect();
            labels
                .filter(|labels| !labels.is_empty())
                .ok_or_else(|| config.wrong("id2label does not name the classes from \"0\" on"))
        }
        (Some(_), _) => Err(config.wrong("id2label is not an object")),
        (None, None) => Ok(labels_of(2)),
        (None, Some(count)) => {
            let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
            let sane = count.filter(|count| (1..=MAX_LABELS).contains(count));
            sane.map(labels_of).ok_or_else(|| config.wrong("num_labels is not a sane number"))
        }
    }
}

/// The head of a decoder that stands alone.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a model has one: the difference is not worth an allocation
pub enum DecoderHead {
    /// None: the hidden states are the result.
    Absent,
    /// Scores of the next token through the transposed embedding (Press & Wolf 2017).
    Tied,
    /// Scores of the next token through a matrix of its own.
    Untied(Linear),
    /// Scores of the classes, read at the last token.
    Classification(Linear),
    /// Scores of the answer's first and last token.
    Span(Linear),
}

impl DecoderHead {
    /// The head that a configuration asks for, drawn by `init`.
    pub fn new(
        rng: &mut Rng,
        config: &HeadConfig,
        tied: bool,
        (d_model, vocab_size): (usize, usize),
        init: Init,
    ) -> DecoderHead {
        match config.kind {
            HeadKind::Hidden | HeadKind::LanguageModel if tied => DecoderHead::Tied,
            HeadKind::Hidden => DecoderHead::Absent,
            HeadKind::LanguageModel => {
                DecoderHead::Untied(Linear::without_bias(rng, d_model, vocab_size, init))
            }
            HeadKind::Classification => DecoderHead::Classification(Linear::without_bias(
                rng,
                d_model,
                config.count(),
                init,
            )),
            HeadKind::Span => DecoderHead::Span(Linear::new(rng, d_model, 2, init)),
        }
    }

    /// The matrix that scores the next token, `[d_model, vocab_size]`, where it does so alone.
    pub fn next_token_matrix(&self, embedding: &Embedding) -> Option<Var> {
        match self {
            DecoderHead::Tied => Some(embedding.weight.transpose(0, 1)),
            DecoderHead::Untied(Linear { weight, bias: None, adapter: None }) => {
                Some((**weight).clone())
            }
            _ => None,
        }
    }

    /// The scores at each position: `[.., d_model]` → `[.., vocab_size]`, `[.., n_labels]` or
    /// `[.., 2]`.
    ///
    /// # Panics
    /// If the last axis is not d_model, or there is no head.
    #[track_caller]
    pub fn scores(&self, hidden: &Var, embedding: &Embedding) -> Var {
        match self {
            DecoderHead::Absent => {
                panic!("the model has no head; its hidden states are the result")
            }
            DecoderHead::Tied => embedding.logits(hidden),
            DecoderHead::Untied(linear)
            | DecoderHead::Classification(linear)
            | DecoderHead::Span(linear) => linear.forward(hidden),
        }
    }

    /// Whether it gives the scores of the next token.
    pub fn is_language_model(&self) -> bool {
        matches!(self, DecoderHead::Tied | DecoderHead::Untied(_))
    }

    fn linear(&self) -> Option<(&'static str, &Linear)> {
        match self {
            DecoderHead::Absent | DecoderHead::Tied => None,
            DecoderHead::Untied(linear) => Some(("output", linear)),
            DecoderHead::Classification(linear) => Some(("classes", linear)),
            DecoderHead::Span(linear) => Some(("span", linear)),
        }
    }
}

impl Module for DecoderHead {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        if let Some((name, linear)) = self.linear() {
            linear.collect(&module::join(path, name), found);
        }
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        let (name, linear) = match self {
            DecoderHead::Absent | DecoderHead::Tied => return,
            DecoderHead::Untied(linear) => ("output", linear),
            DecoderHead::Classification(linear) => ("classes", linear),
            DecoderHead::Span(linear) => ("span", linear),
        };
        linear.collect_mut(&module::join(path, name), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: Value) -> Result<HeadConfig, Error> {
        let values = values.as_object().unwrap().clone();
        HeadConfig::of(&Config { path: "c".into(), values }, "GPT2", HeadKind::LanguageModel)
    }

    #[test]
    fn the_kind_is_named_by_the_architecture() {
        let kind = |name: &str| of(json!({ "architectures": [name] })).map(|head| head.kind);
        assert_eq!(kind("GPT2Model").unwrap(), HeadKind::Hidden);
        assert_eq!(kind("GPT2LMHeadModel").unwrap(), HeadKind::LanguageModel);
        assert_eq!(kind("GPT2ForQuestionAnswering").unwrap(), HeadKind::Span);
        assert_eq!(of(json!({})).unwrap().kind, HeadKind::LanguageModel);
        assert_eq!(
            kind("GPT2DoubleHeadsModel").unwrap_err().to_string(),
            "c: architectures names GPT2DoubleHeadsModel; of GPT2, the model, the language model, \
             ForSequenceClassification and ForQuestionAnswering are supported"
        );
    }

    #[test]
    fn classes_are_named_or_counted() {
        let labels = |mut values: Value| {
            values["architectures"] = json!(["GPT2ForSequenceClassification"]);
            of(values).map(|head| head.labels)
        };
        assert_eq!(labels(json!({})).unwrap(), ["LABEL_0", "LABEL_1"]);
        assert_eq!(labels(json!({ "num_labels": 3 })).unwrap().len(), 3);
        let named = json!({ "id2label": { "1": "good", "0": "bad" } });
        assert_eq!(labels(named).unwrap(), ["bad", "good"]);
        assert!(labels(json!({ "id2label": { "7": "good" } })).is_err());
        assert!(labels(json!({ "num_labels": u64::MAX })).is_err());
    }

    #[test]
    fn scores_become_probabilities_as_the_problem_says() {
        let problem = |mut values: Value| {
            values["architectures"] = json!(["GPT2ForSequenceClassification"]);
            of(values).map(|head| head.problem)
        };
        assert_eq!(problem(json!({})).unwrap(), Problem::OneClass);
        assert_eq!(problem(json!({ "num_labels": 1 })).unwrap(), Problem::EachClass);
        let told = json!({ "problem_type": "regression", "num_labels": 1 });
        assert_eq!(problem(told).unwrap(), Problem::Regression);
        assert!(problem(json!({ "problem_type": "other" })).is_err());
        let scores = Var::constant(tensor::Tensor::new([0.0, 0.0], &[1, 2]));
        let each = Problem::EachClass.probabilities(&scores).value().to_vec();
        let one = Problem::OneClass.probabilities(&scores).value().to_vec();
        assert_eq!((each, one), (vec![0.5; 2], vec![0.5; 2]));
    }
}

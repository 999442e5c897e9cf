//! Every architecture, layout and option against Transformers, on the fixtures that
//! `fixtures/make_models.py` makes. With `ATTENDANT_WRITE_PARITY=1` the largest differences are
//! written to `docs/parity.md`.

#[path = "golden/fixture.rs"]
mod fixture;
#[path = "golden/parity.rs"]
mod parity;

use fixture::{Fixture, GeneratedCase, Kind, folders, span};
use parity::Table;
use serde_json::Value;
use std::path::PathBuf;
use tensor::{Float, Tensor};
use transformer::{Autoregressive, EarlyStopping, Generation, Input, Model, Module, Outputs};

/// Largest difference that counts as equal, relative to the tensor's largest entry. The fixtures are
/// computed in float64 throughout.
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-9 } else { 1e-4 };

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models")
}

#[test]
fn every_fixture_equals_transformers() {
    let columns = ["hidden states", "logits", "loss", "gradients", "generated"];
    let mut table = Table::new("Models", &columns);
    let mut faults = Vec::new();
    for folder in folders(&root()) {
        let fixture = Fixture::open(&folder);
        let mut check = Check { fixture: &fixture, worst: [None; 4], wrong: Vec::new() };
        let outputs = check.outputs();
        check.gradients(&outputs);
        check.padded();
        let generated = check.generated();
        let Check { worst, wrong, .. } = check;
        faults.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", fixture.name)));
        let mut cells: Vec<String> = worst.iter().map(|worst| parity::number(*worst)).collect();
        cells.push(generated.map_or(String::new(), |count| format!("{count} sequences equal")));
        table.row(&fixture.name, &fixture.case.shows, cells);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    table.write(TOLERANCE);
}

/// What a column of the table compares.
#[derive(Clone, Copy)]
enum What {
    Hidden,
    Logits,
    Loss,
    Gradients,
}

struct Check<'a> {
    fixture: &'a Fixture,
    worst: [Option<f64>; 4],
    wrong: Vec<String>,
}

impl Check<'_> {
    fn close(&mut self, what: What, name: &str, ours: &Tensor, golden: &Tensor) {
        if ours.shape() != golden.shape() {
            return self.wrong.push(format!("{name} is {:?}", ours.shape()));
        }
        let largest = golden.to_vec().iter().fold(0.0f64, |m, &x| m.max(f64::from(x).abs()));
        let pairs = ours.to_vec().into_iter().zip(golden.to_vec());
        let far = |(a, b): (Float, Float)| if a == b { 0.0 } else { f64::from(a - b).abs() };
        let difference = pairs.map(far).fold(0.0, nan_or_max) / largest.max(1e-30);
        let worst = &mut self.worst[what as usize];
        *worst = Some(nan_or_max(worst.unwrap_or(0.0), difference));
        if difference.is_nan() || difference > TOLERANCE {
            self.wrong.push(format!("{name} differs by {difference:e} of {largest}"));
        }
    }

    fn outputs(&mut self) -> Outputs {
        let input = self.fixture.input("");
        let outputs = self.fixture.model.outputs(&input).unwrap();
        let encodes = outputs.encoder_trace.is_some();
        let traces =
            [("hidden", Some(&outputs.trace)), ("encoder_hidden", outputs.encoder_trace.as_ref())];
        for (name, trace) in traces {
            let states = trace.map_or(&[][..], |trace| &trace.hidden_states);
            for (index, state) in states.iter().enumerate() {
                let name = format!("{name}.{index}");
                let golden = self.fixture.tensor(&name).clone();
                let is_text = !encodes || name.starts_with("encoder");
                let [ours, golden] = [state.value(), &golden]
                    .map(|x| if is_text { tokens_of(x, &input) } else { x.clone() });
                self.close(What::Hidden, &name, &ours, &golden);
            }
            let next = format!("{name}.{}", states.len());
            assert!(!self.fixture.golden.tensors.contains_key(&next), "{next} was not compared");
        }
        self.named_outputs(&outputs, &input);
        outputs
    }

    fn named_outputs(&mut self, outputs: &Outputs, input: &Input) {
        let mut compared = Vec::new();
        if let Some(logits) = &outputs.logits {
            match self.fixture.case.kind {
                Kind::Answer => {
                    let [start, end] = span(logits);
                    compared.extend([("start_logits", start), ("end_logits", end)]);
                }
                _ => compared.push(("logits", logits.clone())),
            }
        }
        if self.fixture.case.kind == Kind::Base {
            compared.extend(outputs.last_hidden_state.clone().map(|x| ("last_hidden_state", x)));
            compared.extend(outputs.pooler_output.clone().map(|x| ("pooler_output", x)));
        }
        for (name, ours) in &compared {
            let golden = self.fixture.tensor(name).clone();
            let by_token = ours.shape()[..2.min(ours.shape().len())] == *input.text.tokens.shape();
            let [ours, golden] = [ours.value(), &golden]
                .map(|x| if by_token { tokens_of(x, input) } else { x.clone() });
            self.close(What::Logits, name, &ours, &golden);
        }
        if self.fixture.golden.tensors.contains_key("embedding") {
            let embedding = self.fixture.model.embed(input).unwrap();
            compared.push(("embedding", embedding));
            let golden = self.fixture.tensor("embedding").clone();
            self.close(What::Logits, "embedding", compared.last().unwrap().1.value(), &golden);
        }
        for name in ["logits", "start_logits", "last_hidden_state", "pooler_output", "embedding"] {
            let is_compared = compared.iter().any(|(compared, _)| *compared == name);
            let is_there = self.fixture.golden.tensors.contains_key(name);
            assert_eq!(is_compared, is_there, "{}: {name}", self.fixture.name);
        }
    }

    fn gradients(&mut self, outputs: &Outputs) {
        let loss = self.fixture.loss(outputs);
        let golden = self.fixture.tensor("loss").clone();
        self.close(What::Loss, "loss", &loss.value().reshape(&[1]), &golden);
        let gradients = loss.backward().unwrap();
        let model = &self.fixture.model;
        let mut count = 0;
        let largest = self.fixture.tensor("grad_norm").item().abs();
        for (ours, parameter) in model.parameters() {
            let named = model.layout().in_file(&ours).unwrap();
            let Some(gradient) = gradients.get(parameter) else {
                self.wrong.push(format!("{ours} has no gradient"));
                continue;
            };
            count += 1;
            let gradient =
                if named.transposed { gradient.transpose(0, 1) } else { gradient.clone() };
            let name = self.in_transformers(&named.name);
            if self.fixture.case.zero.contains(&name) {
                let most = gradient.to_vec().iter().fold(0.0, |most: Float, x| most.max(x.abs()));
                assert!(most <= 1e-5 * largest, "{name} has a gradient: {most}");
                continue;
            }
            let golden = self.fixture.tensor(&format!("grad.{name}")).clone();
            self.close(What::Gradients, &name, &gradient, &golden);
        }
        let names = self.fixture.golden.tensors.keys();
        assert_eq!(count, names.filter(|name| name.starts_with("grad.")).count());
    }

    /// A body alone has no prefix in Transformers.
    fn in_transformers(&self, name: &str) -> String {
        let there = |name: &str| self.fixture.golden.tensors.contains_key(&format!("grad.{name}"));
        match name.split_once('.') {
            Some((_, bare)) if !there(name) && there(bare) => bare.to_string(),
            _ => name.to_string(),
        }
    }

    fn padded(&mut self) {
        if self.fixture.golden.integers.contains_key("padded.ids") {
            let input = self.fixture.input("padded.");
            let logits = self.fixture.model.outputs(&input).unwrap().logits.unwrap();
            let golden = tokens_of(self.fixture.tensor("padded.logits"), &input);
            self.close(What::Logits, "padded.logits", &tokens_of(logits.value(), &input), &golden);
        }
    }

    /// How many sequences were compared. All prompts are one padded batch, and each is one alone.
    fn generated(&mut self) -> Option<usize> {
        let generation = self.fixture.case.generation.as_ref()?;
        let (model, mut count) = (&self.fixture.model, 0);
        for case in &generation.cases {
            let settings = settings(case, generation.max_new_tokens);
            let golden: Vec<Vec<u32>> = case.ids.concat();
            let found = model.generate_batch(&generation.prompts, &settings).unwrap();
            let n = settings.num_return_sequences;
            for (index, (found, golden)) in found.iter().zip(&golden).enumerate() {
                let new = new_tokens(model, found, &generation.prompts[index / n]);
                if new != golden {
                    self.wrong.push(format!("generated {new:?}, not {golden:?}: {settings:?}"));
                }
            }
            for (prompt, together) in generation.prompts.iter().zip(found.chunks(n)) {
                assert_eq!(model.generate_batch(&[prompt], &settings).unwrap(), together);
            }
            assert_eq!(found.len(), golden.len());
            count += golden.len();
        }
        Some(count)
    }
}

fn nan_or_max(a: f64, b: f64) -> f64 {
    if b.is_nan() { b } else { a.max(b) }
}

/// Numbers of real tokens, `[batch_size, seq_len, ..]` → one after the other.
fn tokens_of(x: &Tensor, input: &Input) -> Tensor {
    let count = input.text.is_token.len();
    let width = x.len() / count;
    let values = x.to_vec();
    let rows = values.chunks(width).zip(input.text.is_token.iter());
    let kept: Vec<Float> =
        rows.filter(|(_, is_token)| **is_token).flat_map(|(row, _)| row.to_vec()).collect();
    let len = kept.len();
    Tensor::new(kept, &[len])
}

/// What follows the prompt, or an encoder–decoder's start token.
fn new_tokens<'a>(model: &Model, found: &'a [u32], prompt: &[u32]) -> &'a [u32] {
    if model.is_encoder_decoder() { &found[1..] } else { &found[prompt.len()..] }
}

fn settings(case: &GeneratedCase, max_new_tokens: usize) -> Generation {
    let number = |name: &str| case.settings.get(name).and_then(Value::as_f64);
    let ends = case.settings["eos_token_id"].as_array().unwrap();
    let num_beams = number("num_beams").unwrap() as usize;
    Generation {
        max_new_tokens: Some(max_new_tokens),
        end_tokens: Some(ends.iter().map(|id| id.as_u64().unwrap() as u32).collect()),
        num_beams,
        num_return_sequences: num_beams,
        length_penalty: number("length_penalty").unwrap_or(1.0) as Float,
        early_stopping: match case.settings.get("early_stopping") {
            None | Some(Value::Bool(false)) => EarlyStopping::No,
            Some(Value::Bool(true)) => EarlyStopping::Yes,
            Some(_) => EarlyStopping::Never,
        },
        ..Generation::default()
    }
}

#[test]
fn what_is_saved_is_loaded_again_and_says_the_same() {
    for folder in folders(&root()) {
        let fixture = Fixture::open(&folder);
        let saved = tempfile::tempdir().unwrap();
        fixture.model.save(saved.path()).unwrap();
        let again = Model::from_pretrained(saved.path()).unwrap();
        let said = |model: &Model| {
            let outputs = model.outputs(&fixture.input("")).unwrap();
            let loss = fixture.loss(&outputs).item();
            (outputs.last_hidden_state.map(|x| x.value().to_vec()), loss)
        };
        assert_eq!(said(&again), said(&fixture.model), "{}", fixture.name);
    }
}

//! Twenty steps of each optimizer against PyTorch's (Lion's and Muon's against NumPy), on the
//! fixture that `fixtures/make_optimizers.py` makes.

use autograd::{Gradients, Parameter};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tensor::{Float, Tensor, file::Contents};
use train::optimizer::{Adam, AdamW, Lion, Muon, Optimizer, Schedule, Sgd};
use transformer::{Module, parameters_of};

const STEPS: usize = 20;
const DECAY: f64 = 0.3;
const TOLERANCE: Float = if size_of::<Float>() == 8 { 1e-6 } else { 1e-4 };

struct Problem {
    wide: Parameter,
    tall: Parameter,
    vector: Parameter,
}
parameters_of!(Problem { wide, tall, vector });

fn fixture() -> Contents {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tensor::file::read(&path.join("tests/fixtures/optimizers.safetensors")).unwrap()
}

fn at(tensors: &BTreeMap<String, Tensor>, prefix: &str, name: &str, step: usize) -> Tensor {
    let all = &tensors[&format!("{prefix}.{name}")];
    all.narrow(0, step, 1).reshape(&all.shape()[1..])
}

impl Problem {
    fn new(tensors: &BTreeMap<String, Tensor>) -> Problem {
        let start = |name: &str| Parameter::new(tensors[&format!("start.{name}")].clone());
        Problem { wide: start("wide"), tall: start("tall"), vector: start("vector") }
    }

    /// A loss whose gradients are the fixture's.
    fn gradients(&self, tensors: &BTreeMap<String, Tensor>, step: usize) -> Gradients {
        let weighed = |name: &str, x: &Parameter| {
            let weights = autograd::Var::constant(at(tensors, "gradients", name, step));
            (&**x * &weights).sum()
        };
        let loss = weighed("wide", &self.wide) + &weighed("tall", &self.tall);
        (loss + &weighed("vector", &self.vector)).backward().unwrap()
    }
}

#[track_caller]
fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    let expected = expected.to_vec();
    let largest = expected.iter().fold(0.0, |largest: Float, x| largest.max(x.abs()));
    for (a, &b) in found.to_vec().into_iter().zip(&expected) {
        let error = (a - b).abs() / (a.abs() + b.abs() + 1e-2 * largest);
        assert!(error < TOLERANCE, "{what}: {a}, expected {b}");
    }
}

fn holds(run: &str, mut optimizer: impl Optimizer) {
    let tensors = fixture().tensors;
    let lr = tensors["lr"].to_vec();
    let mut model = Problem::new(&tensors);
    for (step, &lr) in lr.iter().enumerate().take(STEPS) {
        let gradients = model.gradients(&tensors, step);
        optimizer.step(&mut model, &gradients, f64::from(lr)).unwrap();
        for (name, parameter) in model.parameters() {
            let expected = at(&tensors, run, &name, step);
            assert_close(parameter.value(), &expected, &format!("{run}, {name}, step {step}"));
        }
    }
}

#[test]
fn sgd_equals_pytorchs() {
    holds("sgd", Sgd::new(0.0));
    holds("sgd_decay", Sgd::new(DECAY));
    holds("sgd_momentum", Sgd { momentum: 0.9, ..Sgd::new(DECAY) });
    holds("sgd_nesterov", Sgd { momentum: 0.9, nesterov: true, ..Sgd::new(DECAY) });
    holds("sgd_clip", Sgd { momentum: 0.9, clip: Some(1.0), ..Sgd::new(0.0) });
}

#[test]
fn adam_equals_pytorchs() {
    holds("adam", Adam::new(0.0));
    holds("adam_decay", Adam { beta1: 0.8, beta2: 0.95, ..Adam::new(DECAY) });
}

#[test]
fn adamw_equals_pytorchs() {
    holds("adamw", AdamW::new(DECAY));
    holds("adamw_clip", AdamW { eps: 1e-3, clip: Some(1.0), ..AdamW::new(DECAY) });
}

#[test]
fn lion_equals_its_papers_algorithm() {
    holds("lion", Lion::new(DECAY));
}

#[test]
fn muon_equals_its_papers_algorithm() {
    holds("muon", Muon::new(DECAY));
}

#[test]
fn one_cycle_equals_pytorchs() {
    let tensors = fixture().tensors;
    let cases = [("one_cycle.50.15", 0), ("one_cycle.50.10", 10), ("one_cycle.37.11.1", 0)];
    for (name, warmup) in cases {
        let steps = tensors[name].len();
        let factor = |step| Schedule::OneCycle.factor(step, steps, warmup) as Float;
        let found: Vec<Float> = (1..=steps).map(factor).collect();
        for (step, (a, b)) in found.iter().zip(tensors[name].to_vec()).enumerate() {
            assert!((a - b).abs() <= TOLERANCE * b, "{name}, step {step}: {a}, expected {b}");
        }
    }
}

//! What an optimizer remembers, in and out of a file.

use super::memory::{Memory, Remembered};
use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tensor::Tensor;
use transformer::Module;

/// The key of the file's metadata that holds [`Counts`].
const COUNTS: &str = "attendant.optimizer";

/// All but the tensors, which stand beside it as `PARAMETER.WHAT`.
#[derive(Serialize, Deserialize)]
struct Counts {
    optimizer: String,
    steps: u64,
    parameters: BTreeMap<String, OfParameter>,
}

/// Steps that a parameter took part in, and what is remembered of it, in the optimizer's order.
#[derive(Serialize, Deserialize)]
struct OfParameter {
    steps: u64,
    remembers: Vec<String>,
}

impl Memory {
    pub(super) fn write(&self, path: &Path, optimizer: &str) -> Result<(), Error> {
        let of_parameter = |remembered: &Remembered| OfParameter {
            steps: remembered.steps,
            remembers: remembered.tensors.iter().map(|(what, _)| what.to_string()).collect(),
        };
        let parameters = self.of_parameters.iter();
        let counts = Counts {
            optimizer: optimizer.into(),
            steps: self.steps,
            parameters: parameters.map(|(name, x)| (name.clone(), of_parameter(x))).collect(),
        };
        let counts = serde_json::to_string(&counts).expect("texts and counts");
        Ok(tensor::file::write(path, self.state(), HashMap::from([(COUNTS.into(), counts)]))?)
    }

    pub(super) fn read(path: &Path, optimizer: &str, model: &dyn Module) -> Result<Memory, Error> {
        let mut file = tensor::file::read(path)?;
        let counts = file.metadata.get(COUNTS).map(|counts| serde_json::from_str(counts));
        let counts: Counts = match counts {
            Some(Ok(counts)) => counts,
            Some(Err(error)) => return wrong(path, format_args!("is broken: {error}")),
            None => return wrong(path, "is not what an optimizer remembers"),
        };
        if counts.optimizer != optimizer {
            let reason = format!(
                "is what {} remembers; --optimizer {optimizer} cannot go on from it",
                counts.optimizer
            );
            return wrong(path, reason);
        }
        let memory = Memory::assembled(&counts, &mut file.tensors, model);
        let memory = memory.or_else(|reason| wrong(path, reason))?;
        match file.tensors.keys().next() {
            Some(name) => wrong(path, format_args!("{name} is no tensor of {optimizer}'s")),
            None => Ok(memory),
        }
    }

    /// Takes out of `tensors` what the counts name, and holds it against the model.
    fn assembled(
        counts: &Counts,
        tensors: &mut BTreeMap<String, Tensor>,
        model: &dyn Module,
    ) -> Result<Memory, String> {
        let shapes: BTreeMap<String, &[usize]> =
            model.parameters().into_iter().map(|(name, x)| (name, x.shape())).collect();
        let mut memory = Memory { steps: counts.steps, ..Memory::default() };
        for (name, of_parameter) in &counts.parameters {
            let Some(&shape) = shapes.get(name) else {
                return Err(format!("the model has no parameter {name}"));
            };
            let mut remembered = Remembered { steps: of_parameter.steps, tensors: Vec::new() };
            for what in &of_parameter.remembers {
                let Some(tensor) = tensors.remove(&format!("{name}.{what}")) else {
                    return Err(format!("tensor {name}.{what} is missing"));
                };
                if tensor.shape() != shape {
                    let found = tensor.shape();
                    return Err(format!("{name}.{what} is {found:?}, the parameter is {shape:?}"));
                }
                remembered.tensors.push((what.clone().into(), tensor));
            }
            memory.of_parameters.insert(name.clone(), remembered);
        }
        Ok(memory)
    }
}

fn wrong<T>(path: &Path, reason: impl std::fmt::Display) -> Result<T, Error> {
    Err(Error::settings(format!("{}: {reason}", path.display())))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::{Adam, AdamW, Group, Lion, Muon, Optimizer, Sgd};
    use autograd::{Gradients, Parameter};
    use std::collections::{BTreeMap, HashMap};
    use std::path::Path;
    use tensor::{Float, Rng, Tensor};
    use transformer::{Module, parameters_of};

    struct Model {
        hidden: Parameter,
        bias: Parameter,
        late: Parameter,
    }
    parameters_of!(Model { hidden, bias, late });

    impl Model {
        fn new() -> Model {
            let rng = &mut Rng::seeded(3);
            let [hidden, bias, late] =
                [&[3, 5][..], &[5], &[2]].map(|shape| Parameter::new(rng.normal(shape, 1.0)));
            Model { hidden, bias, late }
        }

        /// Other gradients in each step; `late` is frozen in the first.
        fn step(&mut self, optimizer: &mut dyn Optimizer, step: u64) {
            match step {
                1 => self.late.freeze(),
                _ => self.late.unfreeze(),
            }
            let rng = &mut Rng::seeded(step);
            let mut weighed = |x: &Parameter| {
                let weights = rng.normal(x.shape(), 1.0);
                (&**x * &autograd::Var::constant(weights)).sum()
            };
            let loss = weighed(&self.hidden) + &weighed(&self.bias);
            let loss = loss + &weighed(&self.late);
            let gradients: Gradients = loss.backward().unwrap();
            optimizer.step(self, &gradients, 0.01).unwrap();
        }

        fn bits(&self) -> Vec<Float> {
            self.parameters().iter().flat_map(|(_, x)| x.value().to_vec()).collect()
        }
    }

    fn each() -> Vec<Box<dyn Optimizer>> {
        vec![
            Box::new(Sgd::new(0.1)),
            Box::new(Sgd { momentum: 0.9, clip: Some(1.0), ..Sgd::new(0.1) }),
            Box::new(Adam::new(0.1)),
            Box::new(AdamW { groups: vec![Group::all(0.1)], ..AdamW::new(0.1) }),
            Box::new(Lion::new(0.1)),
            Box::new(Muon::new(0.1)),
        ]
    }

    #[test]
    fn three_steps_a_file_and_three_steps_are_six() {
        let folder = tempfile::tempdir().unwrap();
        for ((mut first, mut second), mut whole) in each().into_iter().zip(each()).zip(each()) {
            let path = folder.path().join(first.name());
            let (mut model, mut never_saved) = (Model::new(), Model::new());
            for step in 1..=6 {
                never_saved.step(&mut *whole, step);
            }
            for step in 1..=3 {
                model.step(&mut *first, step);
            }
            first.save_state(&path).unwrap();
            second.load_state(&model, &path).unwrap();
            for step in 4..=6 {
                model.step(&mut *second, step);
            }
            assert_eq!(model.bits(), never_saved.bits(), "{}", first.name());
            assert_eq!(second.memory().steps(), 6);
            let as_saved = folder.path().join("again");
            second.save_state(&as_saved).unwrap();
            whole.save_state(&path).unwrap();
            assert!(std::fs::read(&as_saved).unwrap() == std::fs::read(&path).unwrap());
        }
    }

    /// A model whose last parameter has another name or shape.
    struct Other {
        hidden: Parameter,
        bias: Parameter,
        last: Parameter,
    }
    parameters_of!(Other { hidden, bias, last });

    #[test]
    fn a_memory_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optimizer.safetensors");
        let (mut model, mut adam) = (Model::new(), Adam::new(0.0));
        for step in 1..=2 {
            model.step(&mut adam, step);
        }
        adam.save_state(&path).unwrap();
        let refused = |optimizer: &mut dyn Optimizer, model: &dyn Module, path: &Path| {
            let error = optimizer.load_state(model, path).unwrap_err().to_string();
            assert_eq!(optimizer.memory().steps(), 0);
            error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_string()
        };
        assert_eq!(
            refused(&mut AdamW::new(0.0), &model, &path),
            "is what adam remembers; --optimizer adamw cannot go on from it"
        );
        let Model { hidden, bias, late } = Model::new();
        let other = Other { hidden, bias, last: late };
        let fresh = || Adam::new(0.0);
        assert_eq!(refused(&mut fresh(), &other, &path), "the model has no parameter late");
        let wide = Model { bias: Parameter::new(Tensor::zeros(&[6])), ..Model::new() };
        assert_eq!(refused(&mut fresh(), &wide, &path), "bias.m is [5], the parameter is [6]");

        let file = tensor::file::read(&path).unwrap();
        let path = folder.path().join("changed");
        let refused_with = |tensors: &BTreeMap<String, Tensor>| {
            let all = tensors.iter().map(|(name, x)| (name.clone(), x));
            tensor::file::write(&path, all, file.metadata.clone()).unwrap();
            refused(&mut fresh(), &model, &path)
        };
        let mut tensors = file.tensors.clone();
        let v = tensors.remove("bias.v").unwrap();
        assert_eq!(refused_with(&tensors), "tensor bias.v is missing");
        tensors.insert("bias.v".into(), v.clone());
        tensors.insert("bias.b".into(), v);
        assert_eq!(refused_with(&tensors), "bias.b is no tensor of adam's");
        let of_a_model = HashMap::from([("format".into(), "pt".into())]);
        tensor::file::write(&path, [], of_a_model).unwrap();
        assert_eq!(refused(&mut fresh(), &model, &path), "is not what an optimizer remembers");
    }
}

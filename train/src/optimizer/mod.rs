//! Optimizers: from gradients to new weights.
//!
//! Each file is one optimizer: its equation, its pass over memory, its tests. What they share
//! (groups of parameters, the norm of the gradients and its bound, what is remembered by name)
//! stands in [`memory`], [`group`] and [`clip`]; a memory's file in `saved`.

pub mod adam;
pub mod adamw;
pub mod average;
pub mod clip;
pub mod group;
pub mod kind;
pub mod lion;
pub mod memory;
pub mod muon;
pub mod one_cycle;
mod saved;
pub mod schedule;
pub mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use average::Average;
pub use group::Group;
pub use kind::{Kind, Numbers};
pub use lion::Lion;
pub use memory::{Memory, State, Update};
pub use muon::Muon;
pub use schedule::Schedule;
pub use sgd::Sgd;

use autograd::Gradients;
use std::path::Path;
use tensor::Tensor;
use transformer::Module;

/// A rule that turns gradients into new weights.
///
/// One of your own calls [`Memory::step`] with its equation for one parameter:
///
/// ```
/// use train::optimizer::{Error, Group, Memory, Optimizer};
/// /// θ ← θ − η sign(g)
/// #[derive(Default)]
/// struct SignDescent(Memory);
/// impl Optimizer for SignDescent {
///     fn step(
///         &mut self,
///         model: &mut dyn transformer::Module,
///         gradients: &autograd::Gradients,
///         lr: f64,
///     ) -> Result<f64, Error> {
///         self.0.step(model, gradients, lr, (None, &[Group::all(0.0)]), |update| {
///             let lr = update.lr as tensor::Float;
///             update.value.apply_zip(update.gradient, |w, g| w - lr * g.signum());
///         })
///     }
///     fn name(&self) -> &str {
///         "sign descent"
///     }
///     fn memory(&self) -> &Memory {
///         &self.0
///     }
///     fn memory_mut(&mut self) -> &mut Memory {
///         &mut self.0
///     }
/// }
/// ```
pub trait Optimizer {
    /// Takes one step with learning rate `lr` and returns the global norm of the gradients before
    /// clipping.
    ///
    /// # Errors
    /// If a parameter that is neither frozen nor declared unused got no gradient, or a gradient is
    /// not finite; nothing is changed then.
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error>;

    /// Its name, which a saved memory bears.
    fn name(&self) -> &str;

    /// What it remembers.
    fn memory(&self) -> &Memory;

    /// What it remembers, to be changed.
    fn memory_mut(&mut self) -> &mut Memory;

    /// What it remembers, `PARAMETER.WHAT` and a tensor each, sorted by parameter.
    fn state(&self) -> Vec<(String, &Tensor)> {
        self.memory().state()
    }

    /// Writes what it remembers, to the bit, as a safetensors file.
    ///
    /// # Errors
    /// If it can't be written.
    fn save_state(&self, path: &Path) -> Result<(), crate::Error> {
        self.memory().write(path, self.name())
    }

    /// Reads what [`Optimizer::save_state`] wrote: the next step is the one that would have come
    /// after those taken before.
    ///
    /// # Errors
    /// If the file can't be read, is broken, or is the memory of another optimizer or model;
    /// nothing is changed then.
    fn load_state(&mut self, model: &dyn Module, path: &Path) -> Result<(), crate::Error> {
        *self.memory_mut() = Memory::read(path, self.name(), model)?;
        Ok(())
    }
}

/// Why a step was not taken. The weights are as they were before it.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A parameter got no gradient.
    #[error(
        "parameter {0} got no gradient: the loss does not depend on it; declare it unused if the \
         task does not need it"
    )]
    Unreached(String),
    /// A gradient is NaN or infinite.
    #[error(
        "the gradient of parameter {0} is not finite; lower the learning rate, or look for a \
         division by zero or a logarithm of zero in the loss"
    )]
    NotFinite(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::Parameter;
    use tensor::Float;
    use transformer::parameters_of;

    /// A model of one parameter.
    pub struct One {
        pub w: Parameter,
    }
    parameters_of!(One { w });

    impl One {
        pub fn new(w: Tensor) -> One {
            One { w: Parameter::new(w) }
        }

        /// Gradients that are `gradient` in each number.
        pub fn gradients(&self, gradient: f64) -> Gradients {
            (&*self.w * gradient as Float).sum().backward().unwrap()
        }
    }

    /// The first number of a parameter full of `w` after a step with each of the gradients.
    pub fn run(
        optimizer: &mut dyn Optimizer,
        shape: &[usize],
        w: f64,
        gradients: &[f64],
        lr: f64,
    ) -> f64 {
        let mut model = One::new(Tensor::full(shape, w as Float));
        for &gradient in gradients {
            let gradients = model.gradients(gradient);
            optimizer.step(&mut model, &gradients, lr).unwrap();
        }
        f64::from(model.w.value().data()[0])
    }

    fn each() -> Vec<Box<dyn Optimizer>> {
        vec![
            Box::new(Sgd { momentum: 0.9, ..Sgd::new(0.1) }),
            Box::new(Adam::new(0.1)),
            Box::new(AdamW::new(0.1)),
            Box::new(Lion::new(0.1)),
            Box::new(Muon::new(0.1)),
        ]
    }

    #[test]
    fn nothing_changes_when_a_step_is_refused() {
        for mut optimizer in each() {
            let mut model = One::new(Tensor::ones(&[2, 2]));
            let gradients = model.gradients(f64::NAN);
            assert_eq!(
                optimizer.step(&mut model, &gradients, 0.01),
                Err(Error::NotFinite("w".into()))
            );
            assert_eq!(model.w.value().to_vec(), [1.0; 4]);
            assert!(optimizer.state().is_empty());
        }
    }

    #[test]
    fn a_frozen_parameter_is_passed_by() {
        for mut optimizer in each() {
            let mut model = One::new(Tensor::ones(&[2, 2]));
            let gradients = model.gradients(1.0);
            model.w.freeze();
            assert_eq!(optimizer.step(&mut model, &gradients, 0.01), Ok(0.0));
            assert_eq!(model.w.value().to_vec(), [1.0; 4]);
        }
    }

    #[test]
    fn what_is_remembered_has_names_and_the_parameters_shape() {
        let names = [&["w.velocity"][..], &["w.m", "w.v"], &["w.m", "w.v"], &["w.m"]];
        let names = names.into_iter().chain([&["w.momentum"][..]]);
        for (mut optimizer, names) in each().into_iter().zip(names) {
            let mut model = One::new(Tensor::ones(&[2, 3]));
            let gradients = model.gradients(1.0);
            optimizer.step(&mut model, &gradients, 0.01).unwrap();
            let state = optimizer.state();
            assert!(state.iter().map(|(name, _)| name).eq(names));
            assert!(state.iter().all(|(_, tensor)| tensor.shape() == [2, 3]));
        }
    }

    #[test]
    fn each_finds_the_lowest_point_of_a_bowl() {
        for mut optimizer in each() {
            let mut model = One::new(Tensor::new([3.0, -2.0, 1.0, 0.5], &[2, 2]));
            for step in 0..400 {
                let loss = (&*model.w * &*model.w).sum();
                let gradients = loss.backward().unwrap();
                let lr = 0.05 * (1.0 - f64::from(step) / 400.0);
                optimizer.step(&mut model, &gradients, lr).unwrap();
            }
            let largest = model.w.value().data().iter().fold(0.0, |a: Float, x| a.max(x.abs()));
            assert!(largest < 0.01, "{}", model.w.value());
        }
    }
}

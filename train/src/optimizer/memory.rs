//! What every optimizer does around its equation: it refuses bad gradients, counts steps, finds
//! each parameter's group, and keeps what is remembered of a parameter under its name.

use super::{Error, Group, clip};
use autograd::Gradients;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tensor::Tensor;
use transformer::Module;

/// Numbers that one thread updates at once.
pub(super) const PIECE: usize = 16 * 1024;

/// What an optimizer remembers from step to step; empty at first.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub(super) steps: u64,
    pub(super) of_parameters: BTreeMap<String, Remembered>,
}

/// What is remembered of one parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Steps that it took part in: one that was frozen before begins at 1.
    pub steps: u64,
    pub tensors: Vec<(Cow<'static, str>, Tensor)>,
}

/// One parameter in one step, as an optimizer's equation sees it.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameter's dotted name.
    pub name: &'a str,
    /// θ.
    pub value: &'a mut Tensor,
    /// g before clipping, contiguous and of the parameter's shape.
    pub gradient: &'a Tensor,
    /// What clipping multiplies g with.
    pub gradient_scale: f64,
    /// η, its group's factor included.
    pub lr: f64,
    /// λ of its group.
    pub weight_decay: f64,
    /// t, from 1: the steps that this parameter took part in.
    pub step: u64,
    /// What is remembered of it.
    pub state: State<'a>,
}

/// What is remembered of one parameter.
#[derive(Debug)]
pub struct State<'a> {
    tensors: &'a mut Vec<(Cow<'static, str>, Tensor)>,
    shape: &'a [usize],
}

impl<'a> State<'a> {
    /// The tensors under these names, of the parameter's shape; zeros until they are first written.
    pub fn tensors<const N: usize>(self, names: [&'static str; N]) -> [&'a mut Tensor; N] {
        if !self.tensors.iter().map(|(name, _)| &**name).eq(names) {
            *self.tensors = names.map(|name| (name.into(), Tensor::zeros(self.shape))).into();
        }
        let mut tensors = self.tensors.iter_mut();
        names.map(|_| &mut tensors.next().expect("as many as names").1)
    }
}

impl Memory {
    /// Takes one step: calls `update` for each parameter that has a gradient, and returns the
    /// global norm of all gradients before clipping. `options` are the largest norm that is not
    /// clipped and the groups of parameters.
    ///
    /// # Errors
    /// If a parameter that is neither frozen nor declared unused got no gradient, or a gradient is
    /// not finite; nothing is changed then.
    pub fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
        (clip, groups): (Option<f64>, &[Group]),
        mut update: impl FnMut(Update<'_>),
    ) -> Result<f64, Error> {
        let norm = clip::global_norm(model, gradients)?;
        let gradient_scale = clip::clip_factor(norm, clip);
        self.steps += 1;
        for (name, parameter) in model.parameters_mut() {
            let Some(gradient) = gradients.get(parameter) else { continue };
            let (lr, weight_decay) = Group::of(groups, &name, parameter.value(), lr);
            let gradient = gradient.contiguous();
            let remembered = match self.of_parameters.get_mut(&name) {
                Some(remembered) => remembered,
                None => self.of_parameters.entry(name.clone()).or_default(),
            };
            remembered.steps += 1;
            update(Update {
                name: &name,
                value: parameter.value_mut(),
                gradient: &gradient,
                gradient_scale,
                lr,
                weight_decay,
                step: remembered.steps,
                state: State { tensors: &mut remembered.tensors, shape: gradient.shape() },
            });
        }
        Ok(norm)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `PARAMETER.WHAT` and its tensor, sorted by parameter.
    pub fn state(&self) -> Vec<(String, &Tensor)> {
        let mut state = Vec::new();
        for (name, remembered) in &self.of_parameters {
            state.extend(remembered.tensors.iter().map(|(what, x)| (format!("{name}.{what}"), x)));
        }
        state
    }
}

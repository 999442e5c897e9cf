//! (O9) The average of the weights over the steps. Polyak & Juditsky 1992; with exponential weights as
//! in Tarvainen & Valpola 2017, section 2.

use std::collections::BTreeMap;
use tensor::{Float, Tensor};
use transformer::Module;

/// An exponential moving average of all parameters that are trained.
///
/// ```math
/// \bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\, \theta \qquad (O9)
/// ```
/// It begins at the weights that training starts from; β is held down to
/// `` $`(1 + t) / (10 + t)`$ `` in the first steps t, so that these weigh little.
#[derive(Clone, Debug)]
pub struct Average {
    /// β.
    decay: f64,
    steps: u64,
    weights: BTreeMap<String, Tensor>,
}

impl Average {
    /// The weights of the parameters that are not frozen.
    pub fn new(decay: f64, model: &impl Module) -> Average {
        let parameters = model.parameters().into_iter();
        let trained = parameters.filter(|(_, parameter)| parameter.is_trainable());
        let weights = trained.map(|(name, parameter)| (name, parameter.value().clone()));
        Average { decay, steps: 0, weights: weights.collect() }
    }

    /// Takes in the weights after a step.
    pub fn update(&mut self, model: &impl Module) {
        self.steps += 1;
        let t = self.steps as f64;
        let beta = self.decay.min((1.0 + t) / (10.0 + t)) as Float;
        for (name, parameter) in model.parameters() {
            if let Some(average) = self.weights.get_mut(&name) {
                average.apply_zip(parameter.value(), |a, w| beta * a + (1.0 - beta) * w);
            }
        }
    }

    /// Exchanges the model's weights and the average.
    pub fn swap(&mut self, model: &mut impl Module) {
        for (name, parameter) in model.parameters_mut() {
            if let Some(average) = self.weights.get_mut(&name) {
                std::mem::swap(parameter.value_mut(), average);
            }
        }
    }

    /// Steps taken in, and the averages by the parameters' names.
    pub fn state(&self) -> (u64, &BTreeMap<String, Tensor>) {
        (self.steps, &self.weights)
    }

    /// Goes on from what [`Average::state`] gave.
    ///
    /// # Errors
    /// The name of a parameter that is missing, or of another shape; nothing is changed then.
    pub fn load(&mut self, steps: u64, state: &BTreeMap<String, Tensor>) -> Result<(), String> {
        let found = |(name, tensor): (&String, &Tensor)| {
            let found = state.get(name).filter(|found| found.shape() == tensor.shape());
            found.map(|found| (name.clone(), found.clone())).ok_or_else(|| name.clone())
        };
        self.weights = self.weights.iter().map(found).collect::<Result<_, _>>()?;
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::One;

    #[test]
    fn equals_the_equation_o9() {
        let mut model = One::new(Tensor::full(&[2], 1.0));
        let mut average = Average::new(0.9, &model);
        let mut expected = 1.0;
        for t in 1..=50 {
            let w = t as Float;
            *model.w.value_mut() = Tensor::full(&[2], w);
            average.update(&model);
            let beta = if t < 81 { (1.0 + w) / (10.0 + w) } else { 0.9 };
            expected = beta * expected + (1.0 - beta) * w;
        }
        average.swap(&mut model);
        assert!((model.w.value().data()[0] - expected).abs() < 1e-4);
        average.swap(&mut model);
        assert_eq!(model.w.value().data()[0], 50.0);
    }

    #[test]
    fn a_frozen_parameter_has_no_average_and_a_state_goes_on() {
        let mut model = One::new(Tensor::full(&[2], 1.0));
        let mut average = Average::new(0.5, &model);
        *model.w.value_mut() = Tensor::full(&[2], 3.0);
        average.update(&model);
        let (steps, state) = average.state();
        let mut other = Average::new(0.5, &model);
        other.load(steps, state).unwrap();
        average.update(&model);
        other.update(&model);
        assert_eq!(average.state().1["w"].to_vec(), other.state().1["w"].to_vec());
        assert_eq!(other.load(1, &BTreeMap::new()).unwrap_err(), "w");
        model.w.freeze();
        assert!(Average::new(0.5, &model).state().1.is_empty());
    }
}

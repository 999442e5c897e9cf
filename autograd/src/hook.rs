//! Hooks: looking at gradients as they pass.

use crate::Var;
use tensor::Tensor;

impl Var {
    /// The same value; in backward, `look` is called with it and its gradient, whole, before the
    /// gradient goes on to what the value was computed from.
    ///
    /// The result takes the value's place in what follows: `let x = x.on_gradient(..)`. It is not
    /// called where no gradient comes. The value of the forward pass needs no hook: it is
    /// [`Var::value`].
    ///
    /// ```
    /// use autograd::Var;
    /// let x = Var::leaf(tensor::Tensor::scalar(3.0));
    /// let y = (&x * &x).on_gradient(|value, gradient| {
    ///     println!("{value} got {gradient}");
    /// });
    /// y.backward().unwrap();
    /// ```
    #[track_caller]
    pub fn on_gradient(&self, look: impl FnOnce(&Tensor, &Tensor) + Send + 'static) -> Var {
        let value = self.value().clone();
        Var::record("on_gradient", [self], value.clone(), [value], |dy, [value]| {
            look(&value, &dy);
            [dy.into()]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_hook_sees_the_value_and_the_sum_of_its_gradients_and_changes_neither() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        let (sender, seen) = channel();
        let hidden = (&x * 3.0).on_gradient(move |value, gradient| {
            sender.send((value.to_vec(), gradient.to_vec())).unwrap();
        });
        assert_eq!(hidden.value().to_vec(), [3.0, 6.0]);
        let gradients = (&hidden * &hidden).sum().backward().unwrap();
        assert_eq!(seen.recv().unwrap(), (vec![3.0, 6.0], vec![6.0, 12.0]));
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [18.0, 36.0]);
        assert!(seen.recv().is_err(), "called once");
    }

    #[test]
    fn a_constant_gets_no_gradient_and_its_hook_is_not_called() {
        let x = Var::leaf(Tensor::scalar(1.0));
        let constant = Var::constant(Tensor::scalar(2.0)).on_gradient(|_, _| panic!("called"));
        assert_eq!((&x * &constant).backward().unwrap().get(&x).unwrap().item(), 2.0);
    }
}

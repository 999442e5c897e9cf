//! Where the first NaN of a computation came from.

use crate::graph::Node;
use crate::{Gradient, Var};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use tensor::Tensor;

thread_local! {
    static IS_DETECTING: Cell<bool> = const { Cell::new(false) };
    static FIRST: RefCell<Option<Anomaly>> = const { RefCell::new(None) };
}

/// The operation that first made a NaN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} at {location} made the first NaN, in the {pass} pass; {}", self.origin())]
pub struct Anomaly {
    /// The operation's name.
    pub operation: &'static str,
    /// The line that called it.
    pub location: &'static Location<'static>,
    /// Whether its value or its gradient was NaN.
    pub pass: Pass,
    /// The inputs that held a NaN already, by their place; in the backward pass the one input is
    /// the gradient that comes in.
    pub nan_inputs: Vec<usize>,
}

/// A direction of computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// From inputs to values.
    Forward,
    /// From the gradient of a value to those of its inputs.
    Backward,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
        })
    }
}

impl Anomaly {
    fn origin(&self) -> String {
        match (self.pass, &self.nan_inputs[..]) {
            (Pass::Forward, []) => "none of its inputs held one".into(),
            (Pass::Forward, inputs) => {
                format!("inputs {inputs:?} (from 0) held one before anything was computed of them")
            }
            (Pass::Backward, []) => "the gradient that came in held none".into(),
            (Pass::Backward, _) => {
                "the gradients that came in were added up to one: an infinity minus an infinity"
                    .into()
            }
        }
    }
}

/// Runs `compute` and looks for the first NaN among all values, and all gradients of a backward
/// in it.
///
/// It reads all that is computed once more, and multiplies some products of a backward twice; outside
/// of it nothing is looked at. What is computed on other threads than this one is not seen.
///
/// # Errors
/// If an operation made a NaN: says which, in which line, and whether it was given one.
///
/// ```
/// use autograd::{Var, detect_anomaly};
/// use tensor::Tensor;
/// let x = Var::leaf(Tensor::scalar(0.0));
/// let anomaly = detect_anomaly(|| &x / &x).unwrap_err();
/// assert!(anomaly.operation == "div" && anomaly.nan_inputs.is_empty());
/// ```
pub fn detect_anomaly<T>(compute: impl FnOnce() -> T) -> Result<T, Anomaly> {
    struct Restore(bool, Option<Anomaly>);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_DETECTING.set(self.0);
            FIRST.set(self.1.take());
        }
    }
    let _restore = Restore(IS_DETECTING.replace(true), FIRST.take());
    let value = compute();
    FIRST.take().map_or(Ok(value), Err)
}

/// Whether values are to be looked at: not when there is no one to tell, nor after the first NaN.
pub(crate) fn is_looking() -> bool {
    IS_DETECTING.get() && FIRST.with_borrow(Option::is_none)
}

#[track_caller]
pub(crate) fn look_at_value(operation: &'static str, inputs: &[&Var], value: &Tensor) {
    if holds_nan(value) {
        let nan_inputs = (0..inputs.len()).filter(|&i| holds_nan(inputs[i].value())).collect();
        let location = Location::caller();
        FIRST.set(Some(Anomaly { operation, location, pass: Pass::Forward, nan_inputs }));
    }
}

/// Looks at the gradient that came to `node`.
pub(crate) fn look_at_gradient(node: &Node, gradient: &Tensor) {
    if holds_nan(gradient) {
        found_in_backward(node, vec![0]);
    }
}

/// Looks at the gradients that `node` gives its inputs.
pub(crate) fn look_at_parts(node: &Node, parts: &[Gradient]) {
    let is_nan = |part: &Gradient| match part {
        Gradient::NotNeeded => false,
        Gradient::Dense(part) | Gradient::Slice { part, .. } | Gradient::Rows { part, .. } => {
            holds_nan(part)
        }
        Gradient::Product { a, b } => holds_nan(&a.matmul(b)),
    };
    if parts.iter().any(is_nan) {
        found_in_backward(node, vec![]);
    }
}

fn found_in_backward(node: &Node, nan_inputs: Vec<usize>) {
    let (operation, location) = (node.operation, node.location);
    FIRST.set(Some(Anomaly { operation, location, pass: Pass::Backward, nan_inputs }));
}

fn holds_nan(x: &Tensor) -> bool {
    x.contiguous().data().iter().any(|x| x.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Float;

    fn leaf(values: &[Float]) -> Var {
        Var::leaf(Tensor::new(values, &[values.len()]))
    }

    #[test]
    fn the_first_nan_of_the_forward_pass_is_named_with_its_line() {
        let (x, zero) = (leaf(&[1.0, 0.0]), leaf(&[1.0, 0.0]));
        let line = line!() + 2;
        let anomaly = detect_anomaly(|| {
            let ratio = &x / &zero;
            (&ratio * &ratio).sum()
        });
        let anomaly = anomaly.unwrap_err();
        assert_eq!((anomaly.operation, anomaly.pass), ("div", Pass::Forward));
        assert_eq!((anomaly.location.file(), anomaly.location.line()), (file!(), line));
        assert_eq!(
            anomaly.to_string(),
            format!(
                "div at {}:{line}:25 made the first NaN, in the forward pass; none of its inputs \
                 held one",
                file!()
            )
        );
    }

    #[test]
    fn an_input_that_held_a_nan_already_is_named() {
        let (x, nan) = (leaf(&[1.0]), leaf(&[Float::NAN]));
        let text = detect_anomaly(|| &x * &nan).unwrap_err().to_string();
        let end = "inputs [1] (from 0) held one before anything was computed of them";
        assert!(text.starts_with("mul at ") && text.ends_with(end), "{text}");
    }

    /// A square root of which the derivative at 0 is infinite.
    #[track_caller]
    fn root(x: &Var) -> Var {
        let y = x.value().map(Float::sqrt);
        Var::record("root", [x], y.clone(), [y], |dy, [y]| [(dy * y.map(|y| 0.5 / y)).into()])
    }

    #[test]
    fn the_first_nan_of_the_backward_pass_is_named_with_the_line_of_its_forward() {
        let x = leaf(&[4.0, 0.0]);
        let line = line!() + 1;
        let y = root(&x);
        let loss = (&y * &Var::constant(Tensor::new([1.0, 0.0], &[2]))).sum();
        let anomaly = detect_anomaly(|| loss.backward()).unwrap_err();
        assert_eq!((anomaly.operation, anomaly.location.line()), ("root", line));
        let text = anomaly.to_string();
        let end = "in the backward pass; the gradient that came in held none";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_nan_of_a_product_that_was_not_computed_yet_is_found() {
        let x = Var::leaf(Tensor::ones(&[1, 1]));
        let w = Tensor::new([Float::INFINITY, Float::NEG_INFINITY], &[1, 2]);
        let loss = x.matmul(&Var::constant(w)).relu().sum();
        let anomaly = detect_anomaly(|| loss.backward()).unwrap_err();
        assert_eq!((anomaly.operation, anomaly.pass), ("matmul", Pass::Backward));
    }

    #[test]
    fn infinities_that_cancel_where_gradients_meet_are_found() {
        let x = leaf(&[0.0]);
        let loss = root(&x) - root(&x);
        let text = detect_anomaly(|| loss.backward()).unwrap_err().to_string();
        assert!(text.starts_with("leaf at "), "{text}");
        assert!(text.ends_with("added up to one: an infinity minus an infinity"), "{text}");
    }

    #[test]
    fn also_without_recording() {
        let x = leaf(&[0.0]);
        assert!(detect_anomaly(|| crate::no_grad(|| &x / &x)).is_err());
    }

    #[test]
    fn finite_and_infinite_values_pass_and_the_inner_of_two_scopes_tells() {
        let (x, zero) = (leaf(&[1.0]), leaf(&[0.0]));
        assert!(detect_anomaly(|| &x / &zero).unwrap().item().is_infinite());
        let inner = detect_anomaly(|| detect_anomaly(|| &zero / &zero).is_err());
        assert_eq!(inner, Ok(true));
        assert!((&zero / &zero).item().is_nan() && !is_looking());
    }
}

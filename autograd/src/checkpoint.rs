//! Gradient checkpointing: computing again instead of keeping. Chen et al. 2016, *Training Deep
//! Nets with Sublinear Memory Cost*, section 4.

use crate::graph::{Backward, Node, Recorded};
use crate::{Var, scope};
use std::sync::Arc;

/// `f(inputs)`, of which nothing but the inputs is kept: backward computes it again.
///
/// A network of n equal layers that is cut into k runs keeps k inputs and, at any time, what one
/// run records, rather than what all record; each run is computed twice.
///
/// Values, gradients and random numbers are those of `f(inputs)` without it, bit for bit: dropout
/// draws the same masks again, and the gradients of all that `f` captures (parameters, or values
/// computed before) are added up in the same order. For this, `f` must compute the same each time
/// it is called. A layer is given to it as a clone, which shares its numbers. Runs may hold runs.
///
/// ```
/// use autograd::{Parameter, checkpoint};
/// use tensor::Tensor;
/// let (w, x) = (Parameter::new(Tensor::scalar(3.0)), Parameter::new(Tensor::scalar(2.0)));
/// let layer = w.clone();
/// let y = checkpoint(move |x| (&x[0] * &*layer) * &*layer, &[&x]);
/// assert_eq!(y.backward().unwrap().get(&w).unwrap().item(), 12.0);
/// ```
///
/// # Panics
/// In backward, if `f` then computes nothing that needs a gradient.
#[track_caller]
pub fn checkpoint(f: impl Fn(&[Var]) -> Var + Send + 'static, inputs: &[&Var]) -> Var {
    let inputs: Vec<Var> = inputs.iter().map(|&input| input.clone()).collect();
    if !scope::is_recording() {
        return f(&inputs);
    }
    let dropout = scope::dropout_state();
    let first = Node::next_id();
    let y = f(&inputs);
    let behind = match y.node() {
        Some(node) if node.id >= first => made_before(first, node),
        _ => return y,
    };
    let bytes = inputs.iter().map(|input| input.value().bytes()).sum();
    let again = move || {
        let compute = || scope::with_dropout_state(dropout, || f(&inputs));
        scope::recording(compute)
    };
    let backward = Backward::Again(Box::new(again));
    let inputs = behind.into_iter().map(Some).collect();
    let recorded = Recorded { inputs, backward, precision: tensor::precision() };
    let node = Node::operation("checkpoint", y.shape(), bytes, recorded);
    Var::with_node(y.into_value(), Arc::new(node))
}

/// The nodes that were made before `first` and are used by those behind `node`.
fn made_before(first: u64, node: &Arc<Node>) -> Vec<Arc<Node>> {
    let mut found = Vec::new();
    node.for_each(|node| {
        if node.id < first {
            found.push(node.clone());
        }
        node.id >= first
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gradients, Parameter, no_grad, with_dropout};
    use tensor::{Float, Rng, Tensor};

    type Layer = fn(&[Parameter; 2], &Var) -> Var;

    /// Uses its first parameter twice, so that the order of adding shows in the last bit.
    fn layer([w, b]: &[Parameter; 2], x: &Var) -> Var {
        let hidden = (x.matmul(w) + &**b).gelu_tanh().dropout(0.2);
        x + hidden.matmul(&w.transpose(0, 1)).softmax(-1)
    }

    fn in_a_run(layer: Layer) -> impl Fn(&[Parameter; 2], &Var) -> Var {
        move |parameters, x| {
            let parameters = parameters.clone();
            checkpoint(move |x| layer(&parameters, &x[0]), &[x])
        }
    }

    fn two_in_a_run(parameters: &[Parameter; 2], x: &Var) -> Var {
        let once = in_a_run(layer);
        once(parameters, &once(parameters, x))
    }

    fn parameters() -> [Parameter; 2] {
        let mut rng = Rng::seeded(1);
        [&[6, 6][..], &[6]].map(|shape| Parameter::new(rng.normal(shape, 1.0)))
    }

    /// Six layers that share their parameters, and one number of the generator after them.
    fn six(
        layer: impl Fn(&[Parameter; 2], &Var) -> Var,
        layers: usize,
        parameters: &[Parameter; 2],
        x: &Var,
    ) -> (Var, u64) {
        with_dropout(Rng::seeded(5), || {
            let y = (0..layers).fold(x.clone(), |x, _| layer(parameters, &x));
            ((&y * &y).sum(), scope::dropout_rng(Rng::next_seed).unwrap())
        })
    }

    fn bits(of: &[&Var], gradients: &Gradients) -> Vec<Vec<Float>> {
        of.iter().map(|var| gradients.get(var).unwrap().to_vec()).collect()
    }

    #[test]
    fn values_gradients_and_random_numbers_are_the_same_bit_for_bit() {
        let parameters = parameters();
        let x = Var::leaf(Rng::seeded(2).normal(&[4, 6], 1.0));
        let leaves: [&Var; 3] = [&x, &parameters[0], &parameters[1]];
        let (loss, next) = six(layer, 6, &parameters, &x);
        let expected = bits(&leaves, &loss.backward().unwrap());
        let nested = in_a_run(two_in_a_run);
        for (runs, count) in [
            (six(in_a_run(layer), 6, &parameters, &x), "one layer a run"),
            (six(nested, 3, &parameters, &x), "runs in runs"),
        ] {
            let (checkpointed, next_checkpointed) = runs;
            assert_eq!((checkpointed.item(), next_checkpointed), (loss.item(), next), "{count}");
            // Dropout's generator is another one, or none, while backward runs.
            let gradients = with_dropout(Rng::seeded(9), || checkpointed.backward().unwrap());
            assert!(bits(&leaves, &gradients) == expected, "{count}");
        }
    }

    #[test]
    fn the_precision_is_that_of_the_forward_pass() {
        use tensor::{Precision, with_precision};
        let parameters = parameters();
        let x = Var::leaf(Rng::seeded(2).normal(&[4, 6], 1.0));
        let run = |layer: &dyn Fn(&[Parameter; 2], &Var) -> Var, inside: bool| {
            let bf16 =
                |compute: &mut dyn FnMut() -> Gradients| with_precision(Precision::Bf16, compute);
            let loss = with_precision(Precision::Bf16, || layer(&parameters, &x).sum());
            let mut backward = || loss.backward().unwrap();
            let gradients = if inside { bf16(&mut backward) } else { backward() };
            bits(&[&x, &parameters[0], &parameters[1]], &gradients)
        };
        let expected = run(&layer, true);
        assert!(run(&layer, false) == expected);
        assert!(run(&in_a_run(layer), false) == expected);
        let plain = layer(&parameters, &x).sum().backward().unwrap();
        assert!(bits(&[&x, &parameters[0], &parameters[1]], &plain) != expected);
    }

    #[test]
    fn only_the_inputs_are_kept() {
        let parameters = parameters();
        let x = Var::leaf(Rng::seeded(2).normal(&[400, 6], 1.0));
        let kept = |loss: Var| loss.saved_bytes();
        let whole = kept(six(layer, 24, &parameters, &x).0);
        let runs = kept(six(in_a_run(layer), 24, &parameters, &x).0);
        assert!(runs <= (24 + 2) * x.value().bytes(), "{runs}");
        assert!(whole > 3 * runs, "{whole} against {runs}");
    }

    #[test]
    fn values_computed_before_and_captured_get_their_gradients() {
        let x = Var::leaf(Tensor::scalar(3.0));
        let (a, b) = (&x * 2.0, &x * &x);
        let captured = a.clone();
        let y = checkpoint(move |x| &x[0] * &captured, &[&b]) + &a;
        let gradients = y.backward_keeping(&[&a, &b]).unwrap();
        assert_eq!(gradients.get(&a).unwrap().item(), 10.0);
        assert_eq!(gradients.get(&b).unwrap().item(), 6.0);
        assert_eq!(gradients.get(&x).unwrap().item(), 56.0);
    }

    #[test]
    fn what_needs_no_gradient_is_not_computed_again() {
        let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = |x: &Var| {
            let calls = calls.clone();
            let count = std::sync::atomic::Ordering::Relaxed;
            checkpoint(move |x| (calls.fetch_add(1, count), &x[0] * 2.0).1, &[x])
        };
        let x = Var::leaf(Tensor::scalar(1.0));
        assert!(!counted(&Var::constant(Tensor::scalar(1.0))).needs_gradient());
        assert!(!no_grad(|| counted(&x)).needs_gradient());
        assert_eq!(Arc::strong_count(&calls), 1);
        let y = counted(&x);
        assert_eq!(no_grad(|| y.backward()).unwrap().get(&x).unwrap().item(), 2.0);
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 4);
    }

    #[test]
    fn a_function_that_gives_back_its_input_leaves_nothing_to_compute_again() {
        let x = Var::leaf(Tensor::scalar(2.0));
        let hidden = &x * &x;
        let y = checkpoint(|x| x[0].clone(), &[&hidden]) + &hidden;
        assert_eq!(y.backward().unwrap().get(&x).unwrap().item(), 8.0);
    }

    #[test]
    fn a_deep_chain_of_runs_neither_walks_nor_drops_by_recursion() {
        let x = Var::leaf(Tensor::scalar(1.0));
        let chain = || (0..20_000).fold(x.clone(), |y, _| checkpoint(|y| -&y[0], &[&y]));
        assert_eq!(chain().backward().unwrap().get(&x).unwrap().item(), 1.0);
        drop(chain());
    }
}

//! Checkpointing saves memory: alone in its process, since it counts the memory of all tensors.

use autograd::{Var, checkpoint};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tensor::{Float, Rng, live_bytes};

const LAYERS: usize = 30;

fn layer(x: &Var, w: &Var) -> Var {
    let hidden = (x.matmul(w) * x).gelu_tanh();
    hidden.matmul(&w.transpose(0, 1)).softmax(-1).sigmoid() + x
}

/// Memory beyond the inputs: after the forward pass, and the most between two layers of backward.
fn held(layer: impl Fn(&Var, &Var) -> Var, x: &Var, w: &Var) -> (usize, usize) {
    let (before, most) = (live_bytes(), Arc::new(AtomicUsize::new(0)));
    let y = (0..LAYERS).fold(x.clone(), |x, _| {
        let most = most.clone();
        layer(&x, w).on_gradient(move |_, _| {
            most.fetch_max(live_bytes(), Ordering::Relaxed);
        })
    });
    let loss = y.sum();
    drop(y);
    let after_forward = live_bytes() - before;
    loss.backward().unwrap();
    (after_forward, most.load(Ordering::Relaxed) - before)
}

#[test]
fn a_checkpointed_network_holds_little_more_than_the_inputs_of_its_layers() {
    let mut rng = Rng::seeded(1);
    let x = Var::leaf(rng.normal(&[256, 64], 0.1));
    let w = Var::leaf(rng.normal(&[64, 64], 0.1));
    let one = 256 * 64 * size_of::<Float>();
    let of_one_layer = 8 * one;
    let whole = held(layer, &x, &w);
    let in_runs = |x: &Var, w: &Var| {
        let w = w.clone();
        checkpoint(move |x| layer(&x[0], &w), &[x])
    };
    let (forward, backward) = held(in_runs, &x, &w);
    assert!(forward <= (LAYERS + 2) * one, "{forward}");
    assert!(backward <= (LAYERS + 2) * one + of_one_layer, "{backward}");
    assert!(whole.0 > 4 * forward && whole.1 > 3 * backward, "{whole:?} {forward} {backward}");
    assert_eq!(live_bytes(), x.value().bytes() + w.value().bytes());
}

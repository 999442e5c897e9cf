//! `no_grad` keeps nothing: alone in its process, since it counts the memory of all tensors.

use autograd::{Var, no_grad};
use std::sync::Arc;
use tensor::{Float, Rng, Tensor, live_bytes};

const LAYERS: usize = 40;
const SIZE: usize = 128 * 128;

/// Layers whose backward needs their inputs, and the memory held in the middle of each.
fn through_layers(x: &Var, w: &Var) -> (Var, Vec<usize>) {
    let mut held = Vec::new();
    let y = (0..LAYERS).fold(x.clone(), |x, _| {
        let hidden = (x.matmul(w) * &x).gelu_tanh();
        held.push(live_bytes());
        hidden.softmax(-1)
    });
    (y, held)
}

#[test]
fn nothing_is_recorded_and_nothing_is_kept() {
    let one = SIZE * size_of::<Float>();
    let mut rng = Rng::seeded(1);
    let [x, w] = [(); 2].map(|()| Var::leaf(rng.normal(&[128, 128], 0.1)));
    let before = live_bytes();
    assert!(before >= 2 * one);

    let (y, held) = no_grad(|| through_layers(&x, &w));
    assert!(!y.needs_gradient() && y.saved_bytes() == 0);
    assert!(held.iter().all(|&held| held <= before + 3 * one), "{before} {held:?}");
    assert!(live_bytes() <= before + one);
    let (recorded, held) = through_layers(&x, &w);
    assert!(held[LAYERS - 1] > before + LAYERS * 3 * one, "{held:?}");
    assert_eq!(recorded.value().to_vec(), y.value().to_vec());
    drop((recorded, y));
    assert_eq!(live_bytes(), before);

    let captured = Arc::new(());
    let in_backward = captured.clone();
    let y = no_grad(|| {
        Var::record("custom", [&x], Tensor::scalar(1.0), [], move |_, []| {
            let _ = &in_backward;
            [Tensor::ones(&[128, 128]).into()]
        })
    });
    assert_eq!((Arc::strong_count(&captured), y.needs_gradient()), (1, false));
    assert_eq!(live_bytes(), before);
}

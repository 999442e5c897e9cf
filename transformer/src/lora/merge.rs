//! Adapters added to the matrices that they change, and taken off again.

use super::Adapter;
use crate::Module;
use std::collections::BTreeMap;

/// Adds each adapter's change to its matrix, W ← W + s A B, and takes the adapter off the model: the
/// same function to within rounding, at the cost of a model without adapters. A packed matrix is
/// unpacked. Returns the adapters, which [`unmerge`] takes.
///
/// ```
/// use transformer::{Init, Linear, lora, pretrained::Layout};
/// let mut rng = tensor::Rng::seeded(1);
/// let mut layer = Linear::new(&mut rng, 8, 8, Init::Normal(0.1));
/// lora::attach(&mut layer, &Layout::default(), &"r=2".parse().unwrap(), &mut rng).unwrap();
/// let adapters = lora::merge(&mut layer);
/// assert!(adapters.len() == 1 && layer.adapter.is_none());
/// ```
pub fn merge(model: &mut impl Module) -> Vec<(String, Adapter)> {
    let mut merged = Vec::new();
    for (name, linear) in model.linears_mut() {
        if let Some(adapter) = linear.adapter.take() {
            let weight = linear.weight.value_mut();
            *weight = &weight.unpacked() + &adapter.change();
            merged.push((name, adapter));
        }
    }
    merged
}

/// Takes merged adapters' changes off their matrices, W ← W − s A B, and puts the adapters on again. The
/// matrices are the former ones to within rounding, and stay unpacked.
///
/// # Panics
/// If the model has no map of an adapter's name, or of other sizes.
#[track_caller]
pub fn unmerge(model: &mut impl Module, adapters: Vec<(String, Adapter)>) {
    let mut adapters: BTreeMap<String, Adapter> = adapters.into_iter().collect();
    for (name, linear) in model.linears_mut() {
        if let Some(adapter) = adapters.remove(&name) {
            let weight = linear.weight.value_mut();
            *weight = &*weight - &adapter.change();
            linear.adapter = Some(adapter);
        }
    }
    if let Some(name) = adapters.keys().next() {
        panic!("unmerge: the model has no map named {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapter::tests::adapted;
    use super::*;
    use crate::{Init, Linear};
    use autograd::Var;
    use tensor::packed::Format;
    use tensor::{Float, Rng, Tensor};

    const TOLERANCE: Float = 1e-5;

    fn close(a: &Tensor, b: &Tensor) -> bool {
        a.shape() == b.shape() && (a - b).data().iter().all(|d| d.abs() < TOLERANCE)
    }

    #[test]
    fn merged_is_the_same_function_and_unmerged_the_same_matrix() {
        let mut rng = Rng::seeded(1);
        let before = adapted(&mut rng, 6, 4, 2);
        let x = Var::constant(rng.normal(&[3, 6], 1.0));
        let mut layer = before.clone();
        let adapters = merge(&mut layer);
        assert!(layer.adapter.is_none());
        assert!(!close(layer.weight.value(), before.weight.value()));
        assert!(close(layer.forward(&x).value(), before.forward(&x).value()));
        unmerge(&mut layer, adapters);
        assert!(close(layer.weight.value(), before.weight.value()));
        assert!(close(layer.forward(&x).value(), before.forward(&x).value()));
    }

    #[test]
    fn a_packed_matrix_is_unpacked() {
        let mut rng = Rng::seeded(2);
        let mut layer = adapted(&mut rng, 32, 4, 2);
        for format in [Format::Q8_0, Format::BF16] {
            let packed = layer.weight.value().transpose(0, 1).contiguous().pack(format);
            *layer.weight.value_mut() = packed.transpose(0, 1);
            let x = Var::constant(rng.normal(&[3, 32], 1.0));
            let mut merged = layer.clone();
            merge(&mut merged);
            assert_eq!(merged.weight.value().packed_format(), None);
            let [a, b] = [&merged, &layer].map(|layer| layer.forward(&x));
            assert!((a - b).value().data().iter().all(|d| d.abs() < 1e-4));
        }
    }

    #[test]
    #[should_panic(expected = "unmerge: the model has no map named w_q")]
    fn adapters_are_of_the_models_maps() {
        let mut rng = Rng::seeded(3);
        let adapter = adapted(&mut rng, 3, 3, 1).adapter.unwrap();
        let mut layer = Linear::new(&mut rng, 3, 3, Init::Zeros);
        unmerge(&mut layer, vec![("w_q".into(), adapter)]);
    }
}

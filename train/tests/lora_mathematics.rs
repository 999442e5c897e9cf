//! What `docs/lora.md` says of the first step, and of what is frozen, by the optimizers themselves.

use autograd::{Gradients, Var};
use tensor::{Float, Rng, Tensor, Tokens};
use train::optimizer::{AdamW, Optimizer, Sgd};
use transformer::lora::{self, LoraConfig};
use transformer::pretrained::Layout;
use transformer::{DecoderOnly, Init, Linear, Llama, LlamaConfig, Module, Pretrained};

const LR: f64 = 0.5;
const LAYER: &str = "blocks.1.feed_forward.w_1";

/// Columns of length 1 at right angles to one another, by Gram and Schmidt.
fn orthonormal(rng: &mut Rng, d_in: usize, r: usize) -> Tensor {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for _ in 0..r {
        let mut column: Vec<f64> =
            rng.normal(&[d_in], 1.0).to_vec().into_iter().map(f64::from).collect();
        for _ in 0..2 {
            for other in &columns {
                let along = dot(&column, other);
                column.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let length = dot(&column, &column).sqrt();
        columns.push(column.into_iter().map(|x| x / length).collect());
    }
    let entry = |i: usize| columns[i % r][i / r] as Float;
    Tensor::new((0..d_in * r).map(entry).collect::<Vec<_>>(), &[d_in, r])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cosine(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let [a, b]: [Vec<f64>; 2] = [a, b].map(|x| x.to_vec().into_iter().map(f64::from).collect());
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

fn linear_loss(layer: &Linear) -> Gradients {
    let x = Var::constant(Rng::seeded(11).normal(&[7, 6], 1.0));
    let y = layer.forward(&x);
    (&y * &y).sum().backward().unwrap()
}

/// The adapter's change after one step of gradient descent, and the whole matrix's gradient.
fn first_step_of_linear(r: usize, a: Tensor, alpha: Float) -> (Tensor, Tensor) {
    let mut rng = Rng::seeded(1);
    let mut layer = Linear::new(&mut rng, 6, 4, Init::Normal(0.5));
    let whole = linear_loss(&layer).get(&layer.weight).unwrap().clone();
    let config = LoraConfig { r, alpha: Some(alpha), ..LoraConfig::default() };
    lora::attach(&mut layer, &Layout::default(), &config, &mut rng).unwrap();
    *layer.adapter.as_mut().unwrap().a.value_mut() = a;
    let gradients = linear_loss(&layer);
    Sgd::new(0.0).step(&mut layer, &gradients, LR).unwrap();
    (layer.adapter.unwrap().change(), whole)
}

#[test]
fn of_full_rank_and_orthonormal_the_first_step_is_along_the_whole_gradient() {
    let a = orthonormal(&mut Rng::seeded(2), 6, 6);
    let (change, whole) = first_step_of_linear(6, a, 3.0);
    let along = cosine(&change, &-&whole);
    assert!(along > 1.0 - 1e-6, "{along}");
}

#[test]
fn of_a_lower_rank_it_is_the_gradient_as_a_sees_it() {
    let a = Rng::seeded(3).normal(&[6, 2], 1.0);
    let (change, whole) = first_step_of_linear(2, a.clone(), 3.0);
    let scale = (3.0 / 2.0) * (3.0 / 2.0) * LR as Float;
    let expected = a.matmul(&a.transpose(0, 1).matmul(&whole)) * -scale;
    let along = cosine(&change, &expected);
    let largest = expected.to_vec().iter().fold(0.0, |most: Float, x| most.max(x.abs()));
    let far = (&change - &expected).to_vec().iter().fold(0.0, |most: Float, x| most.max(x.abs()));
    assert!(along > 1.0 - 1e-6 && far < 1e-4 * largest, "{along} {far}");
    assert!(cosine(&change, &-&whole) < 0.99);
}

fn llama() -> Llama {
    let config = LlamaConfig {
        vocab_size: 13,
        d_model: 8,
        d_ff: 12,
        n_layers: 2,
        n_heads: 2,
        initializer_range: 0.3,
        ..LlamaConfig::default()
    };
    Llama::new(config, &mut Rng::seeded(4)).unwrap()
}

fn llama_loss(model: &Llama) -> Gradients {
    let tokens = Tokens::batch(&[[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], 13).unwrap();
    let targets = tensor::Targets::new([2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 13).unwrap();
    autograd::cross_entropy(&model.forward(&tokens), &targets).backward().unwrap()
}

fn weight_of<'a>(model: &'a Llama, layer: &str) -> &'a Linear {
    model.linears().into_iter().find(|(name, _)| name == layer).unwrap().1
}

#[test]
fn so_it_is_of_a_layer_inside_of_a_model() {
    let mut model = llama();
    let whole = llama_loss(&model).get(&weight_of(&model, LAYER).weight).unwrap().clone();
    let (layout, config) = (model.layout(), format!("r=8,targets={LAYER}").parse().unwrap());
    let rng = &mut Rng::seeded(5);
    lora::attach(&mut model, &layout, &config, rng).unwrap();
    for (_, linear) in model.linears_mut() {
        if let Some(adapter) = &mut linear.adapter {
            *adapter.a.value_mut() = orthonormal(rng, 8, 8);
        }
    }
    let gradients = llama_loss(&model);
    Sgd::new(0.0).step(&mut model, &gradients, LR).unwrap();
    let change = weight_of(&model, LAYER).adapter.as_ref().unwrap().change();
    let along = cosine(&change, &-&whole);
    assert!(along > 1.0 - 1e-6, "{along}");
}

#[test]
fn what_is_frozen_gets_no_gradient_is_not_remembered_and_does_not_move() {
    let mut model = llama();
    let layout = model.layout();
    lora::attach(&mut model, &layout, &"r=2".parse().unwrap(), &mut Rng::seeded(6)).unwrap();
    let before = model.clone();
    let mut optimizer = AdamW::new(0.1);
    for _ in 0..2 {
        let gradients = llama_loss(&model);
        for (name, parameter) in model.parameters() {
            let is_of_adapter = name.contains(".adapter.");
            assert_eq!(gradients.get(parameter).is_some(), is_of_adapter, "{name}");
        }
        optimizer.step(&mut model, &gradients, 0.01).unwrap();
    }
    let remembered = optimizer.memory().state();
    assert!(!remembered.is_empty());
    let adapters = model.parameters().iter().filter(|(name, _)| name.contains(".adapter.")).count();
    assert_eq!(remembered.len(), 2 * adapters); // two moments each
    assert!(remembered.iter().all(|(name, _)| name.contains(".adapter.")));
    for ((name, now), (_, then)) in model.parameters().iter().zip(before.parameters()) {
        let moved = now.value().to_vec() != then.value().to_vec();
        assert_eq!(moved, name.contains(".adapter."), "{name}");
    }
}

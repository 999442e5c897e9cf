//! Ten AdamW steps of GPT-2 against PyTorch's, on the fixture that
//! `transformer/tests/fixtures/make_gpt2.py` makes.

use autograd::cross_entropy;
use std::path::PathBuf;
use tensor::{Targets, Tokens};
use train::optimizer::{AdamW, Optimizer};
use transformer::{DecoderOnly, Gpt2, Pretrained};

#[test]
fn ten_losses_and_gradient_norms_equal_pytorchs() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../transformer/tests/fixtures/gpt2_tiny");
    let mut model = Gpt2::from_pretrained(&folder).unwrap();
    let golden = tensor::file::read(&folder.join("golden.safetensors")).unwrap();
    let (_, ids) = &golden.integers["ids"];
    let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
    let tokens = Tokens::new(ids, 97).unwrap().reshape(&[3, 20]);
    let (_, labels) = &golden.integers["labels"];
    let id = |&label: &i64| if label < 0 { Targets::IGNORED } else { label as u32 };
    let targets = Targets::new(labels.iter().map(id).collect::<Vec<_>>(), 97).unwrap();

    let mut optimizer = AdamW::new(0.1);
    optimizer.beta2 = 0.95;
    optimizer.clip = Some(1.0);
    let expected = golden.tensors["adamw.losses"].to_vec();
    let norms = golden.tensors["adamw.grad_norms"].to_vec();
    for (step, (&expected, &norm)) in expected.iter().zip(&norms).enumerate() {
        let loss = cross_entropy(&model.forward(&tokens), &targets);
        assert!((loss.item() - expected).abs() < 1e-4, "step {step}: {} {expected}", loss.item());
        let gradients = loss.backward().unwrap();
        let found = optimizer.step(&mut model, &gradients, 1e-2).unwrap();
        assert!((found - f64::from(norm)).abs() < 1e-4, "step {step}: norm {found} {norm}");
    }
}

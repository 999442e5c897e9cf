//! Ten AdamW steps of every architecture, layout and option against PyTorch's, on the fixtures that
//! `transformer/tests/fixtures/make_models.py` makes. With `ATTENDANT_WRITE_PARITY=1` the largest
//! differences are written to `docs/parity.md`.

#[path = "../../transformer/tests/golden/fixture.rs"]
mod fixture;
#[path = "../../transformer/tests/golden/parity.rs"]
mod parity;

use fixture::{Fixture, folders};
use parity::Table;
use std::path::PathBuf;
use tensor::Float;
use train::optimizer::{AdamW, Optimizer};

/// Largest difference that counts as equal, relative to the largest loss and norm. In f64 what is left
/// is the noise of gradients that are zero by mathematics, which AdamW scales to the size of a step.
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-8 } else { 1e-4 };

#[test]
fn ten_losses_and_gradient_norms_equal_pytorchs() {
    let root = "../transformer/tests/fixtures/models";
    let mut table = Table::new("Ten AdamW steps", &["losses", "gradient norms"]);
    let mut faults = Vec::new();
    for folder in folders(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(root)) {
        let mut fixture = Fixture::open(&folder);
        let (losses, norms) = ten_steps(&mut fixture);
        let cells = [("losses", losses), ("grad_norms", norms)].map(|(what, ours)| {
            let golden = fixture.tensor(&format!("adamw.{what}")).to_vec();
            let difference = furthest(&ours, &golden);
            if difference.is_nan() || difference > TOLERANCE {
                faults.push(format!("{}: {what} {ours:?}, not {golden:?}", fixture.name));
            }
            parity::number(Some(difference))
        });
        table.row(&fixture.name, &fixture.case.shows, cells.to_vec());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    table.write(TOLERANCE);
}

fn ten_steps(fixture: &mut Fixture) -> (Vec<f64>, Vec<f64>) {
    let mut optimizer = AdamW::new(0.1);
    optimizer.beta2 = 0.95;
    optimizer.clip = Some(1.0);
    let input = fixture.input("");
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let loss = fixture.loss(&fixture.model.outputs(&input).unwrap());
        losses.push(f64::from(loss.item()));
        let gradients = loss.backward().unwrap();
        norms.push(optimizer.step(&mut fixture.model, &gradients, 1e-2).unwrap());
    }
    (losses, norms)
}

/// The largest difference, relative to the largest entry.
fn furthest(ours: &[f64], golden: &[Float]) -> f64 {
    let largest = golden.iter().fold(0.0f64, |most, &x| most.max(f64::from(x).abs()));
    let far = ours.iter().zip(golden).map(|(a, &b)| (a - f64::from(b)).abs() / largest);
    far.fold(0.0, |most, x| if x.is_nan() { x } else { most.max(x) })
}

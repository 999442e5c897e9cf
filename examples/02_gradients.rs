//! Course 2: a gradient tells how a result changes with each number it came from.
//!
//! `cargo run --release --example 02_gradients`

use autograd::gradcheck::gradcheck;
use autograd::{Parameter, Var};
use tensor::{Rng, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("y = w² at w = 3. Its slope there is 2w = 6:");
    let w = Parameter::new(Tensor::scalar(3.0));
    let gradients = (&*w * &*w).backward()?;
    println!("dy/dw = {}\n", gradients.get(&w).ok_or("w was not reached")?.item());

    println!("Walking against the gradient finds a line through points of y = 2x + 1:");
    let x = Var::constant(Rng::seeded(1).normal(&[64], 1.0));
    let y = &x * 2.0 + 1.0;
    let mut slope = Parameter::new(Tensor::scalar(0.0));
    let mut offset = Parameter::new(Tensor::scalar(0.0));
    for step in 0..=40 {
        let error = &x * &*slope + &*offset - &y;
        let loss = (&error * &error).mean();
        if step % 10 == 0 {
            let line = (slope.item(), offset.item());
            println!("step {step:2}: y = {:.3} x + {:.3}, loss {:.5}", line.0, line.1, loss.item());
        }
        let gradients = loss.backward()?;
        for parameter in [&mut slope, &mut offset] {
            let gradient = gradients.get(parameter).ok_or("not reached")?.clone();
            parameter.value_mut().apply_zip(&gradient, |w, g| w - 0.1 * g);
        }
    }

    println!("\nA gradient of one's own: y = x³, written with its derivative 3x².");
    fn cube(x: &Var) -> Var {
        let y = x.value().map(|x| x * x * x);
        Var::record("cube", [x], y, [x.value().clone()], |dy, [x]| {
            [(dy * x.map(|x| 3.0 * x * x)).into()]
        })
    }
    let points = Rng::seeded(2).normal(&[5], 1.0);
    let error = gradcheck(|x| cube(&x[0]), &[points])?;
    println!("largest difference from finite differences: {error:.1e}");
    println!("\nTry: write 2x² instead of 3x². Who notices?");
    Ok(())
}

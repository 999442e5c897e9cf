//! Course 1: a tensor is numbers and a shape.
//!
//! `cargo run --release --example 01_tensor`

use tensor::{Float, Rng, Tensor};

fn main() {
    println!("A tensor is a list of numbers and a shape:");
    let x = Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    println!("x = {x}\n");

    println!("A view is the same numbers under another shape; nothing is copied:");
    println!("x transposed = {}", x.transpose(0, 1));
    println!("x's second row = {}\n", x.narrow(0, 1, 1));

    println!("An axis of size 1 stretches (broadcasting), so a row is added to each row:");
    let row = Tensor::new([10.0, 20.0, 30.0], &[1, 3]);
    println!("x + row = {}\n", &x + &row);

    println!("The matrix product: entry (i, j) is row i of x times column j of y.");
    let y = Tensor::new([1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[3, 2]);
    println!("x · y = {}\n", x.matmul(&y));

    println!("Leading axes are a batch: 8 heads at once, each its own 5 × 4 times 4 × 5.");
    let mut rng = Rng::seeded(1);
    let (q, k) = (rng.normal(&[8, 5, 4], 1.0), rng.normal(&[8, 5, 4], 1.0));
    let scores = q.matmul(&k.transpose(-2, -1)) / (4.0 as Float).sqrt();
    println!("scores of attention: {:?}\n", scores.shape());

    println!("The seed fixes every random number: {}", Rng::seeded(7).normal(&[3], 1.0));
    println!("and again:                          {}\n", Rng::seeded(7).normal(&[3], 1.0));

    println!("Try: x.matmul(&x). What does the message tell you?");
}

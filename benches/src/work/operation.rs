//! Single operations: a matrix product; causal attention, forward and backward.

use crate::turns::Turn;
use autograd::ops::attention::attention;
use autograd::{Mask, Var};
use clap::Args;
use std::hint::black_box;
use std::time::Instant;
use tensor::{Float, Precision, Rng, Tensor, with_precision};

/// Runs of a matrix product that are timed together: one is over in milliseconds.
const RUNS: usize = 20;

/// Sizes of a matrix product.
#[derive(Args, Clone, Debug)]
pub struct Matmul {
    /// Rows of the first factor
    pub m: usize,
    /// Columns of the first factor, rows of the second
    pub k: usize,
    /// Columns of the second factor
    pub n: usize,
    /// What the factors are rounded to
    #[arg(long, value_parser = super::precisions(), default_value = "f32")]
    pub precision: Precision,
}

impl Matmul {
    /// The work: the mean time of one of several products.
    pub fn work(&self) -> impl FnMut() -> Turn {
        let mut rng = Rng::seeded(1);
        let [a, b] = [[self.m, self.k], [self.k, self.n]].map(|shape| rng.normal(&shape, 1.0));
        let precision = self.precision;
        move || {
            let start = Instant::now();
            with_precision(precision, || {
                for _ in 0..RUNS {
                    black_box(black_box(&a).matmul(&b));
                }
            });
            Turn { ms: Turn::since(start).ms / RUNS as f64, loss: None }
        }
    }
}

/// Sizes of attention, each query over itself and what stands before it.
#[derive(Args, Clone, Debug)]
pub struct Attention {
    /// Sequences
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// Heads
    #[arg(long, default_value_t = 12)]
    pub heads: usize,
    /// Tokens of a sequence
    #[arg(long)]
    pub seq: usize,
    /// Numbers of one head
    #[arg(long, default_value_t = 64)]
    pub head_dim: usize,
    /// What the factors of matrix products are rounded to
    #[arg(long, value_parser = super::precisions(), default_value = "f32")]
    pub precision: Precision,
}

impl Attention {
    /// The work: forward, and backward from a gradient of random numbers to queries, keys and values.
    pub fn work(&self) -> impl FnMut() -> Turn {
        let mut rng = Rng::seeded(1);
        // As one matrix gives them: [batch, seq, heads, head_dim], seen by head.
        let shape = [self.batch, self.seq, self.heads, self.head_dim];
        let [q, k, v, dy] = [(); 4].map(|()| rng.normal(&shape, 1.0).transpose(1, 2));
        let [q, k, v] = [q, k, v].map(Var::leaf);
        let dy = Var::constant(dy);
        let scale = 1.0 / (self.head_dim as Float).sqrt();
        let precision = self.precision;
        move || {
            let start = Instant::now();
            with_precision(precision, || {
                let y = attention(&q, &k, &v, scale, &Mask::causal());
                let gradients = (&y * &dy).sum().backward().expect("a recorded sum");
                let found = [&q, &k, &v].map(|x| gradients.get(x).map(Tensor::len));
                assert!(black_box(found).iter().all(Option::is_some));
            });
            Turn::since(start)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_takes_its_time() {
        for precision in [Precision::F32, Precision::Bf16] {
            assert!((Matmul { m: 3, k: 4, n: 5, precision }.work())().ms > 0.0);
            let attention = Attention { batch: 1, heads: 2, seq: 8, head_dim: 4, precision };
            assert!((attention.work())().ms > 0.0);
        }
    }
}

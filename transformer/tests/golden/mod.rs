//! What the tests against fixtures share.

use tensor::{Float, Targets, Tensor, file::Contents};

/// Largest difference that counts as equal, relative to the tensor's largest entry.
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-9 } else { 1e-4 };

/// The rows of a matrix of ids.
pub fn ids(golden: &Contents, name: &str) -> Vec<Vec<u32>> {
    let (shape, values) = &golden.integers[name];
    let rows = values.chunks(shape[shape.len() - 1]);
    rows.map(|row| row.iter().map(|&id| id as u32).collect()).collect()
}

/// The labels, of which negative ones are ignored.
pub fn targets(golden: &Contents, vocab_size: usize) -> Targets {
    let (_, labels) = &golden.integers["labels"];
    let id = |&label: &i64| if label < 0 { Targets::IGNORED } else { label as u32 };
    Targets::new(labels.iter().map(id).collect::<Vec<_>>(), vocab_size).unwrap()
}

#[track_caller]
pub fn assert_close(name: &str, ours: &Tensor, golden: &Tensor) {
    assert_eq!(ours.shape(), golden.shape(), "{name}");
    let largest = golden.to_vec().iter().fold(0.0f64, |m, &x| m.max(f64::from(x).abs()));
    let pairs = ours.to_vec().into_iter().zip(golden.to_vec());
    let worst = pairs.map(|(a, b)| f64::from(a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= TOLERANCE * largest.max(1e-3), "{name}: {worst:e} of {largest}");
}

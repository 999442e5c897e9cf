//! Numbers in a shape: the tensor, its storage, the matrix product and vector maths. No gradient.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Tensor`] | shape, strides and a shared buffer; access |
//! | `constructors` | ranges, even steps, the identity, constants like another |
//! | `display` | tensors as text |
//! | `layout` | reshape, permute, narrow, broadcast: views where possible |
//! | `views` | slices with steps, squeeze, unsqueeze, split, diagonal: always views |
//! | `concat` | concat and stack |
//! | `pad` | pad, roll, flip |
//! | `mask` | where, masked fill, lower and upper triangles |
//! | `elementwise` | `map`, `zip` with broadcasting, operators, functions, comparisons |
//! | `convert` | a tensor from a number, from and to `ndarray` |
//! | `reduce` | sum, mean, max, min, variance, logsumexp, argmax, argmin, over axes |
//! | [`Indices`] | positions along an axis |
//! | `gather` | gather, scatter-add, one-hot |
//! | `select` | index select and index add |
//! | `sort` | sort and top-k |
//! | `cumsum` | the cumulative sum |
//! | `matmul` | the matrix product of any rank |
//! | [`tile`] | products of matrices that lie in a cache, on the calling thread |
//! | [`Precision`] | what its factors are rounded to |
//! | [`packed`] | numbers in fewer bits, as model files hold them: f16, bf16, quantized |
//! | [`einsum`] | sums of products over named axes |
//! | [`vmath`] | exponential, logarithm, tanh, …, sums and dot products of slices |
//! | [`mod@simd`] | kernels compiled for several instruction sets, chosen at run time |
//! | [`par`] | splitting work over threads without changing its result |
//! | [`random`] | the one seeded generator: distributions, permutations, draws |
//! | [`tokens`] | token ids, checked where they enter |
//! | [`mod@file`] | safetensors files in and out |
//! | [`gguf`] | GGUF files in and out |
//! | [`npy`] | NumPy's `.npy` files in and out |
//!
//! A wrong shape is a bug and panics with the operation, both shapes and a hint; whatever comes
//! from outside (files, ids) returns a [`Result`].

mod bytes;
mod concat;
mod constructors;
mod convert;
mod cumsum;
mod display;
pub mod einsum;
mod elementwise;
mod error;
pub mod file;
mod gather;
pub mod gguf;
mod indices;
mod layout;
mod mask;
mod matmul;
pub mod npy;
pub mod packed;
mod pad;
pub mod par;
mod precision;
pub mod random;
mod reduce;
mod select;
pub mod shape;
pub mod simd;
mod sort;
mod storage;
#[allow(clippy::module_inception)]
mod tensor;
#[cfg(test)]
mod testing;
pub mod tokens;
mod views;
pub mod vmath;

pub use error::Error;
pub use indices::Indices;
pub use matmul::peak::peak_flops;
pub use matmul::tile;
pub use precision::{Precision, precision, with_precision};
pub use random::Rng;
pub use storage::{OutOfMemory, live_bytes};
pub use tensor::Tensor;
pub use tokens::{Targets, Tokens};

/// The number a tensor holds: `f32`, or `f64` when the workspace is compiled with
/// `--cfg attendant_f64` (for gradient checks).
#[cfg(not(attendant_f64))]
pub type Float = f32;
/// The number a tensor holds: `f64` in this build, made for gradient checks.
#[cfg(attendant_f64)]
pub type Float = f64;

//! The operations: one file each, with equation, forward, backward and tests, in that order.
//!
//! To add one: a file with these four parts, and its name in the two lists here. Tests walk the
//! second (`walk.rs`): an operation without its parts, or without cases whose gradients are
//! checked, does not compile or fails. A function made of other operations needs no backward of its
//! own.

pub mod add;
pub mod broadcast_to;
pub mod concat;
pub mod cross_entropy;
pub mod cumsum;
pub mod diagonal;
pub mod div;
pub mod dropout;
pub mod einsum;
pub mod embedding;
pub mod flip;
pub mod gather;
pub mod gelu;
pub mod gelu_tanh;
pub mod index_add;
pub mod index_select;
pub mod layer_norm;
pub mod linear;
pub mod masked;
pub mod masked_fill;
pub mod matmul;
pub mod mul;
pub mod narrow;
pub mod neg;
pub mod pad;
pub mod permute;
pub mod relu;
pub mod reshape;
pub mod rms_norm;
pub mod roll;
pub mod rotary;
pub mod scale;
pub mod scatter_add;
pub mod silu;
pub mod slice;
pub mod softmax;
pub mod sort;
pub mod sub;
pub mod sum;
pub mod swiglu;
pub mod tril;
pub mod where_cond;

#[cfg(test)]
pub(crate) mod cases;
#[cfg(test)]
mod walk;

macro_rules! list {
    ($($name:ident)*) => {
        /// Every operation.
        #[cfg(test)]
        pub(crate) const ALL: &[cases::Operation] = &[$(cases::Operation {
            name: stringify!($name),
            source: include_str!(concat!(stringify!($name), ".rs")),
            cases: $name::tests::cases,
        }),*];
    };
}

list! {
    add
    broadcast_to
    concat
    cross_entropy
    cumsum
    diagonal
    div
    dropout
    einsum
    embedding
    flip
    gather
    gelu
    gelu_tanh
    index_add
    index_select
    layer_norm
    linear
    masked
    masked_fill
    matmul
    mul
    narrow
    neg
    pad
    permute
    relu
    reshape
    rms_norm
    roll
    rotary
    scale
    scatter_add
    silu
    slice
    softmax
    sort
    sub
    sum
    swiglu
    tril
    where_cond
}

/// The operator traits of an operation `Var::$method` for owned and borrowed values.
macro_rules! operator {
    ($trait:ident, $method:ident, $function:ident) => {
        impl std::ops::$trait<&crate::Var> for &crate::Var {
            type Output = crate::Var;
            #[track_caller]
            fn $method(self, other: &crate::Var) -> crate::Var {
                $function(self, other)
            }
        }
        impl std::ops::$trait<crate::Var> for &crate::Var {
            type Output = crate::Var;
            #[track_caller]
            fn $method(self, other: crate::Var) -> crate::Var {
                $function(self, &other)
            }
        }
        impl std::ops::$trait<&crate::Var> for crate::Var {
            type Output = crate::Var;
            #[track_caller]
            fn $method(self, other: &crate::Var) -> crate::Var {
                $function(&self, other)
            }
        }
        impl std::ops::$trait<crate::Var> for crate::Var {
            type Output = crate::Var;
            #[track_caller]
            fn $method(self, other: crate::Var) -> crate::Var {
                $function(&self, &other)
            }
        }
    };
}
pub(crate) use operator;

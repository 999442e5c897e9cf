//! The operations: one file each, with equation, forward, backward and tests, in that order.
//!
//! To add one: a file with these four parts, and its name in the two lists here. Tests walk the
//! second (`walk.rs`): an operation without its parts, or without cases whose gradients are
//! checked, does not compile or fails. A function made of other operations needs no backward of its
//! own.

pub mod abs;
pub mod add;
pub mod attention;
pub mod binary_cross_entropy;
pub mod broadcast_to;
pub mod clamp;
pub mod concat;
pub mod cos;
pub mod cross_entropy;
pub mod cumsum;
pub mod diagonal;
pub mod div;
pub mod dropout;
pub mod einsum;
pub mod embedding;
pub mod erf;
pub mod exp;
pub mod extremes;
pub mod flip;
pub mod gather;
pub mod gelu;
pub mod gelu_tanh;
pub mod index_add;
pub mod index_select;
pub mod layer_norm;
pub mod linear;
pub mod linear_cross_entropy;
pub mod ln;
pub mod log_softmax;
pub mod logsumexp;
pub mod masked;
pub mod masked_fill;
pub mod matmul;
pub mod maximum;
pub mod minimum;
pub mod mse;
pub mod mul;
pub mod narrow;
pub mod neg;
pub mod pad;
pub mod permute;
pub mod pow;
pub mod powf;
pub mod recip;
pub mod relu;
pub mod reshape;
pub mod rms_norm;
pub mod roll;
pub mod rotary;
pub mod scale;
pub mod scatter_add;
pub mod sigmoid;
pub mod silu;
pub mod sin;
pub mod slice;
pub mod softmax;
pub mod sort;
pub mod sqrt;
pub mod square;
pub mod sub;
pub mod sum;
pub mod swiglu;
pub mod tanh;
pub mod tril;
pub mod variance;
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
    abs
    add
    attention
    binary_cross_entropy
    broadcast_to
    clamp
    concat
    cos
    cross_entropy
    cumsum
    diagonal
    div
    dropout
    einsum
    embedding
    erf
    exp
    extremes
    flip
    gather
    gelu
    gelu_tanh
    index_add
    index_select
    layer_norm
    linear
    linear_cross_entropy
    ln
    log_softmax
    logsumexp
    masked
    masked_fill
    matmul
    maximum
    minimum
    mse
    mul
    narrow
    neg
    pad
    permute
    pow
    powf
    recip
    relu
    reshape
    rms_norm
    roll
    rotary
    scale
    scatter_add
    sigmoid
    silu
    sin
    slice
    softmax
    sort
    sqrt
    square
    sub
    sum
    swiglu
    tanh
    tril
    variance
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

//! Kernels compiled for several instruction sets, one of them chosen at run time.
//!
//! A kernel is written once, in plain Rust that the compiler can vectorize; [`simd!`](crate::simd!)
//! compiles it for AVX-512, for AVX2 and for any CPU. A product and a sum are rounded once where the
//! kernel says `mul_add`, and twice elsewhere, so that an elementwise kernel gives the same bits on
//! each. (Without an instruction for it, `mul_add` is a call, which is slow.) `ATTENDANT_SIMD=off`
//! forces the portable code, `ATTENDANT_SIMD=avx2` leaves AVX-512 out. (The matrix product falls
//! back to the `matrixmultiply` crate then, which chooses for itself.)

use std::sync::OnceLock;

/// What the kernels of this process are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Whatever any CPU of this architecture has.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

/// The best instruction set of this CPU, or less where `ATTENDANT_SIMD` says so.
pub fn instruction_set() -> InstructionSet {
    static CHOSEN: OnceLock<InstructionSet> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let allowed = match std::env::var("ATTENDANT_SIMD").as_deref() {
            Ok("off") => InstructionSet::Portable,
            Ok("avx2") => InstructionSet::Avx2,
            _ => InstructionSet::Avx512,
        };
        detected().min(allowed)
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> InstructionSet {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => InstructionSet::Avx512,
        (true, false) => InstructionSet::Avx2,
        _ => InstructionSet::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> InstructionSet {
    InstructionSet::Portable
}

/// Defines a function whose body is compiled for each instruction set and chosen at run time.
///
/// ```
/// tensor::simd! {
///     /// y ← a x
///     fn scale(x: &[f32], y: &mut [f32], a: f32) {
///         for (y, x) in y.iter_mut().zip(x) {
///             *y = a * x;
///         }
///     }
/// }
/// let mut y = [0.0; 2];
/// scale(&[1.0, 2.0], &mut y, 3.0);
/// assert_eq!(y, [3.0, 6.0]);
/// ```
#[macro_export]
macro_rules! simd {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$generic:ident: $bound:path>)? (
        $($arg:ident: $ty:ty),* $(,)?
    ) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn kernel $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx512 $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                kernel $(::<$generic>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2 $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                kernel $(::<$generic>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            match $crate::simd::instruction_set() {
                // SAFETY: `instruction_set` found these features on this CPU.
                $crate::simd::InstructionSet::Avx512 => return unsafe { avx512 $(::<$generic>)? ($($arg),*) },
                // SAFETY: as above.
                $crate::simd::InstructionSet::Avx2 => return unsafe { avx2 $(::<$generic>)? ($($arg),*) },
                $crate::simd::InstructionSet::Portable => {}
            }
            kernel $(::<$generic>)? ($($arg),*)
        }
    };
}

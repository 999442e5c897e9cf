//! The innermost part of the blocked product, a tile of C in registers, and which kernels there are.
//!
//! A tile has as many rows as fit in registers beside two registers of a row of B. For each k the
//! row of B is loaded, and each number of the column of A is broadcast and multiplied with it: two
//! fused multiply-adds for each broadcast, and no look at C until the sums are whole. The compiler
//! unrolls the tile and keeps it in registers, which a look at the assembly confirms for each
//! kernel (as many FMA as registers of sums, none of them on the stack); left to find the
//! multiply-adds of a register by itself, it did so for some numbers of rows only.
//!
//! A in plain numbers is read where it lies if its rows run along k: filling a panel costs more than
//! it saves. Otherwise each word of a tile lies in a cache line of its own, and A is packed.
//!
//! What is needed soon is asked for in time: C before the sums begin, A some words ahead, and the next
//! panel of B while this one is multiplied. The caches further off take longer to answer than the
//! processor looks ahead; without asking, a tenth of the time goes into waiting.

use super::panels::Pack;
use super::peak::{CHAINS, Registers};
#[cfg(target_arch = "x86_64")]
use crate::simd::instruction_set;
use crate::{Float, Precision};
use std::hint::black_box;

/// Some lanes of A. Rows where they lie: `stride` from row to row. A panel: `stride` from word to
/// word.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    pub start: *const Float,
    pub stride: usize,
}

/// The rows of the next panel of B, or of what it is packed from: each of the first few tiles of C
/// brings its share near.
pub(super) struct Next {
    pub rows: Lanes,
    /// Words from one tile's share to the next.
    pub share: usize,
}

impl Next {
    /// Of plain numbers by lane and step: a row are lanes of a step, or steps of a lane. Shares fit
    /// 256 words of 32 lanes; of others, some rows are asked for twice or not at all.
    pub fn plain(start: *const Float, strides: [usize; 2], steps: usize, lanes: usize) -> Next {
        match strides {
            [stride, 1] => Next { rows: Lanes { start, stride }, share: lanes },
            [_, stride] => {
                let share = steps / Kernel::FETCHED * stride;
                Next { rows: Lanes { start, stride }, share }
            }
        }
    }

    /// The rows that a tile brings near.
    pub fn share(&self, tile: usize) -> Lanes {
        Lanes { start: self.rows.start.wrapping_add(tile * self.share), ..self.rows }
    }
}

/// C = A · B or, where it is `added`, C += A · B of the tile at `c`, whose rows are `c_stride`
/// apart, with `words` of each lane of A and of a panel of B. On the way, rows of a panel of B are
/// brought near, or of what it is packed from: those at `next`, one for [`Kernel::FETCHED`] words.
pub(super) type Multiply = unsafe fn(
    words: usize,
    a: Lanes,
    b: *const Float,
    c: *mut Float,
    c_stride: usize,
    added: bool,
    next: Lanes,
);

/// What the blocked product needs of an instruction set and a precision.
pub(super) struct Kernel {
    /// Rows of a tile of C, which are the lanes of a panel of A.
    pub rows: usize,
    /// Columns of a tile of C, which are the lanes of a panel of B.
    pub columns: usize,
    /// How many numbers along k a word of a panel holds: 1, or 2 of bfloat16.
    pub depth: usize,
    /// How to multiply 1, 2, …, `rows` lanes of A that lie side by side, as in a panel.
    pub multiply: &'static [Multiply],
    /// The same for rows of A; `None` where A's numbers are rounded on the way into panels.
    pub multiply_rows: Option<&'static [Multiply]>,
    /// How panels of A are made.
    pub pack_a: Pack,
    /// How panels of B are made.
    pub pack_b: Pack,
    /// Multiply-adds that read no memory.
    pub registers: Registers,
}

/// The kernel for this CPU and precision; `None` where only portable code may run.
pub(super) fn kernel(precision: Precision) -> Option<&'static Kernel> {
    #[cfg(target_arch = "x86_64")]
    return super::x86::kernel(instruction_set(), super::x86::has_fast_bf16(), precision);
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}

/// What a lane of a panel holds.
pub(super) trait Word: Copy {
    /// Adds `a · b` to the sums, lane by lane.
    ///
    /// # Safety
    /// Inlined where the CPU has what it needs.
    unsafe fn multiply_add<const LANES: usize>(self, b: &[Self; LANES], sums: &mut [Float; LANES]);
}

impl Kernel {
    /// A tile brings near a row for so many words: as many tiles bring a panel.
    pub const FETCHED: usize = 8;
}

/// ROWS lanes of A, which are rows where it lies ALONG_K, times two registers of LANES.
#[inline(always)]
pub(super) unsafe fn tile<W: Word, const ROWS: usize, const ALONG_K: bool, const LANES: usize>(
    words: usize,
    a: Lanes,
    b: *const W,
    c: *mut Float,
    c_stride: usize,
    added: bool,
    next: Lanes,
) {
    let mut sums = [[[0.0; LANES]; 2]; ROWS];
    // Words of a cache line.
    let line = 64 / size_of::<W>();
    let (start, stride) = (a.start.cast::<W>(), a.stride);
    // An address adds up to two strides to a pointer at no cost: so every third row has a pointer.
    // `black_box` keeps the compiler from finding each row by an addition to the one before.
    const { assert!(ROWS <= 12) };
    let thirds: [_; 4] = std::array::from_fn(|index| start.wrapping_add(3 * index * stride));
    let thirds = if ALONG_K { black_box(thirds) } else { thirds };
    let number = |row: usize, word: usize| match ALONG_K {
        true => thirds[row / 3].wrapping_add(row % 3 * stride + word),
        false => start.wrapping_add(word * stride + row),
    };
    // SAFETY: A and the panel of B hold that many words, and C has room for the tile.
    unsafe {
        for row in 0..ROWS {
            let c = c.add(row * c_stride);
            (0..2 * LANES).step_by(line).for_each(|column| fetch::<FIRST, _>(c.add(column)));
        }
        for word in 0..words {
            if !ALONG_K {
                fetch::<FIRST, _>(number(0, word + AHEAD));
            } else if word % line == 0 {
                (0..ROWS).for_each(|row| fetch::<FIRST, _>(number(row, word + AHEAD)));
            }
            if word % Kernel::FETCHED == 0 {
                let row = next.start.wrapping_add(word / Kernel::FETCHED * next.stride);
                (0..2 * LANES)
                    .step_by(line)
                    .for_each(|at| fetch::<SECOND, _>(row.wrapping_add(at)));
            }
            let b = *b.cast::<[[W; LANES]; 2]>().add(word);
            for (row, sums) in sums.iter_mut().enumerate() {
                let a = *number(row, word);
                for (sums, b) in sums.iter_mut().zip(&b) {
                    a.multiply_add(b, sums);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let c = &mut *c.add(row * c_stride).cast::<[[Float; LANES]; 2]>();
            for (c, sum) in c.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
                *c = if added { *c + sum } else { *sum };
            }
        }
    }
}

/// Words of A that are brought near before they are needed.
const AHEAD: usize = 32;
/// The first cache.
pub(super) const FIRST: i32 = 3;
/// The second cache.
const SECOND: i32 = 2;

/// Asks for a cache line, from anywhere: it is no access.
#[inline(always)]
pub(super) fn fetch<const CACHE: i32, T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<CACHE>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Multiply-adds that read no memory: the sum of a lane of each chain, so that none is left out.
#[inline(always)]
pub(super) unsafe fn registers<W: Word, const LANES: usize>(
    rounds: usize,
    a: W,
    b: [W; LANES],
) -> Float {
    let mut sums = [[0.0; LANES]; CHAINS];
    for _ in 0..rounds {
        for sums in &mut sums {
            // SAFETY: as the caller says.
            unsafe { a.multiply_add(&b, sums) };
        }
    }
    sums.iter().map(|sums| sums[0]).sum()
}

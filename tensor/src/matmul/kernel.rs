//! The innermost part of the blocked product, a tile of C in registers, and which kernels there are.
//!
//! A tile has as many rows as fit in registers beside those of a row of B: eight beside three with
//! AVX-512, six beside two with AVX2. For each k the row of B is loaded, and each number of the column
//! of A is broadcast: a fused multiply-add for each register of B, and no look at C until the sums are
//! whole. The compiler unrolls the tile and keeps it in registers, which a look at the assembly
//! confirms for each kernel (as many FMA as registers of sums, none of them on the stack); left to
//! find the multiply-adds of a register by itself, it did so for some numbers of rows only.
//!
//! A in plain numbers is read where it lies if its rows run along k: filling a panel costs more than
//! it saves. Eight rows are few enough for the twelve ways of Intel's first cache, even where they lie
//! a multiple of 4 KiB apart; AMD's eight were not measured. Where A's rows do not run along k, each
//! word of a tile lies in a cache line of its own, and A is packed.
//!
//! What is needed soon is asked for in time, and a little at a time: a first cache waits for some
//! sixteen lines at once, and for no other while they are on their way. So the next tile of C comes
//! row by row while this one is summed up, as does the next panel of B, and A some words ahead: at
//! its end, the beginning of the rows that come next.

use super::panels::Pack;
use super::peak::{CHAINS, Registers};
#[cfg(target_arch = "x86_64")]
use crate::simd::instruction_set;
use crate::{Float, Precision};
use std::hint::black_box;

/// Rows of a matrix, `stride` from one to the next; or a panel of A, `stride` from word to word.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    pub start: *const Float,
    pub stride: usize,
}

impl Lanes {
    /// The same, after some rows.
    pub fn after(self, rows: usize) -> Lanes {
        Lanes { start: self.start.wrapping_add(rows * self.stride), ..self }
    }
}

/// The panel of B that comes next, or what it is packed from: each of the first few tiles of C brings
/// a share near.
pub(super) struct Next {
    rows: Lanes,
    /// From one tile's share to the next.
    share: usize,
    /// So many shares lie below each other; the next ones begin a panel's width further.
    below: usize,
    width: usize,
}

impl Next {
    /// A panel of so many lanes, while tiles of so many words are multiplied.
    pub fn panel(start: *const Float, words: usize, lanes: usize) -> Next {
        Next::plain(start, [1, lanes], words, lanes)
    }

    /// Plain numbers by lane and step: a row are the lanes of a step, or as many steps of a lane.
    pub fn plain(start: *const Float, strides: [usize; 2], words: usize, lanes: usize) -> Next {
        let rows = (words / Kernel::FETCHED).max(1);
        let (stride, below) = match strides {
            [stride, 1] => (stride, lanes.div_ceil(rows)),
            [_, stride] => (stride, usize::MAX),
        };
        Next { rows: Lanes { start, stride }, share: rows * stride, below, width: lanes }
    }

    /// The rows that a tile brings near.
    pub fn share(&self, tile: usize) -> Lanes {
        let numbers = tile % self.below * self.share + tile / self.below * self.width;
        Lanes { start: self.rows.start.wrapping_add(numbers), ..self.rows }
    }
}

/// What a tile brings near on its way, a row for each [`Kernel::FETCHED`] words.
#[derive(Clone, Copy)]
pub(super) struct Soon {
    /// From behind the last word of A's lanes to the first of those that are needed next.
    pub a: isize,
    /// The tile of C that is needed next.
    pub c: Lanes,
    /// A share of what comes next of B.
    pub b: Lanes,
}

/// What becomes of the sums of a tile.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sums {
    /// C is them.
    New,
    /// They are added to C.
    Added,
    /// They go on from C, as if what was multiplied before and now were one.
    Continued,
}

/// Multiplies `words` of some lanes of A and of a panel of B. The sums become, as `sums` says, the
/// tile at `c`, whose rows are `c_stride` apart. On the way, what is needed `soon` is brought near.
pub(super) type Multiply = unsafe fn(
    words: usize,
    a: Lanes,
    b: *const Float,
    c: *mut Float,
    c_stride: usize,
    sums: Sums,
    soon: Soon,
);

/// How to multiply with 1, 2, … registers of a panel of B: 1, 2, … lanes of A.
pub(super) type Widths = &'static [&'static [Multiply]];

/// What the blocked product needs of an instruction set and a precision.
pub(super) struct Kernel {
    /// Rows of a tile of C, which are the lanes of a panel of A.
    pub rows: usize,
    /// Columns of a tile of C, which are the lanes of a panel of B.
    pub columns: usize,
    /// Lanes of a register.
    pub lanes: usize,
    /// How many numbers along k a word of a panel holds: 1, or 2 of bfloat16.
    pub depth: usize,
    /// Words along k that are summed up before C is looked at: as many of a tile's lanes of A, and of
    /// two panels of B, stay in the second cache, which is smaller where there is only AVX2.
    pub step: usize,
    /// How to multiply lanes of A that lie side by side, as in a panel.
    pub multiply: Widths,
    /// The same for rows of A; `None` where A's numbers are rounded on the way into panels.
    pub multiply_rows: Option<Widths>,
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
    /// A tile brings near a row for so many words: as many tiles bring a panel of words, and twice as
    /// many the steps of pairs.
    pub const FETCHED: usize = 8;
}

/// ROWS lanes of A, which are rows where it lies ALONG_K, times the first REGISTERS of LANES of a PANEL
/// of B.
#[inline(always)]
pub(super) unsafe fn tile<
    W: Word,
    const ROWS: usize,
    const REGISTERS: usize,
    const PANEL: usize,
    const ALONG_K: bool,
    const LANES: usize,
>(
    words: usize,
    a: Lanes,
    b: *const W,
    c: *mut Float,
    c_stride: usize,
    onto: Sums,
    soon: Soon,
) {
    let mut sums = [[[0.0; LANES]; REGISTERS]; ROWS];
    // Words of a cache line.
    let line = 64 / size_of::<W>();
    let (start, stride) = (a.start.cast::<W>(), a.stride);
    // An address adds up to two strides to a pointer at no cost: so every third row has a pointer.
    // `black_box` keeps the compiler from finding each row by an addition to the one before.
    const { assert!(ROWS <= 9) };
    let thirds: [_; 3] = std::array::from_fn(|index| start.wrapping_add(3 * index * stride));
    let thirds = if ALONG_K { black_box(thirds) } else { thirds };
    let number = |row: usize, word: usize| match ALONG_K {
        true => thirds[row / 3].wrapping_add(row % 3 * stride + word),
        false => start.wrapping_add(word * stride + row),
    };
    // Behind the last word the lanes that come next begin.
    let distance = AHEAD[usize::from(ALONG_K)].min(words);
    // SAFETY: A and the panel of B hold that many words, and C has room for the tile.
    unsafe {
        if onto == Sums::Continued {
            for (row, sums) in sums.iter_mut().enumerate() {
                *sums = *c.add(row * c_stride).cast();
            }
        }
        for row in words.div_ceil(Kernel::FETCHED)..ROWS {
            fetch_row::<FIRST>(soon.c, row, REGISTERS * LANES);
        }
        for word in 0..words {
            if !ALONG_K || word % line == 0 {
                let ahead = word + distance;
                let to_next = if ahead < words { 0 } else { soon.a };
                let rows = if ALONG_K { ROWS } else { 1 };
                for row in 0..rows {
                    fetch::<FIRST, _>(number(row, ahead).wrapping_offset(to_next));
                }
            }
            if word % Kernel::FETCHED == 0 {
                let row = word / Kernel::FETCHED;
                // After the last row, that one again: no branch.
                fetch_row::<FIRST>(soon.c, row.min(ROWS - 1), REGISTERS * LANES);
                fetch_row::<SECOND>(soon.b, row, REGISTERS * LANES);
            }
            let b = *b.add(word * PANEL * LANES).cast::<[[W; LANES]; REGISTERS]>();
            for (row, sums) in sums.iter_mut().enumerate() {
                let a = *number(row, word);
                for (sums, b) in sums.iter_mut().zip(&b) {
                    a.multiply_add(b, sums);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let c = &mut *c.add(row * c_stride).cast::<[[Float; LANES]; REGISTERS]>();
            for (c, sum) in c.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
                *c = if onto == Sums::Added { *c + sum } else { *sum };
            }
        }
    }
}

/// How many words ahead A is asked for: in a panel, and in rows where they lie.
const AHEAD: [usize; 2] = [32, 64];
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

/// Asks for as many cache lines as so many numbers of a row fill, and not for the rest of a line at its
/// end.
#[inline(always)]
fn fetch_row<const CACHE: i32>(rows: Lanes, row: usize, numbers: usize) {
    let row = rows.after(row).start;
    for at in (0..numbers).step_by(64 / size_of::<Float>()) {
        fetch::<CACHE, _>(row.wrapping_add(at));
    }
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

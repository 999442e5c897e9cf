//! The matrix product of two matrices for AVX-512, one thread, `f32`.
//!
//! The loops of Goto & van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008):
//! a block of B is packed into panels of [`NR`] columns, a block of A into panels of [`MR`] rows,
//! and the kernel multiplies a panel by a panel in registers: 24 of the 32 hold a part of C.
//! Each number of C is summed over k in one order, wherever its tile lies.
//!
//! Faster than the `matrixmultiply` crate where k or n is small, since rows of A that lie side by
//! side are packed by copying: 1.3 × and more on a Transformer of width 192 (`cargo bench`).

use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_set1_ps, _mm512_setzero_ps,
};
use std::cell::RefCell;

/// Rows of a tile of C.
const MR: usize = 12;
/// Columns of a tile of C: two registers.
const NR: usize = 2 * LANES;
const LANES: usize = 16;
/// Depth of a block: a panel of A is 12 KiB then.
const KC: usize = 256;
/// Rows of a block of A, which stays in the second-level cache.
const MC: usize = 16 * MR;
/// Columns of a block of B.
const NC: usize = 32 * NR;
/// Numbers from one row of a packed panel of A to the next; not a power of two, so that rows do
/// not compete for the same lines of the cache.
const ROW: usize = KC + LANES;

/// A matrix to be read: entry (i, j) at `start + i · row_stride + j · column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Operand {
    pub start: *const f32,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl Operand {
    /// # Safety
    /// The entry must lie in the matrix, or one past it.
    unsafe fn at(self, row: usize, column: usize) -> *const f32 {
        // SAFETY: the caller's promise.
        unsafe { self.start.add(row * self.row_stride + column * self.column_stride) }
    }
}

/// Packed blocks of A and B, kept by each thread from call to call.
#[derive(Default)]
struct Packed {
    a: Vec<f32>,
    b: Vec<f32>,
}

thread_local! {
    static PACKED: RefCell<Packed> = RefCell::default();
}

/// C[m × n] = A[m × k] · B[k × n]; rows of C are contiguous, `c_stride` apart.
///
/// # Safety
/// The CPU has AVX-512 F; A and B may be read and C written within these sizes, and no one else
/// reads or writes this part of C.
pub(crate) unsafe fn gemm(
    (m, k, n): (usize, usize, usize),
    a: Operand,
    b: Operand,
    c: *mut f32,
    c_stride: usize,
) {
    PACKED.with_borrow_mut(|packed| {
        packed.a.resize(MC.min(m.next_multiple_of(MR)) * ROW, 0.0);
        packed.b.resize(NC.min(n.next_multiple_of(NR)) * KC.min(k), 0.0);
        for j in (0..n).step_by(NC) {
            let nc = NC.min(n - j);
            for p in (0..k).step_by(KC) {
                let kc = KC.min(k - p);
                // SAFETY: all blocks lie within the sizes that the caller promised.
                unsafe { pack_b(&mut packed.b, b, (p, kc), (j, nc)) };
                for i in (0..m).step_by(MC) {
                    let mc = MC.min(m - i);
                    // SAFETY: as above; the feature is the caller's promise.
                    unsafe {
                        let by_rows = pack_a(&mut packed.a, a, (i, mc), (p, kc));
                        let c = c.add(i * c_stride + j);
                        let block = Block { m: mc, k: kc, n: nc, c, c_stride, first: p == 0 };
                        match by_rows {
                            true => block.multiply::<ROW, 1>(&packed.a, &packed.b),
                            false => block.multiply::<1, MR>(&packed.a, &packed.b),
                        }
                    }
                }
            }
        }
    });
}

/// Panels of NR columns, row after row: entry (p, j) of panel q at `q · NR · kc + p · NR + j`.
///
/// # Safety
/// The block lies within B, and `out` holds it.
unsafe fn pack_b(out: &mut [f32], b: Operand, (p, kc): (usize, usize), (j, nc): (usize, usize)) {
    for (panel, out) in out.chunks_mut(NR * kc).take(nc.div_ceil(NR)).enumerate() {
        let columns = NR.min(nc - panel * NR);
        // SAFETY: the caller's promise.
        unsafe {
            let source = b.at(p, j + panel * NR);
            if b.column_stride == 1 {
                for (row, out) in out.chunks_exact_mut(NR).enumerate() {
                    let row = std::slice::from_raw_parts(source.add(row * b.row_stride), columns);
                    out[..columns].copy_from_slice(row);
                }
                continue;
            }
            // Column after column: they are what lies together in memory.
            for column in 0..columns {
                let source = source.add(column * b.column_stride);
                for (row, out) in out.chunks_exact_mut(NR).enumerate() {
                    out[column] = *source.add(row * b.row_stride);
                }
            }
        }
    }
}

/// Panels of MR rows. Rows of A that are contiguous are copied as they are, ROW apart; else a
/// panel holds MR entries of one column after the other. Returns whether it is by rows.
///
/// # Safety
/// The block lies within A, and `out` holds it.
unsafe fn pack_a(
    out: &mut [f32],
    a: Operand,
    (i, mc): (usize, usize),
    (p, kc): (usize, usize),
) -> bool {
    let by_rows = a.column_stride == 1;
    for (panel, out) in out.chunks_mut(MR * ROW).take(mc.div_ceil(MR)).enumerate() {
        let rows = MR.min(mc - panel * MR);
        // SAFETY: the caller's promise.
        unsafe {
            if by_rows {
                for (row, out) in out.chunks_exact_mut(ROW).take(rows).enumerate() {
                    let source = a.at(i + panel * MR + row, p);
                    out[..kc].copy_from_slice(std::slice::from_raw_parts(source, kc));
                }
            } else {
                for (column, out) in out.chunks_exact_mut(MR).take(kc).enumerate() {
                    let source = a.at(i + panel * MR, p + column);
                    if a.row_stride == 1 && rows == MR {
                        out.copy_from_slice(std::slice::from_raw_parts(source, MR));
                        continue;
                    }
                    for (row, out) in out[..rows].iter_mut().enumerate() {
                        *out = *source.add(row * a.row_stride);
                    }
                }
            }
        }
    }
    by_rows
}

/// One block of the product.
struct Block {
    m: usize,
    k: usize,
    n: usize,
    c: *mut f32,
    c_stride: usize,
    /// The first block over k writes C, later ones add to it.
    first: bool,
}

impl Block {
    /// Multiplies packed blocks; entry (i, p) of a panel of A lies at `i · A_ROW + p · A_COLUMN`.
    ///
    /// # Safety
    /// As [`gemm`].
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply<const A_ROW: usize, const A_COLUMN: usize>(&self, a: &[f32], b: &[f32]) {
        for (q, b) in b.chunks(NR * self.k).take(self.n.div_ceil(NR)).enumerate() {
            let columns = NR.min(self.n - q * NR);
            for (r, a) in a.chunks(MR * ROW).take(self.m.div_ceil(MR)).enumerate() {
                let rows = MR.min(self.m - r * MR);
                // SAFETY: the tile lies within the block; panels hold MR · ROW and NR · k numbers.
                unsafe {
                    let c = self.c.add(r * MR * self.c_stride + q * NR);
                    let (a, b) = (a.as_ptr(), b.as_ptr());
                    if columns > LANES {
                        self.tile::<A_ROW, A_COLUMN, 2>(a, b, c, rows, columns);
                    } else {
                        self.tile::<A_ROW, A_COLUMN, 1>(a, b, c, rows, columns);
                    }
                }
            }
        }
    }

    /// A tile of C in registers: MR rows of V registers.
    ///
    /// # Safety
    /// As [`Block::multiply`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const A_ROW: usize, const A_COLUMN: usize, const V: usize>(
        &self,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        rows: usize,
        columns: usize,
    ) {
        let mut sums = [[_mm512_setzero_ps(); V]; MR];
        for p in 0..self.k {
            // SAFETY: p < k, within both panels.
            unsafe {
                let b: [_; V] = std::array::from_fn(|v| _mm512_loadu_ps(b.add(p * NR + v * LANES)));
                for i in 0..MR {
                    let a = _mm512_set1_ps(*a.add(i * A_ROW + p * A_COLUMN));
                    for v in 0..V {
                        sums[i][v] = _mm512_fmadd_ps(a, b[v], sums[i][v]);
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate().take(rows) {
            for (v, &sum) in sums.iter().enumerate() {
                let lanes = columns.saturating_sub(v * LANES).min(LANES);
                let mask = ((1u32 << lanes) - 1) as u16;
                // SAFETY: row i and the columns of the mask lie within C.
                unsafe {
                    let c = c.add(i * self.c_stride + v * LANES);
                    let before = match self.first {
                        true => _mm512_setzero_ps(),
                        false => _mm512_maskz_loadu_ps(mask, c),
                    };
                    _mm512_mask_storeu_ps(c, mask, _mm512_add_ps(before, sum));
                }
            }
        }
    }
}

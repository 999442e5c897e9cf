//! Splitting work over threads without changing its result.
//!
//! Work is split by output, or a reduction into parts of a fixed size that are joined in order: the
//! pieces do not depend on the number of threads, and each number is computed by the same operations in the same order on 1, 2 or 7 threads.
//!
//! On a thread of a rayon pool the pieces are that pool's; anywhere else they are done by the caller
//! and a team of as many threads as rayon has, which do not sleep between one call and the next.

mod team;

use crate::Float;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::sync::Mutex;

/// Below this many numbers a second thread costs more than it brings.
const GRAIN: usize = 16 * 1024;

/// Calls `work(piece)` once for each of `0..pieces`, on any threads and in any order.
pub fn for_each_piece(pieces: usize, work: impl Fn(usize) + Sync) {
    shared_out(pieces, &work);
}

fn shared_out(pieces: usize, work: &(dyn Fn(usize) + Sync)) {
    if rayon::current_thread_index().is_some() || !team::run(pieces, work) {
        (0..pieces).into_par_iter().for_each(work);
    }
}

/// Parts of a slice, all but the last of one length, that threads write to.
struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    part_len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: whoever shares it gives each part to one thread alone.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    fn new(slice: &'a mut [T], part_len: usize) -> Parts<'a, T> {
        Parts { start: slice.as_mut_ptr(), len: slice.len(), part_len, slice: PhantomData }
    }

    fn count(&self) -> usize {
        self.len.div_ceil(self.part_len)
    }

    /// # Safety
    /// Each part is asked for once.
    #[allow(clippy::mut_from_ref)] // The parts do not overlap.
    unsafe fn part(&self, index: usize) -> &mut [T] {
        let first = (index * self.part_len).min(self.len);
        let len = self.part_len.min(self.len - first);
        // SAFETY: it lies inside of the slice that this borrows, and is nobody else's.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}

/// Calls `work(first, piece)` for consecutive pieces of `out`, where `first` is the index of the
/// piece's first number.
pub fn for_pieces(out: &mut [Float], work: impl Fn(usize, &mut [Float]) + Sync) {
    for_rows(out, 1, work);
}

/// Calls `work(first_row, rows)` for consecutive pieces of `out` that hold whole rows of `width`.
pub fn for_rows(out: &mut [Float], width: usize, work: impl Fn(usize, &mut [Float]) + Sync) {
    split(out, width, width, &work);
}

/// [`for_rows`] where each row is computed from `reads` numbers, so that few long rows that become
/// one number each are split too.
pub fn for_rows_reading(
    out: &mut [Float],
    width: usize,
    reads: usize,
    work: impl Fn(usize, &mut [Float]) + Sync,
) {
    split(out, width, width.max(reads), &work);
}

/// Calls `work(first, part)` for consecutive parts of `out` of `len` numbers, of which the last may
/// be shorter, however little work they are.
pub fn for_parts(out: &mut [Float], len: usize, work: impl Fn(usize, &mut [Float]) + Sync) {
    for_parts_of([out], len, |first, [out]| work(first, out));
}

/// [`for_parts`] of slices that are all of one length.
///
/// # Panics
/// If they are not.
pub fn for_parts_of<const N: usize>(
    out: [&mut [Float]; N],
    len: usize,
    work: impl Fn(usize, [&mut [Float]; N]) + Sync,
) {
    let out = out.map(|out| Parts::new(out, len.max(1)));
    assert!(out.iter().all(|other| other.len == out[0].len), "slices of different lengths");
    shared_out(out[0].count(), &|part| {
        // SAFETY: each piece is called once.
        work(part * len, std::array::from_fn(|i| unsafe { out[i].part(part) }));
    });
}

/// Not generic, so that the splitting is compiled once and not for every kernel.
fn split(
    out: &mut [Float],
    width: usize,
    reads: usize,
    work: &(dyn Fn(usize, &mut [Float]) + Sync),
) {
    let width = width.max(1);
    let rows = GRAIN.div_ceil(reads.max(1));
    if out.len() <= rows * width {
        return work(0, out);
    }
    let parts = Parts::new(out, rows * width);
    // SAFETY: each piece is called once.
    shared_out(parts.count(), &|piece| work(piece * rows, unsafe { parts.part(piece) }));
}

/// [`for_rows`] over two outputs with rows of their own widths and the same number of rows.
pub fn for_rows_of_two(
    (a, a_width): (&mut [Float], usize),
    (b, b_width): (&mut [Float], usize),
    work: impl Fn(usize, &mut [Float], &mut [Float]) + Sync,
) {
    let (a_width, b_width) = (a_width.max(1), b_width.max(1));
    let rows = GRAIN.div_ceil(a_width.max(b_width));
    if a.len() <= rows * a_width {
        return work(0, a, b);
    }
    let (a, b) = (Parts::new(a, rows * a_width), Parts::new(b, rows * b_width));
    shared_out(a.count().min(b.count()), &|piece| {
        // SAFETY: each piece is called once.
        let (a, b) = unsafe { (a.part(piece), b.part(piece)) };
        work(piece * rows, a, b);
    });
}

/// Calls `work` for each of `pieces`, which threads take one at a time, so that pieces may be of
/// unequal size.
pub fn for_each<T: Send>(pieces: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if pieces.len() == 1 {
        return pieces.into_iter().for_each(work);
    }
    let pieces: Vec<_> = pieces.into_iter().map(|piece| Mutex::new(Some(piece))).collect();
    for_each_piece(pieces.len(), |index| {
        let piece = pieces[index].lock().ok().and_then(|mut piece| piece.take());
        piece.into_iter().for_each(&work); // Each is called for once.
    });
}

/// The sum of `term(i)` over `0..count`, added in a fixed order on any number of threads.
pub fn ordered_sum(count: usize, term: impl Fn(usize) -> f64 + Sync + Send) -> f64 {
    let mut terms = vec![0.0; count];
    let parts = Parts::new(&mut terms, 1);
    // SAFETY: each piece is called once.
    shared_out(count, &|i| unsafe { parts.part(i)[0] = term(i) });
    terms.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_visited_once() {
        for len in [0, 1, 7, GRAIN, GRAIN + 1, 5 * GRAIN + 3] {
            let mut out = vec![0.0; len];
            for_pieces(&mut out, |first, piece| {
                for (i, x) in piece.iter_mut().enumerate() {
                    *x += (first + i) as Float;
                }
            });
            assert!(out.iter().enumerate().all(|(i, &x)| x == i as Float));
        }
    }

    #[test]
    fn rows_stay_whole() {
        let width = 1000;
        let mut out = vec![0.0; 100 * width];
        for_rows(&mut out, width, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                row.fill((first + i) as Float);
            }
        });
        assert!(out.iter().enumerate().all(|(i, &x)| x == (i / width) as Float));
    }

    #[test]
    fn each_piece_is_worked_on_once() {
        for count in [0, 1, 50] {
            let mut out = vec![0; count];
            for_each(out.iter_mut().enumerate().collect(), |(i, x)| *x += i + 1);
            assert!(out.iter().enumerate().all(|(i, &x)| x == i + 1));
        }
    }

    #[test]
    fn rows_that_read_much_are_split() {
        let pieces = std::sync::atomic::AtomicUsize::new(0);
        let mut out = vec![0.0; 10];
        for_rows_reading(&mut out, 1, GRAIN / 2, |first, out| {
            pieces.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            out.iter_mut().enumerate().for_each(|(i, x)| *x = (first + i) as Float);
        });
        assert!(out.iter().enumerate().all(|(i, &x)| x == i as Float));
        assert_eq!(pieces.into_inner(), 5);
    }
}

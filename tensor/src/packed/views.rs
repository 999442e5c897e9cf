//! Tensors whose numbers lie packed: made, asked for their bytes, read and picked by rows.

use super::{Format, Packed};
use crate::storage::Storage;
use crate::{Float, Indices, Tensor, par, shape};
use std::sync::Arc;

impl Tensor {
    /// A tensor of numbers that lie packed in `bytes`, in row-major order.
    ///
    /// ```
    /// use tensor::{Tensor, packed::Format};
    /// let x = Tensor::from_packed([0x80, 0x3f, 0, 0x40], Format::BF16, &[2]);
    /// assert_eq!(x.to_vec(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a row is no whole number of blocks, or the bytes do not fill the shape.
    #[track_caller]
    pub fn from_packed(bytes: impl Into<Arc<[u8]>>, format: Format, shape: &[usize]) -> Tensor {
        let bytes = bytes.into();
        let rule = format!("{} bytes of {format:?} do not fill the shape", bytes.len());
        let packed = whole_rows(format, shape)
            .then(|| Packed::owned(bytes, format, shape::count(shape)))
            .flatten();
        let packed = packed.unwrap_or_else(|| shape::wrong("from_packed", &rule, &[shape], ""));
        Tensor::from_storage(Storage::Packed(packed), shape)
    }

    /// The same numbers, each rounded to the nearest that `format` has.
    ///
    /// # Panics
    /// If the format is only read, or a row is no whole number of blocks: see [`Format::pack`].
    #[track_caller]
    pub fn pack(&self, format: Format) -> Tensor {
        if self.packed_format() == Some(format) && self.is_contiguous() {
            return self.clone();
        }
        if !whole_rows(format, &self.shape) {
            let rule = format!("a row is no whole number of {format:?} blocks");
            shape::wrong("pack", &rule, &[&self.shape], "");
        }
        Tensor::from_packed(format.pack(self.contiguous().unpacked().data()), format, &self.shape)
    }

    /// How the numbers lie, if they are packed.
    pub fn packed_format(&self) -> Option<Format> {
        self.packed().map(|packed| packed.format)
    }

    /// The bytes of packed numbers that lie in row-major order, with their format.
    pub fn packed_bytes(&self) -> Option<(Format, &[u8])> {
        let packed = self.packed().filter(|_| self.is_contiguous())?;
        let format = packed.format;
        let len = format.bytes_of(self.len())?;
        let start = format.bytes_of(self.offset)?;
        Some((format, if len == 0 { &[] } else { &packed.bytes()[start..start + len] }))
    }

    /// The same numbers as plain ones; what is not packed is shared.
    pub fn unpacked(&self) -> Tensor {
        if self.packed().is_some() { self.copied() } else { self.clone() }
    }

    /// Row `row` of a matrix, written to `out`; of packed numbers no others are unpacked.
    ///
    /// # Panics
    /// If it is no contiguous matrix, has no such row, or `out` is not as long as a row.
    #[track_caller]
    pub fn read_row(&self, row: usize, out: &mut [Float]) {
        if self.rank() != 2 || row >= self.shape[0] || out.len() != self.shape[1] {
            let rule = format!("no row {row} of {} numbers", out.len());
            shape::wrong("read_row", &rule, &[&self.shape], "");
        }
        match self.packed_rows() {
            Some(rows) => rows.unpack_row(row, out),
            None => out.copy_from_slice(&self.data()[row * out.len()..][..out.len()]),
        }
    }

    /// The rows of a matrix that `rows` names, in that order; packed rows are copied as they lie.
    ///
    /// # Panics
    /// If it is no matrix or has no such row.
    #[track_caller]
    pub fn pick_rows(&self, rows: &[usize]) -> Tensor {
        if self.rank() != 2 {
            shape::wrong("pick_rows", "only a matrix has rows", &[&self.shape], "");
        }
        let Some(packed) = self.packed_rows() else {
            return self.index_select(0, &Indices::new(rows, &[rows.len()]));
        };
        if let Some(row) = rows.iter().find(|&&row| row >= self.shape[0]) {
            shape::wrong("pick_rows", &format!("there is no row {row}"), &[&self.shape], "");
        }
        let bytes: Vec<u8> = rows.iter().flat_map(|&row| packed.bytes(row)).copied().collect();
        Tensor::from_packed(bytes, packed.format, &[rows.len(), self.shape[1]])
    }

    /// Unpacks a contiguous tensor's numbers into `out`; `false` where they are not packed so.
    pub(crate) fn unpack_into(&self, out: &mut [Float]) -> bool {
        let Some((format, bytes)) = self.packed_bytes() else { return false };
        let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
        par::for_rows(out, block_len, |first, out| {
            let len = out.len() / block_len * block_bytes;
            format.unpack(&bytes[first * block_bytes..][..len], out);
        });
        true
    }
}

/// Whether each row of a tensor of this shape is a whole number of blocks.
pub(crate) fn whole_rows(format: Format, shape: &[usize]) -> bool {
    shape.last().copied().unwrap_or(1).is_multiple_of(format.block_len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, random_packed};

    #[test]
    fn a_packed_tensor_behaves_as_its_plain_numbers() {
        for format in Format::ALL {
            let x = random_packed(format, [4, 512], 1);
            assert_eq!(x.packed_format(), Some(format));
            let plain = Tensor::new(x.unpacked().to_vec(), &[4, 512]);
            assert_eq!(plain.packed_format(), None);
            assert_same(&x, &plain);
            assert_same(&x.transpose(0, 1), &plain.transpose(0, 1));
            assert_same(&x.narrow(0, 1, 2), &plain.narrow(0, 1, 2));
            assert_same(&x.narrow(1, 7, 9).contiguous(), &plain.narrow(1, 7, 9).contiguous());
            assert_same(&(&x + &plain), &(&plain + &plain));
            assert_same(&x.sum(), &plain.sum());
            let rows = x.pick_rows(&[3, 0, 3]);
            assert_eq!(rows.packed_format(), Some(format));
            assert_same(&rows, &plain.pick_rows(&[3, 0, 3]));
            let mut row = vec![0.0; 512];
            x.narrow(0, 2, 2).read_row(1, &mut row);
            assert_eq!(row, plain.data()[3 * 512..]);
        }
    }

    #[test]
    fn writing_makes_it_plain_and_leaves_the_packed_one_alone() {
        let x = random_packed(Format::Q4_1, [2, 32], 2);
        let (before, mut y) = (x.to_vec(), x.clone());
        y.data_mut()[0] = 7.0;
        assert_eq!((y.packed_format(), y.data()[0]), (None, 7.0));
        assert_eq!(y.data()[1..], before[1..]);
        assert_eq!(x.to_vec(), before);
    }

    #[test]
    fn packing_what_is_packed_so_changes_nothing() {
        for format in [Format::F16, Format::BF16, Format::Q8_0] {
            let x = random_packed(format, [3, 64], 3);
            let (_, bytes) = x.packed_bytes().unwrap();
            let same = x.pack(format);
            assert_eq!(same.packed_bytes().unwrap().1.as_ptr(), bytes.as_ptr());
            let again = x.transpose(0, 1).contiguous().transpose(0, 1).pack(format);
            if format != Format::Q8_0 {
                assert_eq!(again.packed_bytes().unwrap().1, bytes);
            }
        }
        assert!(Tensor::ones(&[2]).packed_bytes().is_none());
        let none = Tensor::from_packed([], Format::F16, &[0, 3]);
        assert_eq!(none.packed_bytes(), Some((Format::F16, &[][..])));
        assert!(none.to_vec().is_empty());
    }

    #[test]
    #[should_panic(expected = "from_packed: 18 bytes of Q4_0 do not fill the shape: [2, 16]")]
    fn rows_are_whole_blocks() {
        Tensor::from_packed([0; 18], Format::Q4_0, &[2, 16]);
    }

    #[test]
    #[should_panic(expected = "pack: a row is no whole number of Q8_0 blocks: [32, 1]")]
    fn rows_are_packed_whole() {
        Tensor::ones(&[32, 1]).pack(Format::Q8_0);
    }

    #[test]
    #[should_panic(expected = "read_row: no row 2 of 3 numbers: [2, 3]")]
    fn only_rows_it_has_are_read() {
        Tensor::ones(&[2, 3]).read_row(2, &mut [0.0; 3]);
    }

    #[test]
    #[should_panic(expected = "pick_rows: there is no row 2: [2, 3]")]
    fn only_rows_it_has_are_picked() {
        Tensor::ones(&[2, 3]).pack(Format::F16).pick_rows(&[0, 2]);
    }
}

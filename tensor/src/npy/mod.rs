//! NumPy's `.npy` files: one array each, in and out. Format: NumPy Enhancement Proposal 1.
//!
//! Read are `<f4`, `<f8` and `<i8` (little-endian `float32`, `float64`, `int64`), in C or Fortran
//! order, of format versions 1 to 3; written is this build's [`Float`] in C order, version 1.

use crate::file::{format_error, map, words};
use crate::storage::Storage;
use crate::{Error, Float, Tensor, shape};
use memmap2::Mmap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

#[cfg(not(attendant_f64))]
const FLOAT: Kind = Kind::F4;
#[cfg(attendant_f64)]
const FLOAT: Kind = Kind::F8;

/// Reads an array as a tensor. Numbers of this build's [`Float`] stay in the memory map; others
/// are converted.
///
/// # Errors
/// If the file can't be read, is broken, is of another type, or holds an integer that has no
/// exact [`Float`].
pub fn read(path: &Path) -> Result<Tensor, Error> {
    let map = map(path)?;
    let header = Header::parse(&map).map_err(|reason| format_error(path, &reason))?;
    let in_memory = header.in_memory();
    if header.kind == FLOAT
        && cfg!(target_endian = "little")
        && let Some(storage) = Storage::mapped(map.clone(), header.data.start, header.count)
    {
        return Ok(header.in_order(Tensor::from_storage(storage, &in_memory)));
    }
    let data = &map[header.data.clone()];
    let values: Vec<Float> = match header.kind {
        Kind::F4 => words(data).map(|x| f32::from_le_bytes(x) as Float).collect(),
        Kind::F8 => words(data).map(|x| f64::from_le_bytes(x) as Float).collect(),
        Kind::I8 => words(data)
            .map(|x| exact(i64::from_le_bytes(x)))
            .collect::<Result<_, String>>()
            .map_err(|reason| format_error(path, &reason))?,
    };
    Ok(header.in_order(Tensor::new(values, &in_memory)))
}

/// Reads an array of integers as its shape and its values in row-major order.
///
/// # Errors
/// If the file can't be read, is broken, or holds no `int64`.
pub fn read_integers(path: &Path) -> Result<(Vec<usize>, Vec<i64>), Error> {
    let map = map(path)?;
    let header = Header::parse(&map).map_err(|reason| format_error(path, &reason))?;
    if header.kind != Kind::I8 {
        return Err(format_error(path, "holds no int64 (<i8); read it as a tensor"));
    }
    let mut values: Vec<i64> = words(&map[header.data.clone()]).map(i64::from_le_bytes).collect();
    if header.fortran_order && header.count > 0 {
        let strides: Vec<usize> =
            shape::row_major_strides(&header.in_memory()).into_iter().rev().collect();
        let mut in_order = Vec::with_capacity(values.len());
        shape::for_each_offset(&header.shape, [&strides], |[place]| in_order.push(values[place]));
        values = in_order;
    }
    Ok((header.shape, values))
}

/// Writes a tensor as an array of this build's [`Float`].
///
/// # Errors
/// If it can't be written.
pub fn write(path: &Path, tensor: &Tensor) -> Result<(), Error> {
    let header = header_of(tensor.shape());
    let Ok(header_len) = u16::try_from(header.len()) else {
        return Err(format_error(path, "cannot be written: the shape has too many axes"));
    };
    let tensor = tensor.contiguous();
    let io = |source| Error::Io { path: path.into(), action: "write", source };
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(MAGIC)?;
        file.write_all(&[1, 0])?;
        file.write_all(&header_len.to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for x in tensor.data() {
            file.write_all(&x.to_le_bytes())?;
        }
        file.flush()
    };
    write().map_err(io)
}

/// The header's text, filled up so that the numbers start at a multiple of 64 bytes.
fn header_of(shape: &[usize]) -> String {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let shape = if shape.len() > 1 { sizes.trim_end_matches(", ") } else { sizes.trim_end() };
    let descr = FLOAT.descr();
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let before = MAGIC.len() + 4;
    let padding = (before + dict.len() + 1).next_multiple_of(64) - (before + dict.len() + 1);
    format!("{dict}{}\n", " ".repeat(padding))
}

fn exact(x: i64) -> Result<Float, String> {
    if x.unsigned_abs() > 1 << Float::MANTISSA_DIGITS {
        return Err(format!(
            "holds the integer {x}, which no tensor can hold exactly; read it as integers"
        ));
    }
    Ok(x as Float)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    F4,
    F8,
    I8,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::F4, Kind::F8, Kind::I8];

    fn descr(self) -> &'static str {
        match self {
            Kind::F4 => "<f4",
            Kind::F8 => "<f8",
            Kind::I8 => "<i8",
        }
    }

    fn bytes(self) -> usize {
        if self == Kind::F4 { 4 } else { 8 }
    }
}

/// What the head of a file says, checked against the file's size.
struct Header {
    kind: Kind,
    fortran_order: bool,
    shape: Vec<usize>,
    count: usize,
    /// Where in the file the numbers are.
    data: Range<usize>,
}

impl Header {
    fn parse(file: &Mmap) -> Result<Header, String> {
        let cut = || "ends before its header does".to_string();
        if file.get(..MAGIC.len()) != Some(MAGIC) {
            return Err("is not a .npy file: it does not begin with \\x93NUMPY".into());
        }
        let start = match file.get(6).ok_or_else(cut)? {
            1 => 10,
            2 | 3 => 12,
            other => return Err(format!("is of format version {other}; 1 to 3 can be read")),
        };
        let mut len = [0; 4];
        let len_bytes = file.get(8..start).ok_or_else(cut)?;
        len[..len_bytes.len()].copy_from_slice(len_bytes);
        let end = start.saturating_add(u32::from_le_bytes(len) as usize);
        let text = std::str::from_utf8(file.get(start..end).ok_or_else(cut)?)
            .map_err(|_| "has a header that is not text".to_string())?;
        let data = end..file.len();
        let (kind, fortran_order, shape) = fields(text)?;
        let count = counted(&shape, kind, data.len())?;
        Ok(Header { kind, fortran_order, shape, count, data })
    }

    /// The shape whose row-major order is the order of the numbers in the file.
    fn in_memory(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if self.fortran_order {
            shape.reverse();
        }
        shape
    }

    /// A tensor of [`Header::in_memory`]'s shape, seen in the array's own.
    fn in_order(&self, tensor: Tensor) -> Tensor {
        if !self.fortran_order {
            return tensor;
        }
        tensor.permute(&(0..tensor.rank()).rev().collect::<Vec<usize>>())
    }
}

/// How many numbers the shape asks for, if `bytes` are as many as they take.
fn counted(shape: &[usize], kind: Kind, bytes: usize) -> Result<usize, String> {
    let product = |count: usize, &size: &usize| count.checked_mul(size);
    let count = if shape.contains(&0) { Some(0) } else { shape.iter().try_fold(1, product) };
    match count.and_then(|count| Some((count, count.checked_mul(kind.bytes())?))) {
        Some((count, needed)) if needed == bytes => Ok(count),
        _ => Err(format!("has {bytes} bytes of numbers, which is not what {shape:?} takes")),
    }
}

/// `descr`, `fortran_order` and `shape` of the header, which is written as a Python dictionary.
fn fields(text: &str) -> Result<(Kind, bool, Vec<usize>), String> {
    let bad = |name: &str| format!("has a header without a readable {name:?}: {}", text.trim_end());
    let value = |name: &str| {
        let quoted = ['\'', '"'].map(|quote| format!("{quote}{name}{quote}"));
        let after = quoted.iter().find_map(|key| text.split_once(key.as_str()))?.1;
        Some(after.trim_start().strip_prefix(':')?.trim_start())
    };
    let descr = value("descr").ok_or_else(|| bad("descr"))?;
    let quote = descr.chars().next().filter(|c| "'\"".contains(*c)).ok_or_else(|| bad("descr"))?;
    let descr = descr[1..].split(quote).next().unwrap_or_default();
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.descr() == descr)
        .ok_or_else(|| format!("holds {descr:?}; <f4, <f8 and <i8 can be read"))?;
    let order = value("fortran_order").ok_or_else(|| bad("fortran_order"))?;
    let fortran_order = order.starts_with("True");
    if !fortran_order && !order.starts_with("False") {
        return Err(bad("fortran_order"));
    }
    let shape = value("shape").and_then(sizes).ok_or_else(|| bad("shape"))?;
    Ok((kind, fortran_order, shape))
}

/// The sizes of a Python tuple such as `(3, 4)`, `(3,)` or `()`.
fn sizes(tuple: &str) -> Option<Vec<usize>> {
    let inside = tuple.strip_prefix('(')?.split_once(')')?.0.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    inside.split(',').map(|size| size.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests;

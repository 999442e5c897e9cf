//! Reading GGUF files. Whatever a file claims is checked before it is believed.

use super::kind::{Kind, Numbers};
use super::value::{Array, Value};
use super::{ALIGNMENT, MAGIC};
use crate::bytes::Bytes;
use crate::file::{format_error, map, words};
use crate::packed::Packed;
use crate::storage::Storage;
use crate::{Error, Float, Tensor};
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

/// More keys, and more tensors, than any model has.
const MOST: u64 = 1 << 16;
/// The longest key and the longest name of a tensor, in bytes.
const LONGEST_NAME: usize = 65_535;
/// The most axes of a tensor.
const MOST_AXES: u32 = 4;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// The metadata, by key.
    pub metadata: BTreeMap<String, Value>,
    /// The tensors, by name. Their numbers stay in the memory map, packed.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Reads a GGUF file.
///
/// # Errors
/// If the file can't be read or is broken, or a tensor has a type that is not read; names the key
/// or the tensor.
pub fn read(path: &Path) -> Result<Contents, Error> {
    let map = map(path)?;
    parse(&map).map_err(|reason| format_error(path, &reason))
}

fn parse(map: &Arc<Mmap>) -> Result<Contents, String> {
    let mut cursor = Cursor { map, place: 0 };
    if cursor.take(4).ok() != Some(MAGIC) {
        return Err("not a GGUF file".to_string());
    }
    let version = cursor.u32()?;
    if !matches!(version, 2 | 3) {
        let order = if version.swap_bytes() <= 3 { ", big-endian" } else { "" };
        return Err(format!("GGUF version {version}{order}; 2 and 3, little-endian, are read"));
    }
    let tensors = cursor.count("tensors")?;
    let keys = cursor.count("keys")?;
    let metadata = cursor.metadata(keys)?;
    let places = cursor.places(tensors)?;
    let alignment = alignment(&metadata)?;
    let start = cursor.place.checked_next_multiple_of(alignment);
    let start = start.ok_or("the tensors' bytes start beyond the file's end")?;
    check_places(&places, alignment, map.len().saturating_sub(start))?;
    let tensors = places
        .into_iter()
        .map(|(name, place)| match place.tensor(map, start) {
            Some(tensor) => Ok((name, tensor)),
            None => Err(format!("tensor {name:?} lies beyond the file's end")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Contents { metadata, tensors })
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<usize, String> {
    let Some(value) = metadata.get("general.alignment") else { return Ok(ALIGNMENT) };
    let alignment = value.as_u64().and_then(|value| usize::try_from(value).ok());
    let wrong = || format!("key \"general.alignment\" is {value:?}, no power of two");
    alignment.filter(|alignment| alignment.is_power_of_two()).ok_or_else(wrong)
}

/// Where a tensor lies, counted from the start of the tensors' bytes.
struct Place {
    numbers: Numbers,
    shape: Vec<usize>,
    offset: usize,
    bytes: usize,
}

impl Place {
    fn tensor(&self, map: &Arc<Mmap>, start: usize) -> Option<Tensor> {
        let (start, len) = (start.checked_add(self.offset)?, crate::shape::count(&self.shape));
        let storage = match self.numbers {
            Numbers::Packed(format) => {
                Storage::Packed(Packed::mapped(map.clone(), start, format, len)?)
            }
            numbers => {
                let mapped = (numbers == FLOAT && cfg!(target_endian = "little"))
                    .then(|| Storage::mapped(map.clone(), start, len));
                match mapped.flatten() {
                    Some(storage) => storage,
                    None => return self.converted(map.get(start..start.checked_add(self.bytes)?)?),
                }
            }
        };
        Some(Tensor::from_storage(storage, &self.shape))
    }

    fn converted(&self, bytes: &[u8]) -> Option<Tensor> {
        let values: Vec<Float> = match self.numbers {
            Numbers::F32 => words(bytes).map(|x| f32::from_le_bytes(x) as Float).collect(),
            _ => words(bytes).map(|x| f64::from_le_bytes(x) as Float).collect(),
        };
        Some(Tensor::new(values, &self.shape))
    }
}

#[cfg(not(attendant_f64))]
const FLOAT: Numbers = Numbers::F32;
#[cfg(attendant_f64)]
const FLOAT: Numbers = Numbers::F64;

/// Checks that the tensors lie at aligned places inside `len` bytes, and none in another.
fn check_places(
    places: &BTreeMap<String, Place>,
    alignment: usize,
    len: usize,
) -> Result<(), String> {
    let mut sorted: Vec<(&String, &Place)> = places.iter().collect();
    sorted.sort_by_key(|(_, place)| (place.offset, place.bytes));
    let (mut end, mut last) = (0, None);
    for (name, place) in sorted {
        let Place { offset, bytes, .. } = *place;
        if !offset.is_multiple_of(alignment) {
            return Err(format!("tensor {name:?} at {offset} is not aligned to {alignment} bytes"));
        }
        let Some(next) = offset.checked_add(bytes).filter(|&end| end <= len) else {
            return Err(format!(
                "tensor {name:?} of {bytes} bytes at {offset} goes beyond the {len} bytes of data"
            ));
        };
        if let Some(last) = last.filter(|_| offset < end && bytes > 0) {
            return Err(format!("tensors {last:?} and {name:?} overlap at byte {offset}"));
        }
        // As llama.cpp has it; a type that takes fewer bytes than were written leaves a gap.
        if last.is_some() && offset > end.next_multiple_of(alignment) {
            return Err(format!(
                "tensor {name:?} at {offset} does not follow the one before, which ends at {end}"
            ));
        }
        if next > end {
            (end, last) = (next, Some(name));
        }
    }
    match len > end.next_multiple_of(alignment) {
        true => Err(format!("{} bytes of data belong to no tensor", len - end)),
        false => Ok(()),
    }
}

/// A place in the file.
struct Cursor<'a> {
    map: &'a Arc<Mmap>,
    place: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let end = self.place.checked_add(len).filter(|&end| end <= self.map.len());
        let end = end.ok_or_else(|| {
            let rest = self.map.len() - self.place;
            format!("ends too early: {len} bytes at byte {}, where {rest} are left", self.place)
        })?;
        let bytes = &self.map[self.place..end];
        self.place = end;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("4 bytes")))
    }

    fn u64(&mut self) -> Result<u64, String> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }

    fn count(&mut self, what: &str) -> Result<u64, String> {
        match self.u64()? {
            count if count <= MOST => Ok(count),
            count => Err(format!("claims {count} {what}; more than {MOST} are not read")),
        }
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let len = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        std::str::from_utf8(self.take(len)?).map_err(|_| "a text is not UTF-8".to_string())
    }

    /// A key or the name of a tensor.
    fn name(&mut self) -> Result<String, String> {
        let place = self.place;
        match self.text()? {
            name if name.len() <= LONGEST_NAME => Ok(name.to_string()),
            _ => Err(format!("the name at byte {place} is longer than {LONGEST_NAME} bytes")),
        }
    }

    fn metadata(&mut self, count: u64) -> Result<BTreeMap<String, Value>, String> {
        let mut metadata = BTreeMap::new();
        for index in 0..count {
            let key = self.name().map_err(|reason| format!("key {index}: {reason}"))?;
            let value = self.value().map_err(|reason| format!("key {key:?}: {reason}"))?;
            match metadata.entry(key) {
                Entry::Vacant(entry) => entry.insert(value),
                Entry::Occupied(entry) => {
                    return Err(format!("key {:?} stands there twice", entry.key()));
                }
            };
        }
        Ok(metadata)
    }

    fn kind(&mut self) -> Result<Kind, String> {
        let id = self.u32()?;
        Kind::of(id).ok_or_else(|| format!("its type {id} is not known"))
    }

    fn value(&mut self) -> Result<Value, String> {
        let kind = self.kind()?;
        match kind {
            Kind::String => Ok(Value::String(self.text()?.to_string())),
            Kind::Array => Ok(Value::Array(self.array()?)),
            kind => {
                let bytes = self.take(kind.size().expect("a number"))?;
                Value::of_bytes(kind, bytes).ok_or_else(|| "a flag is neither 0 nor 1".to_string())
            }
        }
    }

    fn array(&mut self) -> Result<Array, String> {
        let (kind, len) = (self.kind()?, self.u64()?);
        let len = usize::try_from(len).map_err(|_| format!("claims {len} values"))?;
        let start = self.place;
        match (kind, kind.size()) {
            (Kind::Array, _) => return Err("lists of lists are not read".to_string()),
            (_, None) => {
                for _ in 0..len {
                    self.text()?;
                }
            }
            (kind, Some(size)) => {
                let bytes = self.take(len.saturating_mul(size))?;
                if kind == Kind::Bool && bytes.iter().any(|&flag| flag > 1) {
                    return Err("a flag is neither 0 nor 1".to_string());
                }
            }
        }
        let bytes = Bytes::mapped(self.map.clone(), start, self.place - start);
        Ok(Array::new(kind, len, bytes.expect("it has been read")))
    }

    fn places(&mut self, count: u64) -> Result<BTreeMap<String, Place>, String> {
        let mut places = BTreeMap::new();
        for index in 0..count {
            let name = self.name().map_err(|reason| format!("tensor {index}: {reason}"))?;
            let place = self.tensor().map_err(|reason| format!("tensor {name:?}: {reason}"))?;
            match places.entry(name) {
                Entry::Vacant(entry) => entry.insert(place),
                Entry::Occupied(entry) => {
                    return Err(format!("tensor {:?} stands there twice", entry.key()));
                }
            };
        }
        Ok(places)
    }

    fn tensor(&mut self) -> Result<Place, String> {
        let rank = self.u32()?;
        if rank > MOST_AXES {
            return Err(format!("has {rank} axes; at most {MOST_AXES} are read"));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            let size = self.u64()?;
            shape.push(usize::try_from(size).map_err(|_| format!("has an axis of size {size}"))?);
        }
        shape.reverse();
        let numbers = Numbers::of(self.u32()?).map_err(|other| {
            format!(
                "has type {other}; read are F32, F64, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, \
                 Q4_K, Q5_K and Q6_K"
            )
        })?;
        let offset = self.u64()?;
        let offset = usize::try_from(offset).map_err(|_| format!("lies at byte {offset}"))?;
        let bytes = byte_count(numbers, &shape).ok_or_else(|| {
            format!("no {numbers:?} numbers fill shape {shape:?}: rows are whole blocks")
        })?;
        Ok(Place { numbers, shape, offset, bytes })
    }
}

/// `None` if a row is no whole number of blocks, or all are beyond what can be counted.
fn byte_count(numbers: Numbers, shape: &[usize]) -> Option<usize> {
    let mut rows = shape.iter().rev().skip(1).filter(|&&size| size > 0);
    let row = numbers.bytes_of(shape.last().copied().unwrap_or(1).max(1));
    if shape.last() == Some(&0) {
        return rows.try_fold(1usize, |count, &size| count.checked_mul(size)).map(|_| 0);
    }
    let bytes = rows.try_fold(row?, |bytes, &size| bytes.checked_mul(size))?;
    // More numbers than bytes: they too must be countable.
    bytes.checked_mul(8)?;
    Some(if shape.contains(&0) { 0 } else { bytes })
}

//! A value of a GGUF file's metadata.

use super::kind::Kind;
use crate::bytes::Bytes;
use std::fmt;

/// A value of the metadata.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The variants are the types that they hold.
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl Value {
    /// A whole number that is not negative, of whatever type.
    pub fn as_u64(&self) -> Option<u64> {
        u64::try_from(self.as_i128()?).ok()
    }

    /// A whole number, of whatever type.
    pub fn as_i64(&self) -> Option<i64> {
        i64::try_from(self.as_i128()?).ok()
    }

    fn as_i128(&self) -> Option<i128> {
        match *self {
            Value::U8(x) => Some(x.into()),
            Value::I8(x) => Some(x.into()),
            Value::U16(x) => Some(x.into()),
            Value::I16(x) => Some(x.into()),
            Value::U32(x) => Some(x.into()),
            Value::I32(x) => Some(x.into()),
            Value::U64(x) => Some(x.into()),
            Value::I64(x) => Some(x.into()),
            _ => None,
        }
    }

    /// A number, whole or not.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::F32(x) => Some(x.into()),
            Value::F64(x) => Some(x),
            _ => self.as_i128().map(|x| x as f64),
        }
    }

    /// A text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// True or false.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(x) = self { Some(*x) } else { None }
    }

    /// A list.
    pub fn as_array(&self) -> Option<&Array> {
        if let Value::Array(array) = self { Some(array) } else { None }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Value::U8(_) => Kind::U8,
            Value::I8(_) => Kind::I8,
            Value::U16(_) => Kind::U16,
            Value::I16(_) => Kind::I16,
            Value::U32(_) => Kind::U32,
            Value::I32(_) => Kind::I32,
            Value::F32(_) => Kind::F32,
            Value::Bool(_) => Kind::Bool,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::U64(_) => Kind::U64,
            Value::I64(_) => Kind::I64,
            Value::F64(_) => Kind::F64,
        }
    }

    /// A value of fixed size from its bytes; `None` where they are none, or a flag is neither 0
    /// nor 1.
    pub(super) fn of_bytes(kind: Kind, bytes: &[u8]) -> Option<Value> {
        macro_rules! number {
            ($variant:ident, $ty:ty) => {
                Value::$variant(<$ty>::from_le_bytes(bytes.try_into().ok()?))
            };
        }
        Some(match kind {
            Kind::U8 => number!(U8, u8),
            Kind::I8 => number!(I8, i8),
            Kind::U16 => number!(U16, u16),
            Kind::I16 => number!(I16, i16),
            Kind::U32 => number!(U32, u32),
            Kind::I32 => number!(I32, i32),
            Kind::F32 => number!(F32, f32),
            Kind::U64 => number!(U64, u64),
            Kind::I64 => number!(I64, i64),
            Kind::F64 => number!(F64, f64),
            Kind::Bool => match bytes {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return None,
            },
            Kind::String | Kind::Array => return None,
        })
    }

    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Value::U8(x) => out.push(*x),
            Value::I8(x) => out.extend(x.to_le_bytes()),
            Value::U16(x) => out.extend(x.to_le_bytes()),
            Value::I16(x) => out.extend(x.to_le_bytes()),
            Value::U32(x) => out.extend(x.to_le_bytes()),
            Value::I32(x) => out.extend(x.to_le_bytes()),
            Value::F32(x) => out.extend(x.to_le_bytes()),
            Value::Bool(x) => out.push((*x).into()),
            Value::String(text) => append_text(text, out),
            Value::Array(array) => {
                out.extend(array.kind.id().to_le_bytes());
                out.extend((array.len as u64).to_le_bytes());
                out.extend(array.bytes.as_slice());
            }
            Value::U64(x) => out.extend(x.to_le_bytes()),
            Value::I64(x) => out.extend(x.to_le_bytes()),
            Value::F64(x) => out.extend(x.to_le_bytes()),
        }
    }
}

pub(super) fn append_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A list of values of one type, kept as the file's bytes.
#[derive(Clone)]
pub struct Array {
    kind: Kind,
    len: usize,
    bytes: Bytes,
}

impl Array {
    /// The reader has checked that the bytes are `len` values, flags 0 or 1, and texts UTF-8.
    pub(super) fn new(kind: Kind, len: usize, bytes: Bytes) -> Array {
        Array { kind, len, bytes }
    }

    /// A list of texts.
    pub fn of_texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Array {
        let (mut bytes, mut len) = (Vec::new(), 0);
        for text in texts {
            append_text(text.as_ref(), &mut bytes);
            len += 1;
        }
        Array { kind: Kind::String, len, bytes: Bytes::Owned(bytes.into()) }
    }

    /// A list of 32-bit numbers.
    pub fn of_integers(numbers: &[i32]) -> Array {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        Array { kind: Kind::I32, len: numbers.len(), bytes: Bytes::Owned(bytes.into()) }
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The texts of a list of texts.
    pub fn texts(&self) -> Option<impl Iterator<Item = &str>> {
        let mut rest = self.bytes.as_slice();
        let next = move || {
            let (len, behind) = rest.split_first_chunk()?;
            let (text, behind) = behind.split_at(u64::from_le_bytes(*len) as usize);
            rest = behind;
            std::str::from_utf8(text).ok()
        };
        (self.kind == Kind::String).then(|| std::iter::from_fn(next))
    }

    /// The numbers of a list of whole numbers.
    pub fn integers(&self) -> Option<impl Iterator<Item = i64>> {
        let whole = !matches!(self.kind, Kind::F32 | Kind::F64 | Kind::Bool);
        let values = self.values().filter(|_| whole)?;
        Some(values.map(|value| value.as_i64().unwrap_or(i64::MAX)))
    }

    /// The numbers of a list of numbers.
    pub fn numbers(&self) -> Option<impl Iterator<Item = f64>> {
        let values = self.values().filter(|_| self.kind != Kind::Bool)?;
        Some(values.filter_map(|value| value.as_f64()))
    }

    fn values(&self) -> Option<impl Iterator<Item = Value>> {
        let values = self.bytes.as_slice().chunks_exact(self.kind.size()?);
        Some(values.filter_map(|bytes| Value::of_bytes(self.kind, bytes)))
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} × {:?}", self.len, self.kind)
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        let of = |array: &Array| (array.kind, array.len);
        of(self) == of(other) && self.bytes.as_slice() == other.bytes.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_any_type_are_numbers() {
        let bytes = |values: &[i8]| Bytes::Owned(values.iter().map(|&x| x as u8).collect());
        let array = Array::new(Kind::I8, 2, bytes(&[1, -1]));
        assert_eq!(array.integers().unwrap().collect::<Vec<_>>(), [1, -1]);
        assert_eq!(array.numbers().unwrap().collect::<Vec<_>>(), [1.0, -1.0]);
        assert!(array.texts().is_none() && !array.is_empty());
        assert_eq!(format!("{array:?}"), "2 × I8");
        let flags = Array::new(Kind::Bool, 2, bytes(&[1, 0]));
        assert!(flags.integers().is_none() && flags.numbers().is_none());
        assert_eq!((Value::I16(-3).as_i64(), Value::I16(-3).as_u64()), (Some(-3), None));
        assert_eq!((Value::U64(u64::MAX).as_i64(), Value::F32(0.5).as_f64()), (None, Some(0.5)));
        assert_eq!((Value::F32(1.0).as_u64(), Value::U8(3).as_f64()), (None, Some(3.0)));
    }

    #[test]
    fn texts_are_read_as_they_were_written() {
        let array = Array::of_texts(["a", "", "数"]);
        assert_eq!(array.texts().unwrap().collect::<Vec<_>>(), ["a", "", "数"]);
        assert!(array.integers().is_none());
        assert_eq!(Array::of_integers(&[7, -7]).integers().unwrap().sum::<i64>(), 0);
        assert_ne!(Array::of_texts(["a"]), Array::of_texts(["b"]));
    }
}

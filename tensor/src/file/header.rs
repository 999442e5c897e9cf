//! The header of a safetensors file: a JSON object that names each tensor's type, shape and place.
//!
//! Format: github.com/huggingface/safetensors, "Format": 8 bytes with the header's length, the
//! header, then the tensors' bytes without gaps. Whatever it claims is checked against the file.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

/// The longest header that the format allows, in bytes.
const LONGEST: usize = 100_000_000;
/// More tensors than one file of a model has.
const MOST_TENSORS: usize = 1 << 17;
/// More axes than any tensor of a model has.
const MOST_AXES: usize = 16;

/// One tensor: the range of its bytes in the file is checked.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<usize>,
    pub bytes: Range<usize>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Header {
    pub metadata: HashMap<String, String>,
    /// In the order of their places.
    pub entries: Vec<Entry>,
}

impl Header {
    /// Reads the header of a whole file.
    pub fn parse(file: &[u8]) -> Result<Header, String> {
        let (len, rest) = file.split_first_chunk().ok_or("it is shorter than 8 bytes")?;
        let len = u64::from_le_bytes(*len);
        let header = usize::try_from(len).ok().filter(|&len| len <= LONGEST);
        let Some(header) = header.and_then(|len| rest.get(..len)) else {
            let most = rest.len().min(LONGEST);
            return Err(format!("its header would take {len} bytes, where {most} can be"));
        };
        let mut parsed: Header =
            serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
        parsed.entries.sort_by_key(|entry| (entry.bytes.start, entry.bytes.end));
        parsed.check(rest.len() - header.len())?;
        for entry in &mut parsed.entries {
            let offset = 8 + header.len();
            entry.bytes = entry.bytes.start + offset..entry.bytes.end + offset;
        }
        Ok(parsed)
    }

    /// Checks the places, counted from the end of the header, against `len` bytes of data.
    fn check(&self, len: usize) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let mut end = 0;
        for Entry { name, dtype, shape, bytes } in &self.entries {
            if !names.insert(name) {
                return Err(format!("tensor {name:?} is named twice"));
            }
            let place = format!("tensor {name:?} at bytes {} to {}", bytes.start, bytes.end);
            if bytes.start != end || bytes.end < bytes.start {
                return Err(format!("{place} does not start where the one before ends, at {end}"));
            }
            if bytes.end > len {
                return Err(format!("{place} goes beyond the {len} bytes of data"));
            }
            let needed = size_of_dtype(dtype).and_then(|size| byte_count(shape, size));
            if needed != Some(bytes.len()) && size_of_dtype(dtype).is_some() {
                return Err(format!("{place} has another size than {dtype} of shape {shape:?}"));
            }
            end = bytes.end;
        }
        if end != len {
            return Err(format!("{} bytes of data belong to no tensor", len - end));
        }
        Ok(())
    }
}

/// `None` for types that are not known: they are skipped, whatever they hold.
pub(super) fn size_of_dtype(dtype: &str) -> Option<usize> {
    match dtype {
        "BOOL" | "U8" | "I8" => Some(1),
        "F16" | "BF16" | "I16" | "U16" => Some(2),
        "F32" | "I32" | "U32" => Some(4),
        "F64" | "I64" | "U64" => Some(8),
        _ => None,
    }
}

/// `None` if it is beyond what can be counted, an axis of size 0 elsewhere or not.
fn byte_count(shape: &[usize], size: usize) -> Option<usize> {
    let sizes = shape.iter().filter(|&&size| size > 0);
    let count = sizes.clone().try_fold(size, |count, &size| count.checked_mul(size))?;
    Some(if shape.contains(&0) { 0 } else { count })
}

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Shape,
    data_offsets: [usize; 2],
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                        continue;
                    }
                    if header.entries.len() == MOST_TENSORS {
                        return Err(A::Error::custom(format!("more than {MOST_TENSORS} tensors")));
                    }
                    let named = |error| A::Error::custom(format!("tensor {name:?}: {error}"));
                    let info: Info = map.next_value().map_err(named)?;
                    let [start, end] = info.data_offsets;
                    let (dtype, shape) = (info.dtype, info.shape.0);
                    header.entries.push(Entry { name, dtype, shape, bytes: start..end });
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A list of at most [`MOST_AXES`] sizes.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut sizes = Vec::new();
                while let Some(size) = list.next_element()? {
                    if sizes.len() == MOST_AXES {
                        return Err(A::Error::custom(format!("more than {MOST_AXES} axes")));
                    }
                    sizes.push(size);
                }
                Ok(Shape(sizes))
            }
        }
        deserializer.deserialize_seq(Sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str, data: usize) -> Result<Header, String> {
        let len = (header.len() as u64).to_le_bytes();
        Header::parse(&[&len[..], header.as_bytes(), &vec![0; data]].concat())
    }

    fn tensor(name: &str, dtype: &str, shape: &str, [start, end]: [usize; 2]) -> String {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    }

    #[test]
    fn tensors_come_in_the_order_of_their_places() {
        let (a, b) = (tensor("a", "F16", "[2,1]", [5, 9]), tensor("b", "Q3", "[9]", [0, 5]));
        let header = parse(&format!(r#"{{{a},"__metadata__":{{"x":"y"}},{b}}}  "#), 9).unwrap();
        assert_eq!(header.metadata["x"], "y");
        let names: Vec<&str> = header.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let (a, shape) = (&header.entries[1], vec![2, 1]);
        assert_eq!((&a.shape, a.bytes.len(), a.dtype.as_str()), (&shape, 4, "F16"));
    }

    #[test]
    fn what_a_header_claims_is_checked() {
        let a = |shape, place| tensor("a", "F32", shape, place);
        let b = |place| tensor("b", "F16", "[2]", place);
        let huge = usize::MAX;
        for (tensors, data, reason) in [
            (a("[2]", [0, 8]), 9, "1 bytes of data belong to no tensor"),
            (a("[2]", [0, 8]), 7, "tensor \"a\" at bytes 0 to 8 goes beyond the 7 bytes of data"),
            (
                a("[3]", [0, 8]),
                8,
                "tensor \"a\" at bytes 0 to 8 has another size than F32 of shape [3]",
            ),
            (
                a("[4294967296,4294967296]", [0, 8]),
                8,
                "tensor \"a\" at bytes 0 to 8 has another size than F32 of shape \
                 [4294967296, 4294967296]",
            ),
            (
                a("[0,4294967296,4294967296]", [0, 0]),
                0,
                "tensor \"a\" at bytes 0 to 0 has another size than F32 of shape \
                 [0, 4294967296, 4294967296]",
            ),
            (
                [a("[2]", [0, 8]), b([4, 8])].join(","),
                8,
                "tensor \"b\" at bytes 4 to 8 does not start where the one before ends, at 8",
            ),
            (
                [a("[2]", [0, 8]), b([9, 13])].join(","),
                13,
                "tensor \"b\" at bytes 9 to 13 does not start where the one before ends, at 8",
            ),
            (
                [a("[2]", [0, 8]), tensor("b", "X", "[2]", [8, huge])].join(","),
                13,
                "tensor \"b\" at bytes 8 to 18446744073709551615 goes beyond the 13 bytes of data",
            ),
            ([a("[2]", [0, 8]), a("[2]", [8, 16])].join(","), 16, "tensor \"a\" is named twice"),
        ] {
            assert_eq!(parse(&format!("{{{tensors}}}"), data).unwrap_err(), reason);
        }
        let long = format!("[{}1]", "1,".repeat(16));
        let error = parse(&format!("{{{}}}", a(&long, [0, 4])), 4).unwrap_err();
        assert!(error.starts_with("its header: tensor \"a\": more than 16 axes"), "{error}");
        let error = parse(r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4);
        assert!(error.unwrap_err().starts_with("its header: tensor \"a\": invalid value"));
    }

    #[test]
    fn a_header_longer_than_the_file_is_refused() {
        let lies = |len: u64, rest: &[u8]| Header::parse(&[&len.to_le_bytes(), rest].concat());
        for (len, rest, can) in [(3, &b"{}"[..], 2), (u64::MAX, b"{}", 2), (100_000_001, b"", 0)] {
            let reason = format!("its header would take {len} bytes, where {can} can be");
            assert_eq!(lies(len, rest).unwrap_err(), reason);
        }
        assert_eq!(lies(2, b"{}").unwrap(), Header::default());
    }
}

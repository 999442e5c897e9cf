//! The numbers that stand for types in a GGUF file.

use crate::packed::Format;

/// The type of a metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    const ALL: [Kind; 13] = [
        Kind::U8,
        Kind::I8,
        Kind::U16,
        Kind::I16,
        Kind::U32,
        Kind::I32,
        Kind::F32,
        Kind::Bool,
        Kind::String,
        Kind::Array,
        Kind::U64,
        Kind::I64,
        Kind::F64,
    ];

    pub fn of(id: u32) -> Option<Kind> {
        Kind::ALL.get(id as usize).copied()
    }

    pub fn id(self) -> u32 {
        self as u32
    }

    /// Bytes of one value, where all take the same.
    pub fn size(self) -> Option<usize> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::U16 | Kind::I16 => Some(2),
            Kind::U32 | Kind::I32 | Kind::F32 => Some(4),
            Kind::U64 | Kind::I64 | Kind::F64 => Some(8),
            Kind::String | Kind::Array => None,
        }
    }
}

/// The type of a tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    F32,
    F64,
    Packed(Format),
}

impl Numbers {
    /// # Errors
    /// With the type's name, or its number where it is none that files are known to have.
    pub fn of(id: u32) -> Result<Numbers, String> {
        let known = match id {
            0 => Numbers::F32,
            1 => Numbers::Packed(Format::F16),
            2 => Numbers::Packed(Format::Q4_0),
            3 => Numbers::Packed(Format::Q4_1),
            6 => Numbers::Packed(Format::Q5_0),
            7 => Numbers::Packed(Format::Q5_1),
            8 => Numbers::Packed(Format::Q8_0),
            12 => Numbers::Packed(Format::Q4_K),
            13 => Numbers::Packed(Format::Q5_K),
            14 => Numbers::Packed(Format::Q6_K),
            28 => Numbers::F64,
            30 => Numbers::Packed(Format::BF16),
            _ => {
                let name = NOT_READ.iter().find(|(other, _)| *other == id);
                return Err(name.map_or_else(|| id.to_string(), |(_, name)| name.to_string()));
            }
        };
        Ok(known)
    }

    pub fn id(self) -> u32 {
        match self {
            Numbers::F32 => 0,
            Numbers::F64 => 28,
            Numbers::Packed(Format::F16) => 1,
            Numbers::Packed(Format::Q4_0) => 2,
            Numbers::Packed(Format::Q4_1) => 3,
            Numbers::Packed(Format::Q5_0) => 6,
            Numbers::Packed(Format::Q5_1) => 7,
            Numbers::Packed(Format::Q8_0) => 8,
            Numbers::Packed(Format::Q4_K) => 12,
            Numbers::Packed(Format::Q5_K) => 13,
            Numbers::Packed(Format::Q6_K) => 14,
            Numbers::Packed(Format::BF16) => 30,
        }
    }

    /// How many bytes `len` numbers take; `None` if they are no whole blocks or too many.
    pub fn bytes_of(self, len: usize) -> Option<usize> {
        match self {
            Numbers::F32 => len.checked_mul(4),
            Numbers::F64 => len.checked_mul(8),
            Numbers::Packed(format) => format.bytes_of(len),
        }
    }
}

/// Types that files may have and that are not read.
const NOT_READ: [(u32, &str); 23] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (4, "Q4_2"),
    (5, "Q4_3"),
    (40, "NVFP4"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_types_both_ways() {
        for (id, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((Kind::of(id as u32), kind.id()), (Some(kind), id as u32));
        }
        assert_eq!(Kind::of(13), None);
        let packed = Format::ALL.map(Numbers::Packed);
        for numbers in packed.into_iter().chain([Numbers::F32, Numbers::F64]) {
            assert_eq!(Numbers::of(numbers.id()), Ok(numbers));
        }
        assert_eq!(Numbers::of(10), Err("Q2_K".to_string()));
        assert_eq!(Numbers::of(99), Err("99".to_string()));
    }
}

//! The framing of TensorFlow's record files.
//!
//! ```text
//! u64 length · u32 masked CRC of these 8 bytes · the data · u32 masked CRC of the data
//! ```
//! All little-endian. Source: TensorFlow, "TFRecord and tf.train.Example", section "TFRecords
//! format details".

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C (Castagnoli).
const CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Makes the checksum of data that holds checksums itself unlike these.
const MASK_DELTA: u32 = 0xa282_ead8;

/// A record that holds `data`.
pub fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// The checksum, rotated right by 15 bits, plus a constant.
fn masked_crc(data: &[u8]) -> u32 {
    CRC_32C.checksum(data).rotate_right(15).wrapping_add(MASK_DELTA)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4: 32 bytes of zeros have the CRC-32C aa 36 91 8a.
    #[test]
    fn checksum_of_the_standard() {
        assert_eq!(CRC_32C.checksum(&[0; 32]).to_le_bytes(), [0xaa, 0x36, 0x91, 0x8a]);
    }

    #[test]
    fn mask_by_hand() {
        // 0x8a9136aa >> 15 = 0x11522, << 17 = 0x6d540000; their or plus the constant, mod 2³².
        assert_eq!(masked_crc(&[0; 32]), 0x6d55_1522_u32.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn length_data_and_two_checksums() {
        let record = record(b"abc");
        assert_eq!(record[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(record[8..12], masked_crc(&record[..8]).to_le_bytes());
        assert_eq!(&record[12..15], b"abc");
        assert_eq!(record[15..], masked_crc(b"abc").to_le_bytes());
        assert_eq!(super::record(b"").len(), 16);
    }
}

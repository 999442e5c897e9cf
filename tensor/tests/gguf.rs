//! GGUF files: the numbers of each format as the `gguf` package reads them, and broken files.

use std::path::{Path, PathBuf};
use tensor::gguf::{self, Array, Part, Value};
use tensor::packed::Format;
use tensor::{Float, Tensor};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// `bytes` read as a file; the reason if that is an error.
fn read(bytes: &[u8]) -> Result<gguf::Contents, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, bytes).unwrap();
    gguf::read(&path).map_err(|error| {
        let text = error.to_string();
        text.split_once("x.gguf: ").expect("the file is named").1.to_string()
    })
}

#[test]
fn every_format_gives_the_numbers_of_the_gguf_package() {
    let contents = gguf::read(&fixture("formats.gguf")).unwrap();
    let golden = tensor::file::read(&fixture("formats.safetensors")).unwrap().tensors;
    assert_eq!(contents.tensors.keys().collect::<Vec<_>>(), golden.keys().collect::<Vec<_>>());
    for (name, tensor) in &contents.tensors {
        assert_eq!(tensor.shape(), golden[name].shape(), "{name}");
        assert_eq!(tensor.to_vec(), golden[name].to_vec(), "{name}");
        let format = tensor.packed_format().map(|format| format!("{format:?}"));
        assert_eq!(format.unwrap_or("F32".to_string()), *name);
    }
    assert_eq!(contents.tensors.len(), Format::ALL.len() + 1);
}

#[test]
fn metadata_of_every_type_is_read() {
    let metadata = gguf::read(&fixture("formats.gguf")).unwrap().metadata;
    assert_eq!(metadata["general.architecture"].as_str(), Some("test"));
    assert_eq!(metadata["test.count"], Value::U32(7));
    assert_eq!(metadata["test.negative"], Value::I32(-7));
    assert_eq!(metadata["test.large"], Value::U64(1 << 40));
    assert_eq!(metadata["test.ratio"], Value::F32(0.25));
    assert_eq!(metadata["test.exact"], Value::F64(0.1));
    assert_eq!(metadata["test.flag"].as_bool(), Some(true));
    assert_eq!(metadata["test.text"].as_str(), Some("数 and text"));
    let list = |key: &str| metadata[key].as_array().unwrap();
    assert_eq!(list("test.texts").texts().unwrap().collect::<Vec<_>>(), ["a", "", "Ġb"]);
    assert_eq!(list("test.numbers").integers().unwrap().collect::<Vec<_>>(), [3, -1, 5]);
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let x: Vec<Float> = (0..192).map(|i| (i as Float - 100.0) / 64.0).collect();
    let x = Tensor::new(x, &[64, 3]).transpose(0, 1);
    let part = |name: &str, format| Part { name: name.into(), tensor: x.clone(), format };
    let read_only = gguf::read(&fixture("formats.gguf")).unwrap().tensors["Q6_K"].clone();
    let parts = [
        part("plain", None),
        part("half", Some(Format::F16)),
        part("eight", Some(Format::Q8_0)),
        Part { name: "six".into(), tensor: read_only.clone(), format: Some(Format::Q6_K) },
        Part { name: "one".into(), tensor: Tensor::scalar(1.5), format: Some(Format::BF16) },
    ];
    let metadata = [
        ("a.text", Value::String("x".into())),
        ("a.list", Value::Array(Array::of_texts(["p", "q"]))),
        ("a.flag", Value::Bool(false)),
        ("a.number", Value::I8(-5)),
    ];
    let metadata: Vec<(String, Value)> =
        metadata.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    gguf::write(&path, &metadata, &parts).unwrap();
    let contents = gguf::read(&path).unwrap();
    assert_eq!(contents.metadata.into_iter().collect::<Vec<_>>().len(), metadata.len());
    assert_eq!(contents.tensors["plain"].to_vec(), x.to_vec());
    for (name, format) in [("half", Format::F16), ("eight", Format::Q8_0)] {
        assert_eq!(contents.tensors[name].to_vec(), x.pack(format).to_vec());
        assert_eq!(contents.tensors[name].shape(), [3, 64]);
    }
    assert_eq!(contents.tensors["six"].to_vec(), read_only.to_vec());
    assert_eq!(contents.tensors["one"].item(), 1.5);
    let error = gguf::write(&path, &[], &[part("x", Some(Format::Q4_K))]).unwrap_err();
    let reason = "x.gguf: cannot be written: tensor \"x\" [3, 64] cannot be Some(Q4_K)";
    assert!(error.to_string().ends_with(reason), "{error}");
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    let whole = std::fs::read(fixture("formats.gguf")).unwrap();
    let last = read(&whole).unwrap().tensors["Q6_K"].packed_bytes().unwrap().1.len();
    assert!(last > 64);
    // The end is padded to 32 bytes.
    let cuts = (0..1500).chain((0..=whole.len() - 64).step_by(97));
    for len in cuts.filter(|&len| len <= whole.len() - 32) {
        let reason = read(&whole[..len]).map(|_| ()).unwrap_err();
        let early = reason.contains("ends too early") || reason.contains("goes beyond");
        assert!(early || len < 4, "{len}: {reason}");
    }
}

#[test]
fn a_flipped_byte_is_an_error_or_changes_names_and_numbers_alone() {
    let whole = std::fs::read(fixture("formats.gguf")).unwrap();
    let tensors = read(&whole).unwrap().tensors.len();
    let mut errors = 0;
    for place in 0..1500 {
        for flip in [0xff, 0x80, 0x01] {
            let mut broken = whole.clone();
            broken[place] ^= flip;
            match read(&broken) {
                Ok(contents) => assert!(contents.tensors.len() <= tensors),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors > 1000, "{errors}");
}

/// A file of one F32 tensor of these sizes at `offset`, and data of `len` bytes.
fn one_tensor(kind: u32, sizes: &[u64], offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = header(1, 0);
    append_tensor(&mut bytes, "x", kind, sizes, offset);
    with_data(bytes, len)
}

fn header(tensors: u64, keys: u64) -> Vec<u8> {
    [&b"GGUF"[..], &3u32.to_le_bytes(), &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
}

fn append_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn append_tensor(bytes: &mut Vec<u8>, name: &str, kind: u32, sizes: &[u64], offset: u64) {
    append_text(bytes, name);
    bytes.extend((sizes.len() as u32).to_le_bytes());
    sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
}

fn with_data(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(32) + len, 0);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    assert_eq!(read(bytes).map(|_| ()).unwrap_err(), reason);
}

#[test]
fn lies_about_tensors_are_named() {
    assert_eq!(read(&one_tensor(0, &[2, 3], 0, 24)).unwrap().tensors["x"].shape(), [3, 2]);
    assert_eq!(read(&one_tensor(0, &[], 0, 4)).unwrap().tensors["x"].shape(), [0usize; 0]);
    assert!(read(&one_tensor(12, &[0, 1 << 40], 0, 0)).unwrap().tensors["x"].is_empty());
    for (bytes, reason) in [
        (
            one_tensor(0, &[2, 3], 32, 55),
            "tensor \"x\" of 24 bytes at 32 goes beyond the 55 bytes of data",
        ),
        (
            one_tensor(0, &[2], u64::MAX - 31, 8),
            "tensor \"x\" of 8 bytes at 18446744073709551584 goes beyond the 8 bytes of data",
        ),
        (one_tensor(0, &[2], 4, 64), "tensor \"x\" at 4 is not aligned to 32 bytes"),
        (
            one_tensor(0, &[1 << 32, 1 << 32], 0, 8),
            "tensor \"x\": no F32 numbers fill shape [4294967296, 4294967296]: rows are whole \
             blocks",
        ),
        (
            one_tensor(0, &[1 << 40, 0, 1 << 40], 0, 8),
            "tensor \"x\": no F32 numbers fill shape [1099511627776, 0, 1099511627776]: rows are \
             whole blocks",
        ),
        (
            one_tensor(2, &[33, 2], 0, 72),
            "tensor \"x\": no Packed(Q4_0) numbers fill shape [2, 33]: rows are whole blocks",
        ),
        (
            one_tensor(10, &[256], 0, 256),
            "tensor \"x\": has type Q2_K; read are F32, F64, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, \
             Q5_1, Q4_K, Q5_K and Q6_K",
        ),
        (one_tensor(0, &[1; 5], 0, 4), "tensor \"x\": has 5 axes; at most 4 are read"),
    ] {
        refused(&bytes, reason);
    }
    let two = |second: &str, offset| {
        let mut bytes = header(2, 0);
        append_tensor(&mut bytes, "x", 0, &[16], 0);
        append_tensor(&mut bytes, second, 0, &[8], offset);
        with_data(bytes, 96)
    };
    assert_eq!(read(&two("y", 64)).unwrap().tensors.len(), 2);
    refused(&two("y", 32), "tensors \"x\" and \"y\" overlap at byte 32");
    refused(&two("x", 64), "tensor \"x\" stands there twice");
}

#[test]
fn lies_about_metadata_are_named() {
    let one = |key: &str, kind: u32, rest: &[u8]| {
        let mut bytes = header(0, 1);
        append_text(&mut bytes, key);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(rest);
        bytes
    };
    let list = |kind: u32, len: u64| [&kind.to_le_bytes()[..], &len.to_le_bytes()].concat();
    let huge = u64::MAX.to_le_bytes();
    for (bytes, reason) in [
        (b"GGML".to_vec(), "not a GGUF file"),
        (vec![], "not a GGUF file"),
        (
            [&b"GGUF"[..], &1u32.to_le_bytes()].concat(),
            "GGUF version 1; 2 and 3, little-endian, are read",
        ),
        (
            [&b"GGUF"[..], &3u32.to_be_bytes()].concat(),
            "GGUF version 50331648, big-endian; 2 and 3, little-endian, are read",
        ),
        (header(u64::MAX, 0), "claims 18446744073709551615 tensors; more than 65536 are not read"),
        (header(0, 1 << 17), "claims 131072 keys; more than 65536 are not read"),
        (header(0, 1), "key 0: ends too early: 8 bytes at byte 24, where 0 are left"),
        (one("k", 13, &[]), "key \"k\": its type 13 is not known"),
        (one("k", 7, &[2]), "key \"k\": a flag is neither 0 nor 1"),
        (
            one("k", 8, &huge),
            "key \"k\": ends too early: 18446744073709551615 bytes at byte 45, where 0 are left",
        ),
        (one("k", 8, b"\x01\0\0\0\0\0\0\0\xff"), "key \"k\": a text is not UTF-8"),
        (one("k", 9, &list(9, 1)), "key \"k\": lists of lists are not read"),
        (
            one("k", 9, &list(4, u64::MAX)),
            "key \"k\": ends too early: 18446744073709551615 bytes at byte 49, where 0 are left",
        ),
        (
            one("k", 9, &list(8, u64::MAX)),
            "key \"k\": ends too early: 8 bytes at byte 49, where 0 are left",
        ),
        (
            one("general.alignment", 4, &48u32.to_le_bytes()),
            "key \"general.alignment\" is U32(48), no power of two",
        ),
    ] {
        refused(&bytes, reason);
    }
    let mut twice = one("k", 0, &[1]);
    twice[16] = 2;
    twice.extend(&one("k", 0, &[1])[24..]);
    refused(&twice, "key \"k\" stands there twice");
}

use super::*;
use crate::testing;
use proptest::prelude::*;

/// A file of the given version, header and bytes.
fn file(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC, &[version, 0]].concat();
    match version {
        1 => bytes.extend((dict.len() as u16).to_le_bytes()),
        _ => bytes.extend((dict.len() as u32).to_le_bytes()),
    }
    [&bytes, dict.as_bytes(), data].concat()
}

/// What `read` makes of the bytes of a file.
fn read_bytes(bytes: &[u8]) -> Result<Tensor, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap();
    read(&path).map_err(|error| {
        let text = error.to_string();
        text.split_once("x.npy: ").map_or(text.clone(), |(_, reason)| reason.to_string())
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(x in testing::view(0..4)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write(&path, &x).unwrap();
        testing::assert_same(&read(&path).unwrap(), &x);
        let start = std::fs::metadata(&path).unwrap().len() as usize - x.bytes();
        prop_assert!(start.is_multiple_of(64));
    }

    #[test]
    fn no_broken_file_panics(cut in 0usize..140, place in 0usize..140, byte in any::<u8>()) {
        let dict = header_of(&[2, 3]);
        let mut bytes = file(1, &dict, &[0; 24]);
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = read_bytes(&bytes);
        bytes.truncate(cut);
        let _ = read_bytes(&bytes);
    }
}

#[test]
fn each_type_version_and_order_is_read() {
    let x = Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    let in_fortran_order = [1i32, 4, 2, 5, 3, 6];
    let f4: Vec<u8> = in_fortran_order.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
    let f8: Vec<u8> = in_fortran_order.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    let i8: Vec<u8> = in_fortran_order.iter().flat_map(|&x| i64::from(x).to_le_bytes()).collect();
    for version in [1, 2, 3] {
        for (descr, data) in [("<f4", &f4), ("<f8", &f8), ("<i8", &i8)] {
            let dict =
                format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': (2, 3), }}\n");
            testing::assert_same(&read_bytes(&file(version, &dict, data)).unwrap(), &x);
            let dict =
                format!("{{\"shape\": (3,2), \"fortran_order\": False, \"descr\": \"{descr}\"}}");
            let read = read_bytes(&file(version, &dict, data)).unwrap();
            testing::assert_same(&read, &x.transpose(0, 1));
        }
    }
}

#[test]
fn integers_are_read_exactly_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let data: Vec<u8> = [i64::MIN, 7, i64::MAX, 0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let dict = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 2), }";
    std::fs::write(&path, file(1, dict, &data)).unwrap();
    assert_eq!(read_integers(&path).unwrap(), (vec![2, 2], vec![i64::MIN, i64::MAX, 7, 0]));
    assert_eq!(
        read_bytes(&file(1, dict, &data)).unwrap_err(),
        "holds the integer -9223372036854775808, which no tensor can hold exactly; \
         read it as integers"
    );
    write(&path, &Tensor::zeros(&[1])).unwrap();
    let error = read_integers(&path).unwrap_err().to_string();
    assert!(error.ends_with("x.npy: holds no int64 (<i8); read it as a tensor"));
}

#[test]
fn broken_files_are_errors() {
    let reason = |bytes: &[u8]| read_bytes(bytes).unwrap_err();
    let no_magic = "is not a .npy file: it does not begin with \\x93NUMPY";
    assert_eq!((reason(b""), reason(b"PK\x03\x04 and more")), (no_magic.into(), no_magic.into()));
    assert_eq!(reason(b"\x93NUMPY"), "ends before its header does");
    assert_eq!(reason(b"\x93NUMPY\x01\x00\xff\xff{"), "ends before its header does");
    assert_eq!(reason(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), "ends before its header does");
    assert_eq!(reason(&file(9, "{}", b"")), "is of format version 9; 1 to 3 can be read");
    let dict = |descr: &str, shape: &str| {
        file(1, &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"), &[0; 8])
    };
    assert_eq!(reason(&dict("'>f4'", "(2,)")), "holds \">f4\"; <f4, <f8 and <i8 can be read");
    let structured = "[('a', '<f4')]";
    assert!(
        reason(&dict(structured, "(2,)"))
            .starts_with("has a header without a readable \"descr\": ")
    );
    assert!(
        reason(&dict("'<f4'", "(-2,)")).starts_with("has a header without a readable \"shape\": ")
    );
    let wrong = |shape: &str| format!("has 8 bytes of numbers, which is not what {shape} takes");
    assert_eq!(reason(&dict("'<f4'", "(3,)")), wrong("[3]"));
    assert_eq!(reason(&dict("'<f4'", "(1,)")), wrong("[1]"));
    assert_eq!(
        reason(&dict("'<f4'", "(4294967296, 4294967296)")),
        wrong("[4294967296, 4294967296]")
    );
    assert_eq!(
        reason(&dict("'<f4'", "(0, 18446744073709551615)")),
        wrong("[0, 18446744073709551615]")
    );
}

use super::*;
use tensor::Tensor;

/// The events of a file, its checksums checked.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut events) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(rest[..16 + length], record(data));
        events.push(Event::decode(data).unwrap());
        rest = &rest[16 + length..];
    }
    events
}

/// Wall time 1.5: a double is 8 bytes, little-endian.
const TIME: [u8; 9] = [0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f];

#[track_caller]
fn is_encoded(step: i64, what: What, expected: &[u8]) {
    let bytes = Event { wall_time: 1.5, step, what: Some(what) }.encode_to_vec();
    assert_eq!(bytes, [&TIME[..], expected].concat(), "{bytes:02x?}");
}

#[test]
fn version_and_start_by_hand() {
    is_encoded(0, What::FileVersion(FILE_VERSION.into()), b"\x1a\x0dbrain.Event:2");
    is_encoded(
        300,
        What::SessionLog(SessionLog { status: START }),
        b"\x10\xac\x02\x3a\x02\x08\x01",
    );
}

#[test]
fn scalar_by_hand() {
    // Field 5 holds field 1, which holds the tag and a float: 0.5 is 3f000000.
    let summary = Summary { value: vec![scalar("a", 0.5)] };
    let expected = b"\x10\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\x00\x3f";
    is_encoded(2, What::Summary(summary), expected);
}

#[test]
fn a_file_holds_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), 7).unwrap();
    writer.scalar(7, "loss", -2.5).unwrap();
    writer.histogram(8, "w", &Histogram::of(&Tensor::new([1.0, 1.0], &[2]))).unwrap();
    writer.text(9, "sample", "a <b> é").unwrap();
    writer.flush().unwrap();
    let events = events(writer.path());
    let steps: Vec<i64> = events.iter().map(|event| event.step).collect();
    assert_eq!(steps, [0, 7, 7, 8, 9]);
    assert!(events.iter().all(|event| event.wall_time > 1.7e9));
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
    assert_eq!(events[1].what, Some(What::SessionLog(SessionLog { status: 1 })));
    let Some(What::Summary(summary)) = &events[3].what else { panic!("{:?}", events[3]) };
    let Some(Value::Histogram(histogram)) = &summary.value[0].value else { panic!("{summary:?}") };
    assert_eq!((histogram.num, &histogram.bucket_limit[..]), (2.0, &[1.0][..]));
    let Some(What::Summary(summary)) = &events[4].what else { panic!("{:?}", events[4]) };
    let Some(Value::Tensor(tensor)) = &summary.value[0].value else { panic!("{summary:?}") };
    assert_eq!(tensor.string_val, ["a <b> é".as_bytes()]);
}

#[test]
fn steps_carry_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), 1).unwrap();
    let report: StepReport = serde_json::from_str(
        r#"{"step":3,"loss":2.5,"lr":0.25,"grad_norm":1.5,"tokens":64,"seconds":0.5,"valid_loss":3.5}"#,
    )
    .unwrap();
    writer.step(&report).unwrap();
    writer.flush().unwrap();
    let events = events(writer.path());
    let Some(What::Summary(summary)) = &events[2].what else { panic!("{:?}", events[2]) };
    let expected = [
        scalar("loss/train", 2.5),
        scalar("learning_rate", 0.25),
        scalar("gradient_norm", 1.5),
        scalar("tokens_per_second", 128.0),
        scalar("loss/valid", 3.5),
    ];
    assert_eq!((events[2].step, &summary.value[..]), (3, &expected[..]));
}

#[test]
fn later_files_stand_after_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("events.out.tfevents.9000000000.attendant.0000"), "").unwrap();
    fs::write(folder.path().join("metrics.jsonl"), "").unwrap();
    let name = || {
        let writer = EventWriter::create(folder.path(), 1).unwrap();
        writer.path().file_name().unwrap().to_string_lossy().into_owned()
    };
    assert_eq!(name(), "events.out.tfevents.9000000000.attendant.0001");
    assert_eq!(name(), "events.out.tfevents.9000000000.attendant.0002");
}

#[test]
fn a_folder_that_cannot_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file, 1).err().unwrap().to_string();
    assert!(error.contains("file/events.out.tfevents.…: cannot write: "), "{error}");
}

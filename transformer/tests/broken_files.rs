//! Broken files: a clear error or, where only what does not count was changed, the same numbers. No
//! panic, and no memory beyond the files' size and a fixed sum.

use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tensor::{Float, Tensor, Tokens};
use transformer::pretrained::GgufOptions;
use transformer::{Autoregressive, Generation, Input, Model, Padded, Tokenizer};

/// What a broken file may cost beyond its own size, in bytes.
const ALLOWED: usize = 64 << 20;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Counts the bytes that live, and the most that ever did.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is left to the system's allocator; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

fn count(bytes: usize) {
    // A single request beyond all memory counts too, though the system may refuse it.
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
    PEAK.fetch_max(live, Ordering::Relaxed);
}

/// One test at a time: what others allocate would count.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the files of a model make: numbers, or an error's text.
type Outcome = Result<Vec<Float>, String>;

/// Loads and runs a model. A panic, or too much memory, fails the test.
#[track_caller]
fn attempt(folder: &Path, what: &str) -> Outcome {
    let size: u64 = match fs::read_dir(folder) {
        Ok(files) => files.map(|file| file.unwrap().metadata().unwrap().len()).sum(),
        Err(_) => fs::metadata(folder).unwrap().len(),
    };
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(|| numbers(folder)));
    let taken = PEAK.load(Ordering::Relaxed) - before;
    assert!(taken <= size as usize + ALLOWED, "{what}: {taken} bytes for {size} of files");
    outcome.unwrap_or_else(|_| panic!("{what}: panicked"))
}

fn numbers(folder: &Path) -> Outcome {
    let of_model = |error: transformer::Error| error.to_string();
    let model = Model::from_pretrained(folder).map_err(of_model)?;
    let text = Padded::right(&[[1, 2, 3]], model.vocab_size()).map_err(of_model)?;
    let target = Tokens::batch(&[[0, 1]], model.vocab_size()).map_err(|e| e.to_string())?;
    let target = (model.model_type() == "t5").then_some(target);
    let outputs = model.outputs(&Input { text, token_types: None, target }).map_err(of_model)?;
    let found = outputs.logits.or(outputs.last_hidden_state).ok_or("no numbers")?;
    Ok(found.value().to_vec())
}

/// A copy of a fixture that may be broken.
struct Copy {
    folder: tempfile::TempDir,
    /// What it makes whole.
    whole: Vec<Float>,
}

impl Copy {
    fn of(fixture: &str) -> Copy {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(fixture);
        // Thousands of small files are written: in memory, where there is such a place.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        for file in fs::read_dir(&source).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !["golden.safetensors", "case.json"].contains(&name) {
                fs::copy(&path, folder.path().join(name)).unwrap();
            }
        }
        let whole = attempt(folder.path(), fixture).unwrap();
        assert!(whole.iter().all(|x| x.is_finite()));
        Copy { folder, whole }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What it makes with `bytes` in place of a file, which is put back.
    #[track_caller]
    fn with(&self, file: &str, bytes: &[u8], what: &str) -> Outcome {
        let path = self.path(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let outcome = attempt(self.folder.path(), what);
        fs::write(&path, before).unwrap();
        outcome
    }

    /// The same with values of config.json replaced.
    #[track_caller]
    fn with_config(&self, values: Value) -> Outcome {
        let text = fs::read(self.path("config.json")).unwrap();
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        let new = values.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(new);
        self.with("config.json", config.to_string().as_bytes(), &values.to_string())
    }

    /// An error that is one line, or the numbers of the whole.
    #[track_caller]
    fn check(&self, outcome: &Outcome, what: &str) {
        match outcome {
            Ok(numbers) => assert_eq!(numbers, &self.whole, "{what}: other numbers"),
            Err(error) => check_text(error, what),
        }
    }
}

#[track_caller]
fn check_text(error: &str, what: &str) {
    assert!(error.len() > 10 && error.len() < 1000 && !error.contains('\n'), "{what}: {error}");
}

/// One of each architecture.
const FIXTURES: [&str; 8] = [
    "gpt2_plain",
    "gpt2_classify",
    "llama_sharded",
    "qwen3_tied",
    "bert_masked",
    "roberta_classify",
    "distilbert_bare",
    "t5_flan",
];

fn weights(copy: &Copy) -> &'static str {
    let one = "model.safetensors";
    if copy.path(one).exists() { one } else { "model-00002-of-00003.safetensors" }
}

#[test]
fn files_that_end_early() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        for file in [weights(&copy), "config.json"] {
            let bytes = fs::read(copy.path(file)).unwrap();
            for percent in 0..100 {
                let what = format!("{fixture}: {file} at {percent} %");
                let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
                check_text(&outcome.expect_err(&what), &what);
            }
        }
    }
}

#[test]
fn each_byte_of_a_header_flipped() {
    let _alone = alone();
    for fixture in ["gpt2_plain", "llama_sharded"] {
        let copy = Copy::of(fixture);
        let file = weights(&copy);
        let bytes = fs::read(copy.path(file)).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in 0..header {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: {file}: byte {at} ^ {mask:#x}");
                copy.check(&copy.with(file, &flipped, &what), &what);
            }
        }
    }
}

#[test]
fn each_byte_of_a_configuration_flipped() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        let bytes = fs::read(copy.path("config.json")).unwrap();
        for at in 0..bytes.len() {
            for mask in [0x01, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: config.json: byte {at} ^ {mask:#x}");
                // Another number of heads, say, is another model: no error is due.
                if let Err(error) = copy.with("config.json", &flipped, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

/// Every number of a configuration is tried with these.
const ABSURD: [&str; 8] =
    ["0", "-1", "3", "4294967296", "9223372036854775807", "18446744073709551615", "0.5", "[]"];

#[test]
fn counts_that_are_absurd() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        let text = fs::read(copy.path("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        for (key, _) in config.as_object().unwrap() {
            for value in ABSURD {
                let value: Value = serde_json::from_str(value).unwrap();
                let what = format!("{fixture}: {key} = {value}");
                if let Err(error) = copy.with_config(json!({ key.as_str(): value })) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

#[test]
fn shapes_that_disagree_are_told() {
    let _alone = alone();
    let copy = Copy::of("gpt2_plain");
    let path = copy.path("model.safetensors").display().to_string();
    let config = fs::read(copy.path("config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let vocab = config["vocab_size"].as_u64().unwrap();
    // A vocabulary larger than the matrix.
    let error = copy.with_config(json!({ "vocab_size": vocab + 1 })).unwrap_err();
    let d_model = config["n_embd"].as_u64().unwrap();
    let expected = format!(
        "transformer.wte.weight is [{vocab}, {d_model}] where [{}, {d_model}] is expected",
        vocab + 1
    );
    assert!(error.starts_with(&path) && error.contains(&expected), "{error}");
    let error = copy.with_config(json!({ "n_layer": 5 })).unwrap_err();
    assert!(error.contains("tensors missing, the first is transformer.h."), "{error}");
    let error = copy.with_config(json!({ "n_layer": 1 })).unwrap_err();
    assert!(error.contains("tensors unexpected, the first is "), "{error}");
}

/// A safetensors file with this header and as many bytes of zeros.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn offsets_that_lie_and_sizes_that_overflow() {
    let _alone = alone();
    let copy = Copy::of("gpt2_plain");
    let name = "transformer.wte.weight";
    let tensor = |shape: &str, offsets: &str| {
        format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let huge = "[4294967296,4294967296]";
    for header in [
        tensor("[2,2]", "[0,15]"),
        tensor("[2,2]", "[16,0]"),
        tensor("[2,2]", "[16,32]"),
        tensor("[2,2]", "[0,18446744073709551615]"),
        tensor("[2,2]", "[18446744073709551600,18446744073709551615]"),
        tensor(huge, "[0,16]"),
        tensor("[18446744073709551615,18446744073709551615]", "[0,16]"),
        tensor("[0,18446744073709551615,18446744073709551615]", "[0,0]"),
        format!("{{\"{name}\":{}", "[".repeat(100_000)),
        format!("{{\"a\":{}}}", "{\"a\":".repeat(100_000)),
        "[]".into(),
        "{}".into(),
        String::new(),
    ] {
        let what = header.chars().take(120).collect::<String>();
        let outcome = copy.with("model.safetensors", &with_header(&header, 16), &what);
        check_text(&outcome.expect_err(&what), &what);
    }
    for len in [u64::MAX, u64::MAX - 7, 1 << 62, 1 << 40, 100_000_000, 17] {
        let bytes = [&len.to_le_bytes()[..], b"{}              "].concat();
        let what = format!("a header of {len} bytes");
        let outcome = copy.with("model.safetensors", &bytes, &what);
        check_text(&outcome.expect_err(&what), &what);
    }
}

#[test]
fn indices_that_lie() {
    let _alone = alone();
    let copy = Copy::of("llama_sharded");
    let file = "model.safetensors.index.json";
    let bytes = fs::read(copy.path(file)).unwrap();
    for percent in 0..100 {
        let what = format!("{file} at {percent} %");
        let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
        check_text(&outcome.expect_err(&what), &what);
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x01;
        let what = format!("{file}: byte {at}");
        copy.check(&copy.with(file, &flipped, &what), &what);
    }
    for map in
        [json!({}), json!({ "a": "../../etc/passwd" }), json!({ "a": "" }), json!([]), json!(7)]
    {
        let what = map.to_string();
        let text = json!({ "weight_map": map }).to_string();
        let outcome = copy.with(file, text.as_bytes(), &what);
        check_text(&outcome.expect_err(&what), &what);
    }
}

#[test]
fn weights_that_are_not_numbers_are_named_when_they_are_used() {
    let _alone = alone();
    for (fixture, token) in [("gpt2_plain", "0"), ("llama_grouped", "0")] {
        let copy = Copy::of(fixture);
        let path = copy.path("model.safetensors");
        let mut contents = tensor::file::read(&path).unwrap().tensors;
        let matrix =
            |name: &str| name.ends_with("mlp.c_proj.weight") || name.ends_with("down_proj.weight");
        let name = contents.keys().find(|name| matrix(name)).unwrap().clone();
        let mut numbers = contents[&name].to_vec();
        numbers[3] = Float::NAN;
        let shape = contents[&name].shape().to_vec();
        contents.insert(name.clone(), Tensor::new(numbers, &shape));
        let named = contents.iter().map(|(name, tensor)| (name.clone(), tensor));
        tensor::file::write(&path.with_extension("new"), named, Default::default()).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        let model = Model::from_pretrained(copy.folder.path()).unwrap();
        for num_beams in [1, 2] {
            let settings = Generation { num_beams, ..Generation::default() };
            let error = model.generate_batch(&[[1, 2, 3]], &settings).unwrap_err().to_string();
            let expected = format!(
                "the model gives token {token} the score NaN; its weights are broken: {name} holds \
                 NaN or infinity"
            );
            assert_eq!(error, expected);
        }
    }
}

/// A fixture as a GGUF file, and its bytes.
fn gguf(fixture: &str) -> (Copy, PathBuf, Vec<u8>) {
    let copy = Copy::of(fixture);
    let path = copy.path("model.gguf");
    let model = Model::from_pretrained(copy.folder.path()).unwrap();
    model.save_gguf(&path, &GgufOptions::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    (copy, path, bytes)
}

/// What a file with other bytes makes.
#[track_caller]
fn with_bytes(path: &Path, bytes: &[u8], what: &str) -> Outcome {
    fs::write(path, bytes).unwrap();
    let tokenizer = catch_unwind(|| Tokenizer::find(path).map(|_| ()));
    if let Err(error) = tokenizer.unwrap_or_else(|_| panic!("{what}: the tokenizer panicked")) {
        check_text(&error.to_string(), what);
    }
    attempt(path, what)
}

#[test]
fn gguf_files_that_are_broken() {
    let _alone = alone();
    for fixture in ["llama_grouped", "gpt2_plain"] {
        let (_copy, path, bytes) = gguf(fixture);
        assert!(with_bytes(&path, &bytes, fixture).is_ok());
        for percent in 0..100 {
            let what = format!("{fixture}: GGUF at {percent} %");
            let outcome = with_bytes(&path, &bytes[..bytes.len() * percent / 100], &what);
            check_text(&outcome.expect_err(&what), &what);
        }
        // To the end of the last name. What follows is its sizes, type and offset: behind the last
        // tensor bytes may be left over.
        let places = bytes.windows(7).rposition(|text| text == b".weight").unwrap() + 7;
        for at in 0..places.min(bytes.len()) {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: GGUF: byte {at} ^ {mask:#x}");
                // Sizes and settings make another model: no error is due.
                if let Err(error) = with_bytes(&path, &flipped, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

#[test]
fn gguf_counts_that_lie() {
    let _alone = alone();
    let (_copy, path, bytes) = gguf("llama_grouped");
    // Tensors, keys, the length of the first key.
    for at in [8, 16, 24] {
        for count in [u64::MAX, 1 << 62, 1 << 40, 1 << 32, 1 << 16, 0] {
            let mut lying = bytes.clone();
            lying[at..at + 8].copy_from_slice(&count.to_le_bytes());
            let what = format!("{count} at byte {at}");
            check_text(&with_bytes(&path, &lying, &what).expect_err(&what), &what);
        }
    }
}

/// Adapters of PEFT's with their base where it lies.
fn adapters(name: &str, base: &str) -> Copy {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let from = fixtures.join("adapters").join(name);
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read(from.join("adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config["base_model_name_or_path"] = fixtures.join("models").join(base).to_str().into();
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let weights = "adapter_model.safetensors";
    fs::copy(from.join(weights), folder.path().join(weights)).unwrap();
    let whole = attempt(folder.path(), name).unwrap();
    Copy { folder, whole }
}

#[test]
fn adapters_that_are_broken() {
    let _alone = alone();
    for (name, base) in [("gpt2", "gpt2_plain"), ("bert_new_head", "bert_masked")] {
        let copy = adapters(name, base);
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let bytes = fs::read(copy.path(file)).unwrap();
            for percent in 0..100 {
                let what = format!("{name}: {file} at {percent} %");
                let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
                check_text(&outcome.expect_err(&what), &what);
            }
            let is_json = file.ends_with("json");
            let header = match is_json {
                true => bytes.len(),
                false => 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize,
            };
            for at in 0..header {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x01;
                let what = format!("{name}: {file}: byte {at}");
                // Another scale, or a task left unsaid, is no error.
                match copy.with(file, &flipped, &what) {
                    Ok(_) if is_json => {}
                    outcome => copy.check(&outcome, &what),
                }
            }
        }
        let text = fs::read(copy.path("adapter_config.json")).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        for key in config.as_object().unwrap().keys() {
            for value in ABSURD {
                let mut config = config.clone();
                config[key] = serde_json::from_str(value).unwrap();
                let what = format!("{name}: {key} = {value}");
                let bytes = config.to_string().into_bytes();
                if let Err(error) = copy.with("adapter_config.json", &bytes, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

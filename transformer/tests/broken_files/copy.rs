//! Copies of fixtures that may be broken, and what running them may cost.

use serde_json::Value;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tensor::{Float, Tokens};
use transformer::{Input, Model, Padded};

/// What a broken file may cost beyond its own size, in bytes.
pub const ALLOWED: usize = 64 << 20;

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
pub fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the files of a model make: numbers, or an error's text.
pub type Outcome = Result<Vec<Float>, String>;

/// Loads and runs a model. A panic, or too much memory, fails the test.
#[track_caller]
pub fn attempt(folder: &Path, what: &str) -> Outcome {
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
pub struct Copy {
    pub folder: tempfile::TempDir,
    /// What it makes whole.
    pub whole: Vec<Float>,
}

impl Copy {
    pub fn of(fixture: &str) -> Copy {
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

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What it makes with `bytes` in place of a file, which is put back.
    #[track_caller]
    pub fn with(&self, file: &str, bytes: &[u8], what: &str) -> Outcome {
        let path = self.path(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let outcome = attempt(self.folder.path(), what);
        fs::write(&path, before).unwrap();
        outcome
    }

    /// The same with values of config.json replaced.
    #[track_caller]
    pub fn with_config(&self, values: Value) -> Outcome {
        let text = fs::read(self.path("config.json")).unwrap();
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        let new = values.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(new);
        self.with("config.json", config.to_string().as_bytes(), &values.to_string())
    }

    /// An error that is one line, or the numbers of the whole.
    #[track_caller]
    pub fn check(&self, outcome: &Outcome, what: &str) {
        match outcome {
            Ok(numbers) => assert_eq!(numbers, &self.whole, "{what}: other numbers"),
            Err(error) => check_text(error, what),
        }
    }
}

#[track_caller]
pub fn check_text(error: &str, what: &str) {
    assert!(error.len() > 10 && error.len() < 1000 && !error.contains('\n'), "{what}: {error}");
}

/// One of each architecture.
pub const FIXTURES: [&str; 8] = [
    "gpt2_plain",
    "gpt2_classify",
    "llama_sharded",
    "qwen3_tied",
    "bert_masked",
    "roberta_classify",
    "distilbert_bare",
    "t5_flan",
];

pub fn weights(copy: &Copy) -> &'static str {
    let one = "model.safetensors";
    if copy.path(one).exists() { one } else { "model-00002-of-00003.safetensors" }
}

/// Every number of a configuration is tried with these.
pub const ABSURD: [&str; 8] =
    ["0", "-1", "3", "4294967296", "9223372036854775807", "18446744073709551615", "0.5", "[]"];

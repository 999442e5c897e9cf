//! How the program fails: one line on stderr, whatever went wrong.

use crate::Error;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use tensor::OutOfMemory;

/// Where and with what words the last panic happened.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program and turns its failure, a panic included, into a line and an exit status.
pub fn catch(run: impl FnOnce() -> Result<(), Error>) -> ExitCode {
    set_hook(Box::new(|info| {
        if let Ok(mut panic) = PANIC.lock() {
            *panic = Some(info.to_string().replace('\n', " "));
        }
    }));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            report(&error);
            ExitCode::from(if matches!(error, Error::Usage(_)) { 2 } else { 1 })
        }
        Err(payload) => {
            eprintln!("error: {}", of_panic(&*payload));
            ExitCode::from(1)
        }
    }
}

/// The line, and a line for each cause that it does not tell itself.
fn report(error: &Error) {
    let mut said = error.to_string();
    eprintln!("error: {said}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            eprintln!("  because: {text}");
            said = text;
        }
        cause = error.source();
    }
}

fn of_panic(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<OutOfMemory>() {
        Some(OutOfMemory { bytes }) => format!(
            "out of memory: the system refused {} MiB; take a smaller model, --batch-size or \
             --seq-len",
            bytes >> 20
        ),
        None => {
            let place = PANIC.lock().ok().and_then(|mut panic| panic.take());
            format!("this is a bug in attendant, please report it: {}", place.unwrap_or_default())
        }
    }
}

//! What is measured, and how it is put beside others.
//!
//! | module | what it holds |
//! |---|---|
//! | [`work`] | the pieces of work: a training step, decoding, single operations |
//! | [`turns`] | how a program does one piece of work at a time, when another tells it to |
//! | [`peers`] | the same work here and elsewhere, in turn |
//! | [`roof`] | how near to the machine's roof a bench comes |

pub mod peers;
pub mod roof;
pub mod turns;
pub mod work;

use std::error::Error;
use std::process::ExitCode;

/// Runs a program and turns its failure into a line on stderr and an exit status.
pub fn exit_with(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

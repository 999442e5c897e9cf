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

use clap::Args;
use std::error::Error;
use std::process::ExitCode;

/// What `cargo bench` hands to every bench, also to those that criterion does not run, which know these
/// options alone.
#[derive(Args)]
pub struct CargoBench {
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
    /// Rows that are over in seconds, to see that all works; the guard measures in full all the same
    #[arg(long)]
    pub test: bool,
    /// The name under which criterion keeps its times
    #[arg(long, hide = true)]
    save_baseline: Option<String>,
    /// The name of times that criterion compares with
    #[arg(long, hide = true)]
    baseline: Option<String>,
    /// A part of the names of what is to be measured, perhaps of none
    #[arg(hide = true)]
    filter: Option<String>,
}

impl CargoBench {
    /// Whether something of this name is to be measured.
    pub fn takes(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter))
    }

    /// Whether times are kept for criterion or compared with those that it kept.
    pub fn names_a_baseline(&self) -> bool {
        self.save_baseline.is_some() || self.baseline.is_some()
    }
}

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

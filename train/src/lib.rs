//! Training: data, losses over batches, optimizers, metrics, and the command line.
//!
//! | module | what it holds |
//! |---|---|
//! | [`data`] | rows of JSON Lines, CSV and plain text; the prompt and target a task makes of each |
//! | [`bpe`], [`characters`] | tokenizers of one's own text: byte pairs, or its characters |
//! | [`sequence`] | rows as token ids |
//! | [`token_file`] | token ids on disk, for data larger than memory |
//! | [`batch`], [`learner`] | sequences side by side, and their loss under any model |
//! | [`optimizer`] | SGD, Adam, AdamW, Lion, Muon; clipping, learning-rate schedules |
//! | [`settings`] | what fixes a run, and the order of its rows |
//! | [`training`] | the training loop |
//! | [`checkpoint`], [`interrupt`] | what a run goes on from, whatever ends it |
//! | [`mod@run`] | the loop with all that stands around it: measuring, checkpoints, logs |
//! | [`step_log`] | files of a line a step |
//! | [`progress`] | a progress bar with loss, speed and time left |
//! | [`histogram`] | how the numbers of weights and gradients are spread |
//! | [`samples`] | what a model writes while it learns |
//! | [`spike`] | a loss that jumps |
//! | [`flops`] | the operations that training takes, and the machine's peak |
//! | [`report`] | a run as one page |
//! | [`tensorboard`] | event files that TensorBoard shows |
//! | [`word_dropout`] | texts that lack some tokens while they are learned |
//! | [`masking`], [`masked_rows`] | what a masked language model must fill in, row by row |
//! | [`metrics`] | what a model's texts and losses are worth, with intervals |
//! | [`baselines`] | what must be beaten |
//! | [`retrieval`] | texts as vectors, and the nearest of those that are known |
//! | [`saliency`] | the words of a text that told its class |
//! | [`evaluation`] | a model measured on a task |
//! | [`writing`] | texts for many prompts, held to rules |
//! | [`cli`] | the program `attendant` |

pub mod baselines;
pub mod batch;
pub mod bpe;
pub mod characters;
pub mod checkpoint;
pub mod cli;
pub mod data;
mod error;
pub mod evaluation;
pub mod flops;
pub mod histogram;
pub mod interrupt;
pub mod learner;
pub mod masked_rows;
pub mod masking;
pub mod metrics;
pub mod optimizer;
mod peak_memory;
mod preset;
pub mod progress;
pub mod report;
pub mod retrieval;
pub mod run;
pub mod saliency;
pub mod samples;
pub mod sequence;
pub mod settings;
pub mod spike;
pub mod step_log;
pub mod tensorboard;
pub mod token_file;
pub mod training;
pub mod word_dropout;
pub mod writing;

pub use error::Error;
pub use learner::Learner;
pub use peak_memory::peak_rss_bytes;
pub use preset::{Preset, Sizes};

/// Sets the number of threads of the whole process; all cores where `None`.
///
/// # Errors
/// If it is 0, was set before, or the system gives no threads.
pub fn set_threads(threads: Option<usize>) -> Result<(), Error> {
    if threads == Some(0) {
        return Err(Error::Usage("--threads is 0; it must be at least 1".into()));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build_global()
        .map_err(|error| Error::settings(format!("the threads cannot be started: {error}")))
}

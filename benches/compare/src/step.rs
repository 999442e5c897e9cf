//! What is learned in a step, and how.

use crate::Result;
use clap::Parser;
use std::path::PathBuf;

/// The learning rate of AdamW.
pub const LR: f64 = 1e-4;
/// Its decay of matrices, embeddings among them; vectors have none.
pub const WEIGHT_DECAY: f64 = 0.01;
/// The decay of the first moment.
pub const BETA1: f64 = 0.9;
/// The decay of the second moment.
pub const BETA2: f64 = 0.999;
/// What is added to the root of the second moment.
pub const EPS: f64 = 1e-8;
/// Gradients longer than this, all together, are scaled down to it.
pub const MAX_NORM: f64 = 1.0;

/// Times one training step of GPT-2 on the same ids each time.
#[derive(Parser)]
pub struct Step {
    /// The model: a folder with config.json and model.safetensors
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Sequences a step
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub batch: usize,
    /// Tokens a sequence
    #[arg(long, default_value_t = 256, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..))]
    pub seq: usize,
    /// Precision of all
    #[arg(long, default_value = "f32", value_parser = ["f32"])]
    pub precision: String,
    /// Threads; all cores where absent
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub threads: Option<usize>,
    /// Take one step for each line of the input
    #[arg(long)]
    pub turns: bool,
    /// Have the allocator keep memory that is freed, for the next operation
    #[arg(long)]
    pub keep_freed_memory: bool,
    /// Without --turns: how many steps, the first not timed
    #[arg(long, default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub runs: usize,
}

impl Step {
    /// Reads the command line, and tells rayon and the allocator what it says.
    ///
    /// # Errors
    /// If the number of cores is unknown.
    pub fn from_command_line() -> Result<Step> {
        let step = Step::parse();
        let threads = match step.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism()?.get(),
        };
        // Of two threads of one core, candle would take one: it counts cores unless this is set.
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
        if step.keep_freed_memory {
            keep_freed_memory();
        }
        Ok(step)
    }

    /// Inputs and targets, `batch × seq` each, row by row: a row has one id more than it has inputs,
    /// and each target is the id behind its input.
    pub fn inputs_and_targets(&self, vocab_size: usize) -> (Vec<u32>, Vec<u32>) {
        let len = self.seq + 1;
        let rows = (0..self.batch).map(|row| {
            let ids = (row * len..(row + 1) * len).map(|place| id(place, vocab_size));
            let ids: Vec<u32> = ids.collect();
            (ids[..self.seq].to_vec(), ids[1..].to_vec())
        });
        let (inputs, targets): (Vec<_>, Vec<_>) = rows.unzip();
        (inputs.concat(), targets.concat())
    }
}

/// Has the allocator keep what is freed: given back to the system, the pages of each large tensor are
/// zeroed anew, which can take half of a step.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: these set parameters of the allocator and touch no memory of ours.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}

/// A token id that a line of any language makes; `reference/turns.py` has the same.
fn id(place: usize, vocab_size: usize) -> u32 {
    let mixed = (place as u64 * 7919 + 12345) * 104729 % 2147483647;
    (mixed % vocab_size as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_ids_behind_the_inputs() {
        let step = Step::parse_from("train --model folder --batch 2 --seq 3".split(' '));
        let (inputs, targets) = step.inputs_and_targets(50257);
        let ids: Vec<u32> = (0..8).map(|place| id(place, 50257)).collect();
        assert_eq!(inputs, [&ids[0..3], &ids[4..7]].concat());
        assert_eq!(targets, [&ids[1..4], &ids[5..8]].concat());
        assert_eq!(ids[0], 1292879505 % 50257); // 12345 · 104729, which is less than 2³¹ − 1
    }
}

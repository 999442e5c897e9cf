//! Products of your own: the commands of `attendant` that learn to describe them.

use crate::Arguments;
use examples::kit::{Kit, warmup};
use std::error::Error;
use std::path::Path;

/// Trains adapters on `--model`, or a small GPT from random weights, and measures it on the rows
/// to test.
pub fn run(arguments: &Arguments, train: &Path, test: &Path) -> Result<(), Box<dyn Error>> {
    let kit = Kit::new("products", arguments.output.as_deref())?;
    let (train, test) = (train.display().to_string(), test.display().to_string());
    let model = kit.output("model")?;
    let (start, recipe, usual) = match &arguments.model {
        Some(model) => {
            let adapters = "--lora r=16,alpha=32 --lr 5e-4 --precision bf16 --recompute off";
            (&model[..], format!("{adapters} --seq-len 320"), 1)
        }
        None => ("tiny", "--vocab-size 4096 --lr 2e-3 --weight-decay 0.1 --seq-len 256".into(), 10),
    };
    let (epochs, seed) = (arguments.epochs.unwrap_or(usual), arguments.seed);
    let warmup = warmup(&train, epochs, 8)?;
    let command = format!(
        "train --task describe {recipe} --epochs {epochs} --batch-size 8 --warmup {warmup} \
         --schedule linear --clip 1 --cut --seed {seed}"
    );
    kit.run(&command, &[("--model", start), ("--data", &train), ("--output", &model)])?;
    let files = [("--model", &model[..]), ("--data", &test), ("--train", &train)];
    kit.run("evaluate --task describe --report", &files)?;
    println!("\nthe whole of it: {}", kit.path("model/report.html"));
    Ok(())
}

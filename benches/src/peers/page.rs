//! The page, made of the record alone.

use super::{LOSS_TOLERANCE, Outcome, Played, Record, Roofline};
use std::collections::{BTreeMap, BTreeSet};

/// `docs/performance.md`.
pub fn page(record: &Record) -> String {
    [INTRODUCTION.into(), table(record), machines(record), how(record), commands(record)].join("\n")
}

const INTRODUCTION: &str = "\
# Performance

Attendant beside PyTorch, JAX, candle, burn and llama.cpp: the same work, from the same weights and token ids,
on the same machine, in turn. This page and its plot are made from [performance.json](performance.json) by

```sh
bash benches/reference/setup.sh target/reference   # the Python with all that it is compared with
bash examples/models.sh target/models              # two small real models
cargo bench --bench peers -- --build --python target/reference/bin/python \\
  --gguf target/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --model-minilm target/models/minilm --write
```

`--build` is for candle and burn, once. `--list` names the rows, `--only NAME` measures those whose names begin
so (the others stay as they were), `--rounds N` takes so many turns of each.

![how many times faster](performance.svg)
";

/// Three digits, thousands apart.
fn number(x: f64) -> String {
    let digits = (2.0 - x.max(1e-9).log10().floor()).max(0.0) as usize;
    let text = format!("{x:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

fn or_dash(x: Option<f64>, show: impl Fn(f64) -> String) -> String {
    x.map_or("–".into(), show)
}

fn memory(side: &Played) -> String {
    or_dash(side.peak_rss_bytes.map(|bytes| bytes as f64), |bytes| match bytes < 1e9 {
        true => format!("{} MB", number(bytes / 1e6)),
        false => format!("{} GB", number(bytes / 1e9)),
    })
}

fn speed(row: &Outcome, side: &Played) -> String {
    or_dash(row.speed(side), |x| format!("{} {}", number(x), row.unit))
}

fn table(record: &Record) -> String {
    let mut text = String::from(
        "\
| work | | ours | of the machine's peak | against | theirs | times faster | memory, ours | theirs | share |
|---|---|---|---|---|---|---|---|---|---|
",
    );
    for row in &record.rows {
        let Some(ours) = row.ours() else { continue };
        let (speed_of_ours, memory_of_ours) = (speed(row, ours), memory(ours));
        let share = or_dash(row.share_of_roofline(), |x| format!("{:.0} %", 100.0 * x));
        for peer in row.peers() {
            let ratio = or_dash(row.speed_ratio(peer), |x| format!("**{x:.2}**"));
            let memory_ratio = or_dash(row.memory_ratio(peer), |x| format!("{x:.2}"));
            text += &format!(
                "| {} | {} | {speed_of_ours} | {share} | {} | {} | {ratio} | {memory_of_ours} | {} | \
                 {memory_ratio} |\n",
                row.title,
                row.precision,
                peer.name,
                speed(row, peer),
                memory(peer),
            );
        }
    }
    text
}

/// What each machine could do, from the row where it did least to the one where it did most.
fn machines(record: &Record) -> String {
    let mut text = String::from("## The machine");
    let mut by_machine: BTreeMap<(&str, usize), Vec<Roofline>> = BTreeMap::new();
    for row in &record.rows {
        by_machine.entry((&row.cpu, row.threads)).or_default().push(row.roofline);
    }
    for ((cpu, threads), peaks) in by_machine {
        let [flops_f32, flops_bf16, bytes] = [
            range(peaks.iter().map(|peak| peak.flops_f32 / 1e9)),
            range(peaks.iter().map(|peak| peak.flops_bf16 / 1e9)),
            range(peaks.iter().map(|peak| peak.bytes_per_second / 1e9)),
        ];
        text += &format!(
            "\n\n{cpu}, {threads} threads, from row to row: {flops_f32} GFLOP/s in f32 and {flops_bf16} in bf16, \
             from registers; {bytes} GB/s read from memory. Each row's own peak stands with it below.",
        );
    }
    text + "\n"
}

/// The lowest and the highest.
fn range(numbers: impl Iterator<Item = f64> + Clone) -> String {
    let low = number(numbers.clone().fold(f64::INFINITY, f64::min));
    let high = number(numbers.fold(0.0, f64::max));
    if low == high { low } else { format!("{low} to {high}") }
}

fn how(record: &Record) -> String {
    let versions: BTreeSet<String> = record
        .rows
        .iter()
        .flat_map(|row| &row.versions)
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let versions: Vec<String> = versions.into_iter().collect();
    let [(_, exact), (_, rounded)] = LOSS_TOLERANCE;
    format!(
        "\
## How it was measured

Each program loads its weights, does the work once to warm up, and waits; then they take turns, A B A B, ours
and one other: a third that waits in memory would change their times.
A time is the median of a program's turns, the ratio that of the medians, memory the peak of the process's
resident set, loading included. All have the same number of threads. Where there is a loss, the losses of
each turn must agree, in f32 to {exact:.0e} of their size, in bf16 to {rounded:.0e}, or the row is not taken.
The share of the machine's peak is what the operations of the work (or, of writing, the bytes of the weights)
would take at the measured peak, in the time that ours took; the peak is measured at the beginning of each
round, before our turn, as the best of five short runs, and the median of the rounds taken. A training step's
attention is counted as if nothing were masked, as is usual.

- A training step is forward, loss, backward, clipping to norm 1 and AdamW, weight decay on matrices, dropout 0.
- **PyTorch**, eager: SDPA attention, fused AdamW, gradients set to none; bf16 is autocast over f32 parameters.
  It decodes in inference mode, in a loop around the model (faster than `generate()`), the cache growing, the
  last position alone scored; bf16 is weights in bf16. Operations in bf16 are on tensors in bf16. As it comes it
  runs on the system's allocator, which clears much of its memory anew in each step; *memory kept* is the same
  with an allocator that gives nothing back (glibc's `mallopt`).
- **JAX**: the step is one compiled function, weights and optimizer state donated; compiling is not timed. bf16
  rounds the factors of matrix products. It is held to its threads by CPU affinity.
- **candle** and **burn** (its CPU backend flex with automatic differentiation) are compiled for this CPU, their
  matrix products with AVX-512, and run the operations of theirs that have a gradient: candle's LayerNorm and
  softmax are of several operations, since those in one piece have none; burn's LayerNorm and causal attention
  are its modules. GELU is written by σ in both, faster than their own; both use their own AdamW, and the norm of
  all gradients is taken around it. candle is told the number of threads, since it counts cores. It too was
  measured with an allocator that gives nothing back.
- **llama.cpp**, compiled for this CPU: the prompt in one batch, the cache in f16.
- **Attendant**: bf16 rounds the factors of matrix products over f32 parameters; in decoding, matrices that are
  not quantized are kept in bf16.

Versions: {}.
",
        versions.join(", ")
    )
}

fn commands(record: &Record) -> String {
    let mut text = String::from(
        "\
## Row by row

Programs are those of `benches/src/bin`, `benches/reference` and `benches/compare`; `{models}` and `{gguf}` are
places of files.
",
    );
    for row in &record.rows {
        let [flops, bytes] =
            [row.peak_flops() / 1e9, row.roofline.bytes_per_second / 1e9].map(number);
        text += &format!(
            "\n`{}`, {} ({}; peak {flops} GFLOP/s, {bytes} GB/s):\n\n",
            row.name, row.date, row.cpu
        );
        for side in &row.sides {
            let told = match (&side.failed, side.median_ms()) {
                (Some(reason), _) => format!("did not run: {reason}"),
                (None, Some(ms)) => {
                    let all = range(side.ms.iter().copied());
                    format!("{} ms, {all} in {} turns", number(ms), side.ms.len())
                }
                (None, None) => "took no turn".into(),
            };
            text += &format!("- {}: {told}. `{}`\n", side.name, side.command);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.01234, 0.5, 1.0, 12.345, 99.95, 123.4, 1234.5, 1234567.0].map(number);
        assert_eq!(
            shown,
            ["0.0123", "0.500", "1.00", "12.3", "100.0", "123", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn the_record_says_it_all() {
        let page = page(&Record { rows: vec![outcome("a"), outcome("b")] });
        let row = "| The step a | f32 | 512 tokens/s | 50 % | PyTorch | 256 tokens/s | **2.00** | \
                   2.15 GB | 4.29 GB | 0.50 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| JAX | – | – | 2.15 GB |"), "{page}");
        assert!(page.contains("- JAX: did not run: no module named jax. `JAX --model gpt2`"));
        assert!(page.contains("- PyTorch: 4,000 ms, 3,000 to 5,000 in 3 turns."));
        assert!(page.contains(
            "A processor, 2 threads, from row to row: 100 GFLOP/s in f32 and 200 in bf16"
        ));
        assert!(page.contains("Versions: torch 2.15.0."));
        assert!(page.contains("`b`, 2026-11-28 (A processor; peak 100 GFLOP/s, 10.0 GB/s):"));
    }
}

//! How many tokens a second does a GPT-2 of 124 million parameters read, in f32 and in bf16?

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use attendant_benches::work::{Decode, Source};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Precision, with_precision};
use train::Preset;

const TOKENS: usize = 512;

fn prefill(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("prefill");
    group.sample_size(10);
    group.throughput(Throughput::Elements(TOKENS as u64));
    for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
        let source = Source::preset(Preset::Gpt2);
        let read = Decode::new(&source, TOKENS, 1, precision).expect("the preset's sizes");
        // Of 12 blocks the last computes queries, keys and values alone for each token; the rest of it,
        // and the scores of the vocabulary, are of the last token. Attention is causal.
        let (each, last) = ((11 * 12 + 3) * 768 * 768, 9 * 768 * 768 + 50_257 * 768);
        let attention = (2 * 11 * 768 * TOKENS * TOKENS) as f64;
        let flops = 2.0 * ((each * TOKENS + last) as f64) + attention;
        with_precision(precision, || share(name, Bound::Flops(flops), &roof, || read.write()));
        group.bench_function(BenchmarkId::new("GPT-2 124M", name), |bencher| {
            bencher.iter(|| black_box(read.write()));
        });
    }
}

criterion_group!(benches, prefill);
criterion_main!(benches);

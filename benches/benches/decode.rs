//! How many tokens a second does a GPT-2 of 124 million parameters write, in f32 and in bf16, and how near
//! is that to what memory allows?

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use attendant_benches::work::{Decode, Source};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::Precision;
use train::Preset;

const NEW_TOKENS: usize = 17;

fn decode(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10);
    group.throughput(Throughput::Elements(NEW_TOKENS as u64));
    for (name, precision, bytes) in [("f32", Precision::F32, 4.0), ("bf16", Precision::Bf16, 2.0)] {
        let source = Source::preset(Preset::Gpt2);
        let decode = Decode::new(&source, 1, NEW_TOKENS, precision).expect("the preset's sizes");
        // 12 blocks and the scores of the vocabulary, once a token.
        let matrices = (12 * 12 * 768 * 768 + 50_257 * 768) as f64;
        let bound = Bound::Bytes(matrices * bytes * NEW_TOKENS as f64);
        share(name, bound, &roof, || decode.write());
        group.bench_function(BenchmarkId::new("GPT-2 124M", name), |bencher| {
            bencher.iter(|| black_box(decode.write()));
        });
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);

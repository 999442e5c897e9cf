//! Generation by encoder–decoders, against what their definition gives at any cost: all texts there
//! are, each scored from its beginning.

use autograd::no_grad;
use tensor::{Float, Rng, Tokens};
use transformer::generate::beam;
use transformer::{
    Autoregressive, EncoderDecoder, EncoderDecoderConfig, Generation, Hypothesis, Init, Module,
    NormPlacement, Padded,
};

const SOURCES: [&[u32]; 3] = [&[2, 3, 1, 2, 3], &[3], &[1, 1]];

fn model(vocab_size: usize, placement: NormPlacement) -> EncoderDecoder {
    let config = EncoderDecoderConfig {
        vocab_size,
        d_model: 8,
        n_layers: 2,
        n_heads: 2,
        d_ff: 12,
        placement,
        ..EncoderDecoderConfig::default()
    };
    let mut rng = Rng::seeded(8);
    let mut model = EncoderDecoder::new(config, &mut rng).unwrap();
    // Matrices that are large, so that texts are of unlike probability.
    for (_, parameter) in model.parameters_mut() {
        if parameter.shape().len() == 2 {
            *parameter = Init::Normal(0.7).parameter(&mut rng, parameter.shape());
        }
    }
    model
}

fn sources() -> [[u32; 3]; 11] {
    std::array::from_fn(|i| [2 + i as u32, 5, 11 - i as u32 / 2])
}

/// log p of each next token, by the forward pass of training.
fn log_probabilities(model: &EncoderDecoder, source: &[u32], target: &[u32]) -> Vec<f64> {
    let vocab_size = model.config.vocab_size;
    let source = Padded::right(&[source], vocab_size).unwrap();
    let target = Tokens::batch(&[target], vocab_size).unwrap();
    let logits = no_grad(|| model.forward(&source, &target)).value().clone();
    let last = logits.narrow(1, logits.size(1) - 1, 1);
    let log_p = &last - last.logsumexp_axes(&[-1], true);
    log_p.to_vec().into_iter().map(f64::from).collect()
}

/// All texts of at most `room` new tokens with their sums of log p, and their lengths.
fn all_texts(model: &EncoderDecoder, source: &[u32], room: usize) -> Vec<(Vec<u32>, f64)> {
    let mut open = vec![(vec![model.config.start_token], 0.0)];
    let mut ended = Vec::new();
    for _ in 0..room {
        for (ids, sum) in std::mem::take(&mut open) {
            for (id, log_p) in log_probabilities(model, source, &ids).into_iter().enumerate() {
                let text = ([&ids[..], &[id as u32]].concat(), sum + log_p);
                let ends = id as u32 == model.config.end_token;
                if ends { &mut ended } else { &mut open }.push(text);
            }
        }
    }
    ended.extend(open);
    ended
}

#[test]
fn enough_beams_find_the_best_of_all_texts() {
    for length_penalty in [0.0, 1.0, 2.0] {
        let model = model(4, NormPlacement::Post);
        let settings = Generation {
            num_beams: 256, // = 4⁴: none is left out
            num_return_sequences: 20,
            length_penalty,
            max_new_tokens: Some(4),
            ..Generation::default()
        };
        let found = beam::search(&model, &SOURCES, &settings).unwrap();
        for (found, source) in found.iter().zip(SOURCES) {
            let score = |(ids, sum): (Vec<u32>, f64)| {
                let len = (ids.len() - 1) as f64;
                let score = sum / len.powf(f64::from(length_penalty));
                Hypothesis { ids, score, log_probabilities: Vec::new() }
            };
            let mut all: Vec<_> = all_texts(&model, source, 4).into_iter().map(score).collect();
            all.sort_by(|a, b| b.score.total_cmp(&a.score));
            assert_eq!(all.len(), 1 + 3 + 9 + 27 * 4);
            assert_eq!(found.len(), 20);
            for (found, expected) in found.iter().zip(&all) {
                assert_eq!(found.ids, expected.ids);
                assert!((found.score - expected.score).abs() < 1e-4);
                let len = (found.ids.len() - 1) as f64;
                let sum: f64 = found.log_probabilities.iter().sum();
                assert!((sum / len.powf(f64::from(length_penalty)) - found.score).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn greedy_with_a_cache_equals_greedy_without() {
    let settings = Generation { max_new_tokens: Some(9), ..Generation::default() };
    let mut ended = 0;
    for placement in [NormPlacement::Pre, NormPlacement::Post] {
        let model = model(13, placement);
        for source in sources() {
            let mut expected = vec![0];
            while expected.len() < 10 && !expected.contains(&1) {
                let log_p = log_probabilities(&model, &source, &expected);
                let best = (0..13).max_by(|&a, &b| log_p[a].total_cmp(&log_p[b])).unwrap();
                expected.push(best as u32);
            }
            ended += usize::from(expected.len() < 10);
            assert_eq!(model.generate(&source, &settings).unwrap(), expected);
        }
    }
    assert!((3..20).contains(&ended), "{ended} of 22 texts reach the end token");
}

#[test]
fn a_batch_writes_what_each_source_gets_alone() {
    let model = model(13, NormPlacement::Pre);
    let mut sources = Vec::from(sources().map(Vec::from));
    for (index, source) in sources.iter_mut().enumerate() {
        source.truncate(1 + index % 3);
    }
    let greedy = Generation { max_new_tokens: Some(9), ..Generation::default() };
    for num_beams in [1, 2, 4] {
        let settings = Generation { num_beams, num_return_sequences: num_beams, ..greedy.clone() };
        let together = model.generate_batch(&sources, &settings).unwrap();
        for (source, together) in sources.iter().zip(together.chunks(num_beams)) {
            assert_eq!(model.generate_batch(&[source], &settings).unwrap(), together);
        }
    }
    let drawn = Generation { do_sample: true, ..greedy };
    let together = model.generate_batch(&sources, &drawn).unwrap();
    assert_eq!(model.generate(&sources[0], &drawn).unwrap(), together[0]);
    assert!(together.iter().all(|row| row[0] == 0));
}

#[test]
fn end_tokens_are_the_models_own_unless_named() {
    let model = model(13, NormPlacement::Pre);
    let settings = Generation { max_new_tokens: Some(12), ..Generation::default() };
    let source = sources().into_iter().find(|source| {
        let ids = model.generate(source, &settings).unwrap();
        ids.ends_with(&[1]) && (4..13).contains(&ids.len())
    });
    let source = source.expect("one reaches the end token");
    let own = model.generate(&source, &settings).unwrap();
    let none = Generation { end_tokens: Some(vec![]), ..settings.clone() };
    let whole = model.generate(&source, &none).unwrap();
    assert_eq!((whole.len(), &whole[..own.len()]), (13, &own[..]));
    let second = Generation { end_tokens: Some(vec![own[1]]), ..settings.clone() };
    assert_eq!(model.generate(&source, &second).unwrap(), own[..2]);
    // There is no bound but that of the settings, and what is not reached takes no memory.
    let any = Generation { max_new_tokens: Some(usize::MAX), ..settings };
    assert_eq!(model.generate(&source, &any).unwrap(), own);
}

#[test]
fn requests_that_make_no_sense_are_errors() {
    let model = model(13, NormPlacement::Pre);
    let error = |source: &[u32], settings: Generation| {
        model.generate(source, &settings).unwrap_err().to_string()
    };
    assert_eq!(error(&[], Generation::default()), "the prompt is empty; give at least one token");
    assert_eq!(
        error(&[2, 13], Generation::default()),
        "token id 13 at position 1 is beyond the vocabulary of 13 tokens (ids 0 to 12)"
    );
    assert!(model.generate_batch(&[[0; 0]; 0], &Generation::default()).unwrap().is_empty());
    assert_eq!(
        error(&[2], Generation { temperature: 0.5 as Float, ..Generation::default() }),
        "temperature, top_k, top_p, min_p and typical_p need sampling; set do_sample"
    );
}

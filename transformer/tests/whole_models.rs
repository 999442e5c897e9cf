//! Whole tiny models: the gradient of every parameter against finite differences (in the f64 build;
//! through a whole model those of f32 say nothing), and none zero but those that are zero by
//! mathematics.

use autograd::gradcheck::{TOLERANCE, largest_error};
use autograd::{Mask, Var, cross_entropy, cross_entropy_smoothed};
use tensor::{Float, Rng, Targets, Tokens};
use transformer::block::Residual;
use transformer::positions::{RelativePositionBias, Rotary};
use transformer::{
    Activation, Block, DecoderOnly, Embedding, Encoder, EncoderDecoder, EncoderDecoderConfig,
    FeedForward, Gpt2, Gpt2Config, Init, MaskedLanguageModel, MaskedLanguageModelConfig, Module,
    MultiHeadAttention, NormPlacement, Padded, Pass, RmsNorm, parameters_of,
};

const IS_F64: bool = size_of::<Float>() == 8;
/// Small, so that it seldom crosses the kink of a ReLU.
const STEP: Float = 1e-4;

/// Entries whose gradient is zero by mathematics: a shift of all scores of a query changes no
/// weight, so that keys need no bias.
type ZeroByMathematics = fn(name: &str, index: usize, len: usize) -> bool;

fn key_bias(name: &str, index: usize, len: usize) -> bool {
    let joined = name.ends_with("w_qkv.bias") && (len / 3..2 * len / 3).contains(&index);
    joined || name.ends_with("w_k.bias")
}

/// Moves every parameter off its initial value, so that no bias is 0 and no scale 1.
fn shaken<M: Module>(mut model: M) -> M {
    let mut rng = Rng::seeded(2);
    for (_, parameter) in model.parameters_mut() {
        let noise = rng.normal(parameter.shape(), 0.3);
        parameter.value_mut().apply_zip(&noise, |x, noise| x + noise);
    }
    model
}

/// The loss with one entry of one parameter moved by `shift`.
fn moved<M: Module + Clone>(
    model: &M,
    loss: &impl Fn(&M) -> Var,
    (name, index): (&str, usize),
    shift: Float,
) -> f64 {
    let mut model = model.clone();
    for (found, parameter) in model.parameters_mut() {
        if found == name {
            parameter.value_mut().data_mut()[index] += shift;
        }
    }
    f64::from(loss(&model).item())
}

fn check_every_parameter<M: Module + Clone>(
    model: &M,
    loss: impl Fn(&M) -> Var,
    is_zero: ZeroByMathematics,
) {
    let gradients = loss(model).backward().unwrap();
    for (name, parameter) in model.parameters() {
        let exact = gradients.get(parameter).expect(&name).to_vec();
        let at = |index, shift| moved(model, &loss, (&name, index), shift);
        let numeric = |i: usize| {
            let near = at(i, STEP) - at(i, -STEP);
            let far = at(i, 2.0 * STEP) - at(i, -2.0 * STEP);
            ((8.0 * near - far) / (12.0 * f64::from(STEP))) as Float
        };
        let (zero, other): (Vec<usize>, Vec<usize>) =
            (0..exact.len()).partition(|&i| is_zero(&name, i, exact.len()));
        let analytic: Vec<Float> = other.iter().map(|&i| exact[i]).collect();
        if IS_F64 {
            let numeric: Vec<Float> = other.iter().map(|&i| numeric(i)).collect();
            let error = largest_error(&analytic, &numeric);
            assert!(error < TOLERANCE, "{name}: {error:e}");
        }
        let reached = other.is_empty() || analytic.iter().any(|&gradient| gradient != 0.0);
        assert!(reached, "{name} gets no gradient");
        for i in zero {
            assert!(exact[i].abs() < 1e-6, "{name}[{i}] must be zero, is {}", exact[i]);
        }
    }
}

#[test]
fn gpt() {
    let config = Gpt2Config {
        vocab_size: 7,
        max_seq_len: 5,
        d_model: 4,
        n_layers: 2,
        n_heads: 2,
        initializer_range: 0.5,
        ..Gpt2Config::default()
    };
    let model = shaken(Gpt2::new(config, &mut Rng::seeded(1)).unwrap());
    let tokens = Tokens::batch(&[[0, 1, 2, 3, 4], [5, 6, 0, 1, 2]], 7).unwrap();
    let targets = Targets::new([1, 2, 3, 4, 5, 6, 0, Targets::IGNORED, 2, 3], 7).unwrap();
    let loss = |model: &Gpt2| cross_entropy(&model.forward(&tokens), &targets);
    check_every_parameter(&model, loss, key_bias);
}

#[test]
fn encoder() {
    let config = MaskedLanguageModelConfig {
        vocab_size: 7,
        max_seq_len: 4,
        d_model: 4,
        n_layers: 2,
        n_heads: 2,
        d_ff: 6,
        eps: 1e-5,
        ..MaskedLanguageModelConfig::default()
    };
    let model = shaken(MaskedLanguageModel::new(config, &mut Rng::seeded(1)).unwrap());
    let text = Padded::right(&[vec![0, 1, 2, 3], vec![4, 5, 6]], 7).unwrap();
    let ignored = Targets::IGNORED;
    let targets = Targets::new([6, ignored, 1, 4, ignored, 0, 2, ignored], 7).unwrap();
    let loss = |model: &MaskedLanguageModel| cross_entropy(&model.forward(&text), &targets);
    check_every_parameter(&model, loss, key_bias);
}

#[test]
fn encoder_decoder_with_normalization_before_and_after() {
    for placement in [NormPlacement::Pre, NormPlacement::Post] {
        let config = EncoderDecoderConfig {
            vocab_size: 7,
            d_model: 4,
            n_layers: 2,
            n_heads: 2,
            d_ff: 6,
            placement,
            eps: 1e-5,
            ..EncoderDecoderConfig::default()
        };
        let model = shaken(EncoderDecoder::new(config, &mut Rng::seeded(1)).unwrap());
        let source = Padded::right(&[vec![2, 3, 4, 5], vec![6, 2]], 7).unwrap();
        let (given, targets) = model.teacher_forcing(&[vec![5, 4, 3], vec![2, 6]]).unwrap();
        let loss = |model: &EncoderDecoder| {
            cross_entropy_smoothed(&model.forward(&source, &given), &targets, 0.1)
        };
        check_every_parameter(&model, loss, key_bias);
    }
}

/// The parts of newer decoders: RMSNorm, rotary positions, a bias of distances, groups of heads,
/// SwiGLU.
#[derive(Clone)]
struct Modern {
    embedding: Embedding,
    stack: Encoder,
    bias: RelativePositionBias,
}
parameters_of!(Modern { embedding, ..stack, bias });

impl Modern {
    fn new(rng: &mut Rng) -> Modern {
        let init = Init::Normal(0.5);
        let norm = || RmsNorm::new(8, 1e-5).into();
        let attention = MultiHeadAttention::apart(rng, (8, 4), init, init);
        let block = Block {
            norm_1: norm(),
            attention: attention.with_kv_heads(rng, 2, init),
            norm_2: norm(),
            feed_forward: FeedForward::gated(rng, (8, 6), Activation::Silu, init, init),
            residual: Residual { placement: NormPlacement::Pre, dropout: 0.0 },
        };
        Modern {
            embedding: Embedding::new(rng, 7, 8, init),
            stack: Encoder { blocks: vec![block], final_norm: Some(norm()) },
            bias: RelativePositionBias::new(rng, (4, 8), 4, false, init),
        }
    }

    fn forward(&self, tokens: &Tokens) -> Var {
        let seq_len = tokens.shape()[1];
        let positions = Tokens::new((0..seq_len as u32).collect::<Vec<_>>(), seq_len).unwrap();
        let mut pass = Pass {
            mask: Mask::causal(),
            bias: Some(self.bias.forward(seq_len, seq_len)),
            rotation: Some(Rotary::new(2, 100.0).at(&positions)),
            ..Pass::default()
        };
        self.embedding.logits(&self.stack.forward(&self.embedding.forward(tokens), &mut pass))
    }
}

#[test]
fn decoder_of_newer_parts() {
    let model = shaken(Modern::new(&mut Rng::seeded(1)));
    let tokens = Tokens::batch(&[[0, 1, 2, 3, 4], [5, 6, 0, 1, 2]], 7).unwrap();
    let targets = Targets::new([1, 2, 3, 4, 5, 6, 0, Targets::IGNORED, 2, 3], 7).unwrap();
    let loss = |model: &Modern| cross_entropy(&model.forward(&tokens), &targets);
    // Turned by its position, a key's bias does shift scores unequally.
    check_every_parameter(&model, loss, |_, _, _| false);
}

//! One training step of GPT-2 in burn, on its CPU backend flex with automatic differentiation.
//!
//! It is made of burn's own modules: Linear, LayerNorm, Embedding, attention (causal), the loss and
//! AdamW. GELU alone is written out, by σ: burn's own takes a power and a tanh number by number. burn clips each gradient by its own norm, so the norm of all is taken by a visitor.
//!
//! `cargo run --release --bin burn -- --model DIR --batch 4 --seq 256`

use attendant_compare::step::{BETA1, BETA2, EPS, LR, MAX_NORM, Step, WEIGHT_DECAY};
use attendant_compare::weights::Weights;
use attendant_compare::{Result, turns};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::sigmoid;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::f64::consts::PI;

#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    c_attn: Linear,
    attn_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    mlp_proj: Linear,
}

#[derive(Module, Debug)]
struct Gpt2 {
    wte: Embedding,
    wpe: Embedding,
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    n_head: usize,
}

/// Makes modules of a folder's weights.
struct Loader<'a> {
    weights: &'a mut Weights,
    device: &'a Device,
}

impl Loader<'_> {
    fn parameter<const D: usize>(&mut self, name: &str) -> Result<Param<Tensor<D>>> {
        let (shape, numbers) = self.weights.take(name)?;
        let data = TensorData::new(numbers, shape);
        Ok(Param::from_tensor(Tensor::from_data(data, self.device)))
    }

    fn linear(&mut self, name: &str) -> Result<Linear> {
        let weight = self.parameter(&format!("{name}.weight"))?;
        let bias = self.parameter(&format!("{name}.bias"))?;
        Ok(Linear { weight, bias: Some(bias) })
    }

    fn layer_norm(&mut self, name: &str) -> Result<LayerNorm> {
        let config = &self.weights.config;
        let layer_norm =
            LayerNormConfig::new(config.n_embd).with_epsilon(config.layer_norm_epsilon);
        let mut layer_norm = layer_norm.init(self.device);
        layer_norm.gamma = self.parameter(&format!("{name}.weight"))?;
        layer_norm.beta = Some(self.parameter(&format!("{name}.bias"))?);
        Ok(layer_norm)
    }

    fn embedding(&mut self, name: &str) -> Result<Embedding> {
        Ok(Embedding { weight: self.parameter(&format!("{name}.weight"))? })
    }

    fn block(&mut self, layer: usize) -> Result<Block> {
        let name = |part: &str| format!("h.{layer}.{part}");
        Ok(Block {
            ln_1: self.layer_norm(&name("ln_1"))?,
            c_attn: self.linear(&name("attn.c_attn"))?,
            attn_proj: self.linear(&name("attn.c_proj"))?,
            ln_2: self.layer_norm(&name("ln_2"))?,
            c_fc: self.linear(&name("mlp.c_fc"))?,
            mlp_proj: self.linear(&name("mlp.c_proj"))?,
        })
    }

    fn gpt2(&mut self) -> Result<Gpt2> {
        let layers = self.weights.config.n_layer;
        Ok(Gpt2 {
            wte: self.embedding("wte")?,
            wpe: self.embedding("wpe")?,
            blocks: (0..layers).map(|layer| self.block(layer)).collect::<Result<_>>()?,
            ln_f: self.layer_norm("ln_f")?,
            n_head: self.weights.config.n_head,
        })
    }
}

impl Gpt2 {
    /// The logits of `inputs`, `[batch, seq]`, as `[batch · seq, vocab_size]`.
    fn forward(&self, inputs: Tensor<2, Int>) -> Tensor<2> {
        let [batch, seq] = inputs.dims();
        let positions = self.wpe.weight.val().slice(0..seq).unsqueeze::<3>();
        let mut x = self.wte.forward(inputs) + positions;
        for block in &self.blocks {
            x = x.clone() + self.attention(block, block.ln_1.forward(x));
            let hidden = block.c_fc.forward(block.ln_2.forward(x.clone()));
            x = x + block.mlp_proj.forward(gelu(hidden));
        }
        let [_, _, width] = x.dims();
        let x = self.ln_f.forward(x).reshape([batch * seq, width]);
        x.matmul(self.wte.weight.val().transpose())
    }

    fn attention(&self, block: &Block, x: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let [q, k, v] = block.c_attn.forward(x).chunk(3, 2).try_into().expect("it is cut in 3");
        let split = |part: Tensor<3>| {
            part.reshape([batch, seq, self.n_head, width / self.n_head]).swap_dims(1, 2)
        };
        let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
        let y = attention(split(q), split(k), split(v), None, None, options);
        block.attn_proj.forward(y.swap_dims(1, 2).reshape([batch, seq, width]))
    }
}

/// GELU in the tanh form, by `(1 + tanh u) / 2 = σ(2u)`.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let scale = (8.0 / PI).sqrt();
    let inner = x.clone() * (x.clone().square() * (0.044715 * scale) + scale);
    x * sigmoid(inner)
}

/// Adds up the squares of all gradients.
struct Square<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for Square<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            self.sum += f64::from(gradient.square().sum().into_scalar::<f32>());
        }
    }
}

/// Multiplies all gradients.
struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    scale: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(parameter.id) {
            self.gradients.register(parameter.id, gradient.mul_scalar(self.scale));
        }
    }
}

/// Scales all gradients so that their norm is at most [`MAX_NORM`].
fn clip(model: &Gpt2, gradients: &mut GradientsParams) {
    let mut square = Square { gradients, sum: 0.0 };
    model.visit(&mut square);
    let scale = MAX_NORM / (square.sum.sqrt() + 1e-6);
    if scale < 1.0 {
        model.visit(&mut Scale { gradients, scale });
    }
}

fn optimizer() -> ModuleOptimizer {
    let adamw = |decay: f64| {
        let config = AdamWConfig::new().with_beta_1(BETA1 as f32).with_beta_2(BETA2 as f32);
        config.with_epsilon(EPS as f32).with_weight_decay(decay as f32).build()
    };
    let vectors = ParamGroup::from_any_predicates(vec!["gamma", "beta", "bias"]);
    ModuleOptimizer::from(adamw(WEIGHT_DECAY)).with_group(vectors, adamw(0.0), None)
}

fn main() -> Result<()> {
    let step = Step::from_command_line()?;
    let device = Device::flex().autodiff();
    let mut weights = Weights::open(&step.model)?;
    let (inputs, targets) = step.inputs_and_targets(weights.config.vocab_size);
    let mut model = Some(Loader { weights: &mut weights, device: &device }.gpt2()?);
    weights.finish()?;
    let ids = |ids: Vec<u32>| ids.into_iter().map(i64::from).collect::<Vec<_>>();
    let inputs = TensorData::new(ids(inputs), [step.batch, step.seq]);
    let inputs = Tensor::<2, Int>::from_data(inputs, &device);
    let targets = TensorData::new(ids(targets), [step.batch * step.seq]);
    let targets = Tensor::<1, Int>::from_data(targets, &device);
    let loss_of = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer = optimizer();
    turns::serve(&step, || {
        let before = model.take().ok_or("the last step failed")?;
        let loss = loss_of.forward(before.forward(inputs.clone()), targets.clone());
        let mut gradients = GradientsParams::from_grads(loss.backward(), &before);
        let value = loss.into_scalar::<f32>();
        clip(&before, &mut gradients);
        model = Some(optimizer.step(LR, before, gradients));
        Ok(value.into())
    })
}

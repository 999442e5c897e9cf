//! One training step of GPT-2 in candle, on the CPU.
//!
//! It is written as candle's own models are, of the operations that have a gradient: LayerNorm and
//! softmax of several, since those in one piece have none; GELU by σ, whose gradient takes no power.
//! Linear maps work on rows of all sequences, so that each is one product of two matrices.
//!
//! `cargo run --release --bin candle -- --model DIR --batch 4 --seq 256`

use attendant_compare::step::{BETA1, BETA2, EPS, LR, MAX_NORM, Step, WEIGHT_DECAY};
use attendant_compare::weights::{Config, Weights};
use attendant_compare::{Result, turns};
use candle_core::backprop::GradStore;
use candle_core::{D, Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::{sigmoid, softmax};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use std::f64::consts::PI;

/// What is trained, as it is taken from the folder.
struct Parameters {
    weights: Weights,
    matrices: Vec<Var>,
    vectors: Vec<Var>,
}

impl Parameters {
    fn take(&mut self, name: &str) -> Result<Tensor> {
        let (shape, numbers) = self.weights.take(name)?;
        let of_rank = if shape.len() >= 2 { &mut self.matrices } else { &mut self.vectors };
        let var = Var::from_vec(numbers, shape, &Device::Cpu)?;
        let tensor = var.as_tensor().clone();
        of_rank.push(var);
        Ok(tensor)
    }
}

struct Linear {
    weight: Tensor, // [inputs, outputs]
    bias: Tensor,
}

impl Linear {
    fn take(parameters: &mut Parameters, name: &str) -> Result<Linear> {
        let mut part = |part: &str| parameters.take(&format!("{name}.{part}"));
        Ok(Linear { weight: part("weight")?, bias: part("bias")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}

struct LayerNorm {
    gamma: Tensor,
    beta: Tensor,
    eps: f64,
}

impl LayerNorm {
    fn take(parameters: &mut Parameters, name: &str) -> Result<LayerNorm> {
        let eps = parameters.weights.config.layer_norm_epsilon;
        let mut part = |part: &str| parameters.take(&format!("{name}.{part}"));
        Ok(LayerNorm { gamma: part("weight")?, beta: part("bias")?, eps })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centred.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        Ok(normed.broadcast_mul(&self.gamma)?.broadcast_add(&self.beta)?)
    }
}

struct Block {
    ln_1: LayerNorm,
    c_attn: Linear,
    attn_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    mlp_proj: Linear,
}

struct Gpt2 {
    wte: Tensor,
    wpe: Tensor,
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    mask: Tensor, // [seq, seq]: 0 where a row may look, −∞ elsewhere
    batch: usize,
    seq: usize,
    config: Config,
}

impl Gpt2 {
    fn take(parameters: &mut Parameters, step: &Step) -> Result<Gpt2> {
        let config = parameters.weights.config.clone();
        let block = |layer: usize| -> Result<Block> {
            let name = |part: &str| format!("h.{layer}.{part}");
            Ok(Block {
                ln_1: LayerNorm::take(parameters, &name("ln_1"))?,
                c_attn: Linear::take(parameters, &name("attn.c_attn"))?,
                attn_proj: Linear::take(parameters, &name("attn.c_proj"))?,
                ln_2: LayerNorm::take(parameters, &name("ln_2"))?,
                c_fc: Linear::take(parameters, &name("mlp.c_fc"))?,
                mlp_proj: Linear::take(parameters, &name("mlp.c_proj"))?,
            })
        };
        let blocks = (0..config.n_layer).map(block).collect::<Result<_>>()?;
        let seq = step.seq;
        let places = (0..seq * seq).map(|place| (place / seq, place % seq));
        let mask = places.map(|(row, column)| if column <= row { 0.0 } else { f32::NEG_INFINITY });
        Ok(Gpt2 {
            wte: parameters.take("wte.weight")?,
            wpe: parameters.take("wpe.weight")?,
            blocks,
            ln_f: LayerNorm::take(parameters, "ln_f")?,
            mask: Tensor::from_iter(mask, &Device::Cpu)?.reshape((seq, seq))?,
            batch: step.batch,
            seq,
            config,
        })
    }

    /// The mean loss of predicting `targets` from `inputs`, `batch · seq` each.
    fn loss(&self, inputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let width = self.config.n_embd;
        let positions = self.wpe.narrow(0, 0, self.seq)?;
        let tokens = self.wte.index_select(inputs, 0)?;
        let tokens = tokens.reshape((self.batch, self.seq, width))?;
        let mut x = tokens.broadcast_add(&positions)?.reshape(((), width))?;
        for block in &self.blocks {
            x = (&x + self.attention(block, &block.ln_1.forward(&x)?)?)?;
            let hidden = block.c_fc.forward(&block.ln_2.forward(&x)?)?;
            x = (&x + block.mlp_proj.forward(&gelu(&hidden)?)?)?;
        }
        let logits = self.ln_f.forward(&x)?.matmul(&self.wte.t()?)?;
        Ok(cross_entropy(&logits, targets)?)
    }

    fn attention(&self, block: &Block, x: &Tensor) -> Result<Tensor> {
        let (heads, width) = (self.config.n_head, self.config.n_embd);
        let head_width = width / heads;
        let qkv = block.c_attn.forward(x)?;
        let split = |part: usize| -> Result<Tensor> {
            let part = qkv.narrow(1, part * width, width)?;
            let part = part.reshape((self.batch, self.seq, heads, head_width))?;
            Ok(part.transpose(1, 2)?.contiguous()?) // [batch, heads, seq, head_width]
        };
        let (q, k, v) = (split(0)?, split(1)?, split(2)?);
        let scores = ((q * (head_width as f64).powf(-0.5))?.matmul(&k.t()?))?;
        let weights = softmax(&scores.broadcast_add(&self.mask)?, D::Minus1)?;
        let y = weights.matmul(&v)?.transpose(1, 2)?.reshape(((), width))?;
        block.attn_proj.forward(&y)
    }
}

/// GELU in the tanh form, by `(1 + tanh u) / 2 = σ(2u)`.
fn gelu(x: &Tensor) -> Result<Tensor> {
    let scale = (8.0 / PI).sqrt();
    let inner = (x * x.sqr()?.affine(0.044715 * scale, scale)?)?;
    Ok((x * sigmoid(&inner)?)?)
}

/// Scales all gradients so that their norm is at most [`MAX_NORM`].
fn clip(gradients: &mut GradStore, vars: &[Var]) -> Result<()> {
    let mut square = 0.0;
    for var in vars {
        let gradient = gradients.get(var).ok_or("a parameter has no gradient")?;
        square += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let scale = MAX_NORM / (square.sqrt() + 1e-6);
    if scale < 1.0 {
        for var in vars {
            if let Some(gradient) = gradients.remove(var) {
                gradients.insert(var, (gradient * scale)?);
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let step = Step::from_command_line()?;
    let weights = Weights::open(&step.model)?;
    let (inputs, targets) = step.inputs_and_targets(weights.config.vocab_size);
    let mut parameters = Parameters { weights, matrices: Vec::new(), vectors: Vec::new() };
    let model = Gpt2::take(&mut parameters, &step)?;
    let Parameters { weights, matrices, vectors } = parameters;
    weights.finish()?;
    let inputs = Tensor::new(inputs, &Device::Cpu)?;
    let targets = Tensor::new(targets, &Device::Cpu)?;
    let vars = [&matrices[..], &vectors[..]].concat();
    let adamw = |vars: Vec<Var>, weight_decay: f64| {
        let params = ParamsAdamW { lr: LR, beta1: BETA1, beta2: BETA2, eps: EPS, weight_decay };
        AdamW::new(vars, params)
    };
    let mut optimizers = [adamw(matrices, WEIGHT_DECAY)?, adamw(vectors, 0.0)?];
    turns::serve(&step, || {
        let loss = model.loss(&inputs, &targets)?;
        let mut gradients = loss.backward()?;
        let value = loss.to_scalar::<f32>()?;
        drop(loss); // and with it what was kept for the gradients
        clip(&mut gradients, &vars)?;
        for optimizer in &mut optimizers {
            optimizer.step(&gradients)?;
        }
        Ok(value.into())
    })
}

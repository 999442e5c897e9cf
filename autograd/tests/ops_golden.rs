//! Every operation against PyTorch's, on the fixture that `fixtures/make_ops.py` makes.

use autograd::gradcheck::largest_error;
use autograd::ops::binary_cross_entropy::binary_cross_entropy_with_logits;
use autograd::ops::linear::linear;
use autograd::ops::mse::mse;
use autograd::ops::rotary::{frequencies, tables};
use autograd::{Mask, Var, cross_entropy, cross_entropy_smoothed, cross_entropy_smoothed_sum};
use std::path::Path;
use tensor::{Float, Indices, Targets, Tensor, Tokens};

/// The largest error that counts as equal, in the measure of the gradient check.
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-6 } else { 2e-4 };

/// Operations that PyTorch does not have in a form that can be compared.
const NOT_COMPARED: [(&str, &str); 3] = [
    ("attention", "its own test holds it to matmul, masked and softmax, compared here"),
    ("dropout", "draws from a generator of its own"),
    (
        "linear_cross_entropy",
        "its own test holds it to matmul and cross_entropy_sum, compared here",
    ),
];

type Operation = fn(&[Var]) -> Var;

/// The cases of the fixture. A name is that of the operation's file, or begins with it.
const CASES: &[(&str, Operation)] = &[
    ("abs", |x| x[0].abs()),
    ("add", |x| &x[0] + &x[1]),
    ("binary_cross_entropy", |x| binary_cross_entropy_with_logits(&x[0], &x[1])),
    ("broadcast_to", |x| x[0].broadcast_to(&[4, 2, 3])),
    ("clamp", |x| x[0].clamp(-0.5, 0.8)),
    ("concat", |x| Var::concat(&[&x[0], &x[1]], 1)),
    ("concat_stack", |x| Var::stack(&[&x[0], &x[1]], 1)),
    ("cos", |x| x[0].cos()),
    ("cross_entropy", |x| cross_entropy(&x[0], &labels())),
    ("cross_entropy_smoothed", |x| cross_entropy_smoothed(&x[0], &labels(), 0.1)),
    ("cross_entropy_smoothed_sum", |x| cross_entropy_smoothed_sum(&x[0], &labels(), 0.3)),
    ("cumsum", |x| x[0].cumsum(0)),
    ("diagonal", |x| x[0].diagonal()),
    ("div", |x| &x[0] / &x[1]),
    ("einsum", |x| Var::einsum("bij,bjk->kib", &[&x[0], &x[1]])),
    ("einsum_ellipsis", |x| Var::einsum("...ii,...i->...i", &[&x[0], &x[1]])),
    ("embedding", |x| x[0].embedding(&Tokens::new([3, 0, 3], 4).unwrap())),
    ("erf", |x| x[0].erf()),
    ("exp", |x| x[0].exp()),
    ("extremes", |x| x[0].max_axes(&[1], false) + x[0].min_axes(&[1], false)),
    ("extremes_axes", |x| x[0].max_axes(&[0, 2], true) - x[0].min_axes(&[0, 2], true)),
    ("extremes_ties", |x| x[0].max()),
    ("flip", |x| x[0].flip(&[1])),
    ("gather", |x| x[0].gather(1, &indices())),
    ("gelu", |x| x[0].gelu()),
    ("gelu_tanh", |x| x[0].gelu_tanh()),
    ("index_add", |x| x[0].index_add(0, &picked(), &x[1])),
    ("index_select", |x| x[0].index_select(0, &picked())),
    ("layer_norm", |x| x[0].layer_norm(&x[1], &x[2], 1e-5)),
    ("linear", |x| linear(&x[0], &x[1], &x[2])),
    ("ln", |x| x[0].ln()),
    ("log_softmax", |x| x[0].log_softmax(-1)),
    ("logsumexp", |x| x[0].logsumexp_axes(&[0], false)),
    ("logsumexp_axes", |x| x[0].logsumexp_axes(&[0, 2], true)),
    ("masked", |x| x[0].masked(&attention_mask()).softmax(-1)),
    ("masked_fill", |x| x[0].masked_fill(&mask(), 7.0)),
    ("matmul", |x| x[0].matmul(&x[1])),
    ("maximum", |x| x[0].maximum(&x[1])),
    ("maximum_ties", |x| x[0].maximum(&x[1])),
    ("minimum", |x| x[0].minimum(&x[1])),
    ("minimum_ties", |x| x[0].minimum(&x[1])),
    ("mse", |x| mse(&x[0], &x[1])),
    ("mse_broadcast", |x| mse(&x[0], &x[1])),
    ("mul", |x| &x[0] * &x[1]),
    ("narrow", |x| x[0].narrow(1, 1, 3)),
    ("neg", |x| -&x[0]),
    ("pad", |x| x[0].pad(&[(0, 1), (1, 2)], 4.0)),
    ("permute", |x| x[0].permute(&[2, 0, 1])),
    ("pow", |x| x[0].pow(&x[1])),
    ("powf", |x| x[0].powf(1.7)),
    ("recip", |x| x[0].recip()),
    ("relu", |x| x[0].relu()),
    ("reshape", |x| x[0].reshape(&[3, 4])),
    ("rms_norm", |x| x[0].rms_norm(&x[1], 1e-6)),
    ("roll", |x| x[0].roll(1, 2)),
    ("rotary", rotary),
    ("scale", |x| &x[0] * 3.0 - 1.0),
    ("scale_before", |x| 2.0 / (3.0 - 4.0 * (1.0 + &x[0]))),
    ("scatter_add", |x| x[0].scatter_add(1, &indices(), &x[1])),
    ("sigmoid", |x| x[0].sigmoid()),
    ("silu", |x| x[0].silu()),
    ("sin", |x| x[0].sin()),
    ("slice", |x| x[0].slice(1, 1..6, 2)),
    ("softmax", |x| x[0].softmax(0)),
    ("sort", |x| x[0].sort(1, true).0),
    ("sort_top_k", |x| x[0].top_k(2, 1).0),
    ("sqrt", |x| x[0].sqrt()),
    ("square", |x| x[0].square()),
    ("sub", |x| &x[0] - &x[1]),
    ("sum", |x| x[0].sum_axes(&[0, 2], false)),
    ("sum_mean", |x| x[0].mean_axes(&[1], true)),
    ("swiglu", |x| x[0].swiglu(&x[1])),
    ("swiglu_broadcast", |x| x[0].swiglu(&x[1])),
    ("tanh", |x| x[0].tanh()),
    ("tril", |x| x[0].tril(-1) + x[0].triu(1) * 2.0),
    ("variance", |x| x[0].var_axes(&[1], 1, false)),
    ("variance_whole", |x| x[0].var(0)),
    ("where_cond", |x| Var::where_cond(&mask(), &x[0], &x[1])),
];

fn indices() -> Indices {
    Indices::new([2, 0, 1, 1, 0, 2], &[3, 2])
}

fn picked() -> Indices {
    Indices::new([3, 0, 3], &[3])
}

fn mask() -> Tensor {
    Tensor::new([1.0, 0.0, 1.0, 0.0], &[1, 4])
}

fn attention_mask() -> Mask {
    Mask::causal().with_padding([true, true, true, true, false, true])
}

fn labels() -> Targets {
    Targets::new([3, Targets::IGNORED, 0, 4], 5).unwrap()
}

fn rotary(x: &[Var]) -> Var {
    let (cos, sin) = tables(&Tensor::arange(0.0, 3.0, 1.0), &frequencies(4, 100.0));
    x[0].rotary(&cos, &sin)
}

#[track_caller]
fn assert_close(name: &str, ours: &Tensor, golden: &Tensor) {
    assert_eq!(ours.shape(), golden.shape(), "{name}");
    let error = largest_error(&ours.to_vec(), &golden.to_vec());
    assert!(error <= TOLERANCE, "{name}: {error:e}: {ours} {golden}");
}

#[test]
fn outputs_and_gradients_equal_pytorchs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ops.safetensors");
    let golden = tensor::file::read(&path).unwrap().tensors;
    let in_fixture = golden.keys().filter(|name| name.ends_with(".out")).count();
    assert_eq!(in_fixture, CASES.len(), "cases of the fixture");
    for (name, operation) in CASES {
        let of = |part: &str, index: usize| golden.get(&format!("{name}.{part}.{index}"));
        let inputs = (0..).map_while(|index| of("in", index));
        let leaves: Vec<Var> = inputs.cloned().map(Var::leaf).collect();
        assert!(!leaves.is_empty(), "{name}: no input in the fixture");
        let output = operation(&leaves);
        assert_close(name, output.value(), &golden[&format!("{name}.out")]);
        let weights = Var::constant(golden[&format!("{name}.w")].clone());
        let gradients = (&output * &weights).sum().backward().unwrap();
        for (index, leaf) in leaves.iter().enumerate() {
            let golden = of("grad", index).expect(name);
            assert_close(
                &format!("{name}, gradient {index}"),
                gradients.get(leaf).unwrap(),
                golden,
            );
        }
    }
}

#[test]
fn every_operation_of_the_list_is_compared() {
    let list = include_str!("../src/ops/mod.rs");
    let names = list.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut count = 0;
    for name in names {
        let is_case = CASES.iter().any(|(case, _)| *case == name);
        let is_excused = NOT_COMPARED.iter().any(|(excused, _)| *excused == name);
        assert!(is_case != is_excused, "{name}: compared, or excused with a reason");
        count += 1;
    }
    assert!(count > 60, "the list of operations was not found");
}

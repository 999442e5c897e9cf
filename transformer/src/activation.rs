//! The nonlinearity inside a feed-forward network, by name.

use autograd::Var;
use serde::{Deserialize, Serialize};

/// A nonlinearity applied to each number, under Hugging Face's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, x): Vaswani et al. 2017, eq. 2.
    Relu,
    /// x Φ(x): Hendrycks & Gimpel 2016, section 2; BERT's.
    Gelu,
    /// The same through tanh; GPT-2's.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluTanh,
    /// x σ(x): Elfwing, Uchibe & Doya 2018, eq. 1; Llama's.
    #[serde(alias = "swish")]
    Silu,
    /// tanh x.
    Tanh,
}

impl Activation {
    /// Of each number.
    pub fn apply(self, x: &Var) -> Var {
        match self {
            Activation::Relu => x.relu(),
            Activation::Gelu => x.gelu(),
            Activation::GeluTanh => x.gelu_tanh(),
            Activation::Silu => x.silu(),
            Activation::Tanh => x.tanh(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Tensor;

    #[test]
    fn each_by_hand_at_one() {
        let one = Var::constant(Tensor::scalar(1.0));
        for (activation, expected) in [
            (Activation::Relu, 1.0),
            (Activation::Gelu, 0.841_345),
            (Activation::GeluTanh, 0.841_192),
            (Activation::Silu, 0.731_059),
            (Activation::Tanh, 0.761_594),
        ] {
            assert!((activation.apply(&one).item() - expected).abs() < 1e-5, "{activation:?}");
        }
    }

    #[test]
    fn names_are_hugging_faces() {
        let name = |text: &str| serde_json::from_str::<Activation>(text).unwrap();
        assert_eq!(name("\"gelu_new\""), Activation::GeluTanh);
        assert_eq!(name("\"gelu\""), Activation::Gelu);
        assert_eq!(serde_json::to_string(&Activation::Silu).unwrap(), "\"silu\"");
    }
}

//! (P5) How a Llama turns positions into angles, and how later ones stretch them over longer contexts.

use crate::Error;
use crate::pretrained::Config;
use autograd::ops::rotary::frequencies;
use serde_json::{Map, Value, json};
use std::f64::consts::TAU;
use tensor::{Float, Tensor};

/// The base of the angles and how they are scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// b of (P2): `rope_theta`.
    pub base: f64,
    /// How the angles are scaled.
    pub scaling: Scaling,
}

/// How angles are scaled for contexts longer than those of training.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All divided by a factor: Chen et al. 2023, eq. 4 (position interpolation).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Slow ones divided by a factor, fast ones left, those between blended.
    Llama3 {
        /// s of (P5).
        factor: f64,
        /// α: waves fewer than this in the old context are slow.
        low: f64,
        /// β: waves more than this in the old context are fast.
        high: f64,
        /// L: the old context, in tokens.
        context: f64,
    },
}

impl Scaling {
    /// The angle θ of a position, scaled.
    ///
    /// Llama 3 scales each by how many of its waves the old context of L tokens held:
    /// ```math
    /// \theta'_i = (1 - \gamma)\, \frac{\theta_i}{s} + \gamma\, \theta_i, \quad
    /// \gamma = \mathrm{clamp}\!\left(\frac{L \theta_i / 2\pi - \alpha}{\beta - \alpha}, 0, 1\right)
    /// \qquad (P5)
    /// ```
    /// Source: Grattafiori et al. 2024, section 3.4.2, and the code that was published with it.
    pub fn scaled(&self, theta: f64) -> f64 {
        match *self {
            Scaling::None => theta,
            Scaling::Linear { factor } => theta / factor,
            Scaling::Llama3 { factor, low, high, context } => {
                let waves = context * theta / TAU;
                let gamma = ((waves - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - gamma) * theta / factor + gamma * theta
            }
        }
    }
}

impl Default for Rope {
    fn default() -> Rope {
        Rope { base: 10_000.0, scaling: Scaling::None }
    }
}

impl Rope {
    /// θ of each pair of the `d_k` numbers of a head: `[d_k / 2]`.
    pub fn frequencies(&self, d_k: usize) -> Tensor {
        let plain = frequencies(d_k, self.base);
        match &self.scaling {
            Scaling::None => plain,
            scaling => plain.map(|theta| scaling.scaled(f64::from(theta)) as Float),
        }
    }

    /// Reads the keys of Transformers 5, `rope_parameters`, or of 4, `rope_theta` and `rope_scaling`.
    ///
    /// # Errors
    /// If the kind is not supported, or a number is missing or not what it should be.
    pub fn of(config: &Config) -> Result<Rope, Error> {
        let keys = match (config.get("rope_parameters"), config.get("rope_scaling")) {
            (Some(keys), _) | (None, Some(keys)) => keys,
            (None, None) => &Value::Null,
        };
        let by_kind = |keys: &Map<String, Value>| keys.values().any(Value::is_object);
        if !(keys.is_null() || keys.as_object().is_some_and(|keys| !by_kind(keys))) {
            let text = "rope_parameters or rope_scaling is not an object of numbers for all layers";
            return Err(config.wrong(text));
        }
        let number = |name: &str| positive(config, name, keys.get(name));
        let base = match (keys.get("rope_theta"), config.get("rope_theta")) {
            (None | Some(Value::Null), None) => 10_000.0,
            (None | Some(Value::Null), outer) => positive(config, "rope_theta", outer)?,
            (inner, _) => positive(config, "rope_theta", inner)?,
        };
        let partial = keys.get("partial_rotary_factor").or(config.get("partial_rotary_factor"));
        if let Some(partial) = partial.filter(|factor| factor.as_f64() != Some(1.0)) {
            return Err(
                config.wrong(format!("partial_rotary_factor is {partial}; only 1 is supported"))
            );
        }
        let kind = match keys.get("rope_type").or(keys.get("type")) {
            None | Some(Value::Null) => "default",
            Some(kind) => kind.as_str().ok_or_else(|| config.wrong("rope_type is not a text"))?,
        };
        let scaling = match kind {
            "default" => Scaling::None,
            "linear" => Scaling::Linear { factor: number("factor")? },
            "llama3" => Scaling::Llama3 {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                context: number("original_max_position_embeddings")?,
            },
            other => {
                return Err(config.wrong(format!(
                    "rope_type is \"{other}\"; \"default\", \"linear\" and \"llama3\" are supported"
                )));
            }
        };
        match scaling {
            Scaling::Llama3 { low, high, .. } if low >= high => {
                Err(config.wrong("low_freq_factor must be below high_freq_factor"))
            }
            scaling => Ok(Rope { base, scaling }),
        }
    }

    /// The keys of Transformers 4, which 5 reads too.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        keys.insert("rope_theta".into(), json!(self.base));
        let scaling = match &self.scaling {
            Scaling::None => return keys,
            Scaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Scaling::Llama3 { factor, low, high, context } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": *context as u64,
            }),
        };
        keys.insert("rope_scaling".into(), scaling);
        keys
    }
}

fn positive(config: &Config, name: &str, value: Option<&Value>) -> Result<f64, Error> {
    let number = value.and_then(Value::as_f64).filter(|x| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| match value {
        None => config.wrong(format!("{name} is missing")),
        Some(value) => config.wrong(format!("{name} is {value}; it must be a positive number")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: Value) -> Result<Rope, String> {
        let values = values.as_object().unwrap().clone();
        let config = Config { path: "c".into(), values };
        Rope::of(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn slow_angles_are_stretched_and_fast_ones_stay_p5() {
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, context: TAU * 100.0 };
        let scaled = Rope { base: 1e4, scaling }.frequencies(6).to_vec();
        // θ = 1, 0.0464, 0.00215: 100, 4.64 and 0.215 waves in the old context.
        let plain = Rope { base: 1e4, scaling: Scaling::None }.frequencies(6).to_vec();
        assert_eq!(scaled[..2], plain[..2]);
        assert!((scaled[2] - plain[2] / 8.0).abs() < 1e-9);
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, context: TAU * 2.5 };
        let first = Rope { base: 1e4, scaling }.frequencies(6).to_vec()[0];
        assert!((first - (0.5 / 8.0 + 0.5)).abs() < 1e-6);
    }

    #[test]
    fn keys_of_both_versions_are_read() {
        let five =
            json!({ "rope_parameters": { "rope_theta": 5.0, "rope_type": "linear", "factor": 2 } });
        let four =
            json!({ "rope_theta": 5.0, "rope_scaling": { "type": "linear", "factor": 2.0 } });
        let linear = Rope { base: 5.0, scaling: Scaling::Linear { factor: 2.0 } };
        assert_eq!(of(five).unwrap(), linear);
        assert_eq!(of(four).unwrap(), linear);
        assert_eq!(of(linear.to_json().into()).unwrap(), linear);
        assert_eq!(of(json!({ "rope_scaling": null })).unwrap(), Rope::default());
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let wrong = |values| of(values).unwrap_err();
        assert_eq!(
            wrong(json!({ "rope_scaling": { "rope_type": "yarn", "factor": 2 } })),
            "c: rope_type is \"yarn\"; \"default\", \"linear\" and \"llama3\" are supported"
        );
        assert!(wrong(json!({ "rope_scaling": "yarn" })).contains("not an object of numbers"));
        let by_kind = json!({ "rope_parameters": { "full_attention": { "rope_theta": 5.0 } } });
        assert!(wrong(by_kind).contains("not an object of numbers for all layers"));
        assert_eq!(
            wrong(json!({ "rope_scaling": { "rope_type": 3 } })),
            "c: rope_type is not a text"
        );
        assert_eq!(
            wrong(json!({ "rope_scaling": { "rope_type": "linear" } })),
            "c: factor is missing"
        );
        assert_eq!(
            wrong(json!({ "rope_theta": -1 })),
            "c: rope_theta is -1; it must be a positive number"
        );
    }
}

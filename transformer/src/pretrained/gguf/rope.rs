//! Llama 3's stretched angles, which a GGUF file holds as a factor for each pair: `rope_freqs`.

use crate::models::llama::rope::Scaling;
use serde_json::{Map, Value, json};
use std::f64::consts::TAU;

/// What Llama 3's factors are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Llama3 {
    pub factor: f64,
    pub low: f64,
    pub high: f64,
    pub context: f64,
}

impl Llama3 {
    /// What `rope_scaling` of a configuration says, if it says this.
    pub fn of_config(scaling: &Value) -> Option<Llama3> {
        let number = |key: &str| scaling.get(key).and_then(Value::as_f64);
        (scaling.get("rope_type")? == "llama3").then_some(())?;
        Some(Llama3 {
            factor: number("factor")?,
            low: number("low_freq_factor")?,
            high: number("high_freq_factor")?,
            context: number("original_max_position_embeddings")?,
        })
    }

    /// The factor that each of the `d_k / 2` angles is divided by, by equation (P5).
    pub fn factors(&self, d_k: usize, base: f64) -> Vec<f64> {
        let Llama3 { factor, low, high, context } = *self;
        let scaling = Scaling::Llama3 { factor, low, high, context };
        let thetas = (0..d_k / 2).map(|pair| base.powf(-2.0 * pair as f64 / d_k as f64));
        thetas.map(|theta| theta / scaling.scaled(theta)).collect()
    }

    /// The numbers of which `found` was made, with the bounds that all published models have, 1 and
    /// 4 waves. `None` where no such numbers give these factors.
    pub fn of_factors(found: &[f64], base: f64) -> Option<Llama3> {
        let factor = found.last().copied().filter(|&factor| factor > 1.0)?;
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-4 * b;
        let fits = |context| {
            let guess = Llama3 { factor, low: 1.0, high: 4.0, context };
            let expected = guess.factors(2 * found.len(), base);
            found.iter().zip(&expected).all(near).then_some(guess)
        };
        // A factor between the bounds tells the context; where there is none, many contexts fit.
        let between = found.iter().position(|&x| x > 1.0001 && x < 0.9999 * factor);
        let told = between.map(|pair| {
            let gamma = (1.0 / found[pair] - 1.0 / factor) / (1.0 - 1.0 / factor);
            let theta = base.powf(-(pair as f64) / found.len() as f64);
            ((1.0 + 3.0 * gamma) * TAU / theta).round()
        });
        let powers = (0..24).map(|power| f64::from(1 << power));
        told.into_iter().chain([8192.0]).chain(powers).find_map(fits)
    }

    pub fn to_config(self) -> Map<String, Value> {
        let keys = json!({
            "rope_type": "llama3",
            "factor": self.factor,
            "low_freq_factor": self.low,
            "high_freq_factor": self.high,
            "original_max_position_embeddings": self.context as u64,
        });
        keys.as_object().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_in_their_factors() {
        let published = Llama3 { factor: 32.0, low: 1.0, high: 4.0, context: 8192.0 };
        let factors = published.factors(64, 500_000.0);
        assert_eq!((factors[0], factors[31]), (1.0, 32.0));
        assert_eq!(Llama3::of_factors(&factors, 500_000.0), Some(published));
        assert_eq!(Llama3::of_config(&published.to_config().into()), Some(published));
        assert_eq!(Llama3::of_factors(&factors, 10_000.0), None);
        let small = Llama3 { factor: 4.0, context: 16.0, ..published };
        let found = Llama3::of_factors(&small.factors(4, 10_000.0), 10_000.0).unwrap();
        assert_eq!(found.factors(4, 10_000.0), small.factors(4, 10_000.0));
        let told = Llama3 { context: 1000.0, ..published };
        assert_eq!(Llama3::of_factors(&told.factors(64, 5e5), 5e5), Some(told));
        assert_eq!(Llama3::of_factors(&[1.0, 1.0], 10_000.0), None);
    }
}

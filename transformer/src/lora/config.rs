//! What the command line says of adapters.

use crate::Error;
use std::str::FromStr;
use tensor::Float;

/// Which affine maps get adapters, and of what kind.
///
/// ```
/// use transformer::lora::LoraConfig;
/// let config: LoraConfig = "r=4,alpha=8,targets=q_proj+v_proj".parse().unwrap();
/// assert_eq!((config.r, config.alpha()), (4, 8.0));
/// assert_eq!(config.to_string(), "r=4,alpha=8,targets=q_proj+v_proj");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// The rank of the change.
    pub r: usize,
    /// α of equation (R1); r where it is not given, so that the scale is 1.
    pub alpha: Option<Float>,
    /// The probability that a number of an adapter's input is dropped in training.
    pub dropout: Float,
    /// Whether the scale is α/√r in place of α/r.
    pub rank_stabilized: bool,
    /// Which affine maps.
    pub targets: Targets,
}

/// Which affine maps get adapters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// All but those of the head.
    #[default]
    AllLinear,
    /// Those whose name is one of these, or ends in one behind a dot: Hugging Face's names (`q_proj`,
    /// `SelfAttention.q`) or ours (`w_q`).
    Named(Vec<String>),
}

impl Default for LoraConfig {
    fn default() -> LoraConfig {
        LoraConfig {
            r: 8,
            alpha: None,
            dropout: 0.0,
            rank_stabilized: false,
            targets: Targets::AllLinear,
        }
    }
}

impl LoraConfig {
    /// α.
    pub fn alpha(&self) -> Float {
        self.alpha.unwrap_or(self.r as Float)
    }

    /// # Errors
    /// If a number can't be used; names it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Request(format!("lora: {text}")));
        match (self.r, self.alpha(), self.dropout, &self.targets) {
            (0, ..) => wrong("r is 0; the rank is at least 1".into()),
            (_, alpha, ..) if !alpha.is_finite() || alpha <= 0.0 => {
                wrong(format!("alpha is {alpha}; it is more than 0"))
            }
            (_, _, dropout, _) if !(0.0..1.0).contains(&dropout) => {
                wrong(format!("dropout is {dropout}; it is at least 0 and less than 1"))
            }
            (.., Targets::Named(names)) if names.is_empty() || names.contains(&String::new()) => {
                wrong("targets: a name is empty; write all-linear or names joined by +".into())
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for LoraConfig {
    type Err = Error;

    /// Reads `r=8,alpha=16,dropout=0.05,rslora=true,targets=q_proj+v_proj`, each part of which may be
    /// left out; `targets=all-linear` is the default.
    fn from_str(text: &str) -> Result<LoraConfig, Error> {
        let mut config = LoraConfig::default();
        let mut seen = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                Error::Request(format!("lora: {part:?} is no KEY=VALUE; write r=8,alpha=16"))
            })?;
            if seen.contains(&key) {
                return Err(Error::Request(format!("lora: {key} is given twice")));
            }
            seen.push(key);
            match key {
                "r" => config.r = number(key, value)?,
                "alpha" => config.alpha = Some(number(key, value)?),
                "dropout" => config.dropout = number(key, value)?,
                "rslora" => config.rank_stabilized = number(key, value)?,
                "targets" => config.targets = Targets::of(value),
                _ => {
                    return Err(Error::Request(format!(
                        "lora: there is no {key}; write r, alpha, dropout, rslora or targets"
                    )));
                }
            }
        }
        config.check()?;
        Ok(config)
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Request(format!("lora: {key}={value} can't be read")))
}

impl Targets {
    fn of(text: &str) -> Targets {
        match text {
            "all-linear" => Targets::AllLinear,
            names => Targets::Named(names.split('+').map(str::to_string).collect()),
        }
    }
}

/// As it is read.
impl std::fmt::Display for LoraConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r={},alpha={}", self.r, self.alpha())?;
        if self.dropout > 0.0 {
            write!(f, ",dropout={}", self.dropout)?;
        }
        if self.rank_stabilized {
            write!(f, ",rslora=true")?;
        }
        match &self.targets {
            Targets::AllLinear => write!(f, ",targets=all-linear"),
            Targets::Named(names) => write!(f, ",targets={}", names.join("+")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_read_and_written() {
        let text = "r=4,alpha=6,dropout=0.05,rslora=true,targets=c_attn+mlp.c_proj";
        let config: LoraConfig = text.parse().unwrap();
        let named = Targets::Named(vec!["c_attn".into(), "mlp.c_proj".into()]);
        let expected = LoraConfig {
            r: 4,
            alpha: Some(6.0),
            dropout: 0.05,
            rank_stabilized: true,
            targets: named,
        };
        assert_eq!(config, expected);
        assert_eq!(config.to_string(), text);
        assert_eq!("".parse::<LoraConfig>().unwrap(), LoraConfig::default());
        assert_eq!("r=3".parse::<LoraConfig>().unwrap().alpha(), 3.0);
        assert_eq!("targets=all-linear".parse::<LoraConfig>().unwrap(), LoraConfig::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, reason) in [
            ("rank=8", "lora: there is no rank; write r, alpha, dropout, rslora or targets"),
            ("r", "lora: \"r\" is no KEY=VALUE; write r=8,alpha=16"),
            ("r=many", "lora: r=many can't be read"),
            ("r=-1", "lora: r=-1 can't be read"),
            ("r=0", "lora: r is 0; the rank is at least 1"),
            ("r=2,r=3", "lora: r is given twice"),
            ("alpha=0", "lora: alpha is 0; it is more than 0"),
            ("alpha=NaN", "lora: alpha is NaN; it is more than 0"),
            ("dropout=1", "lora: dropout is 1; it is at least 0 and less than 1"),
            (
                "targets=a++b",
                "lora: targets: a name is empty; write all-linear or names joined by +",
            ),
        ] {
            assert_eq!(text.parse::<LoraConfig>().unwrap_err().to_string(), reason);
        }
    }
}

//! The optimizers by their names, as settings and the command line give them.

use super::{Adam, AdamW, Group, Lion, Muon, Optimizer, Sgd};
use crate::Error;
use serde::{Deserialize, Serialize};

/// Which rule turns gradients into new weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Kind {
    /// Stochastic gradient descent, with momentum if asked for
    Sgd,
    /// Adam, with weight decay as an L2 penalty
    Adam,
    /// Adam, with weight decay apart from the gradient
    #[default]
    AdamW,
    /// The sign of the momentum
    Lion,
    /// Momentum made orthogonal for hidden matrices, AdamW for the rest
    Muon,
}

/// The numbers of an optimizer's equation; where absent, the optimizer's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// μ of SGD and Muon.
    pub momentum: Option<f64>,
    /// Whether SGD looks ahead along its momentum.
    pub nesterov: bool,
    /// β₁ of Adam, AdamW, Lion, and of the AdamW in Muon.
    pub beta1: Option<f64>,
    /// β₂ of the same.
    pub beta2: Option<f64>,
    /// ε of Adam, AdamW, and of the AdamW in Muon.
    pub eps: Option<f64>,
}

impl Kind {
    /// The optimizer with these numbers, `weight_decay` on matrices and this bound of the norm; its
    /// groups of parameters as `arrange` makes them of its own.
    ///
    /// # Errors
    /// If a number is out of range, or the optimizer does not have it; says what to write instead.
    pub fn build(
        self,
        numbers: &Numbers,
        weight_decay: f64,
        clip: Option<f64>,
        arrange: impl Fn(Vec<Group>) -> Vec<Group>,
    ) -> Result<Box<dyn Optimizer>, Error> {
        numbers.check_for(self)?;
        let Numbers { momentum, nesterov, beta1, beta2, eps } = *numbers;
        macro_rules! with {
            ($type:ident { $($given:ident),* } $(, $field:ident)?) => {{
                let default = $type::new(weight_decay);
                let groups = arrange(default.groups.clone());
                $(let $given = $given.unwrap_or(default.$given);)*
                Box::new($type { $($given,)* $($field,)? clip, groups, ..default })
            }};
        }
        Ok(match self {
            Kind::Sgd => with!(Sgd { momentum }, nesterov),
            Kind::Adam => with!(Adam { beta1, beta2, eps }),
            Kind::AdamW => with!(AdamW { beta1, beta2, eps }),
            Kind::Lion => with!(Lion { beta1, beta2 }),
            Kind::Muon => with!(Muon { momentum, beta1, beta2, eps }),
        })
    }
}

impl Numbers {
    fn check_for(&self, kind: Kind) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Usage(text));
        let (sgd, lion) = (kind == Kind::Sgd, kind == Kind::Lion);
        let rolls = sgd || kind == Kind::Muon;
        for (option, given, has, whose) in [
            ("momentum", self.momentum.is_some(), rolls, "sgd and muon"),
            ("nesterov", self.nesterov, sgd, "sgd"),
            ("beta1", self.beta1.is_some(), !sgd, "adam, adamw, lion and muon"),
            ("beta2", self.beta2.is_some(), !sgd, "adam, adamw, lion and muon"),
            ("eps", self.eps.is_some(), !sgd && !lion, "adam, adamw and muon"),
        ] {
            if given && !has {
                return wrong(format!(
                    "--{option} is for --optimizer {whose}; leave it out, or choose another \
                     optimizer"
                ));
            }
        }
        let shares = [("momentum", self.momentum), ("beta1", self.beta1), ("beta2", self.beta2)];
        for (name, share) in shares {
            if let Some(share) = share.filter(|share| !(0.0..1.0).contains(share)) {
                return wrong(format!("--{name} is {share}; it must be in [0, 1)"));
            }
        }
        if self.eps.is_some_and(|eps| eps <= 0.0 || eps.is_nan()) {
            return wrong("--eps must be above 0".into());
        }
        if self.nesterov && self.momentum.is_none_or(|momentum| momentum == 0.0) {
            return wrong("--nesterov needs momentum; add --momentum 0.9".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::run;

    #[test]
    fn numbers_reach_the_optimizer_they_are_for() {
        let first_steps = |kind: Kind, numbers: Numbers| {
            let mut optimizer = kind.build(&numbers, 0.0, None, |groups| groups).unwrap();
            run(&mut *optimizer, &[1], 0.0, &[1.0, -3.0], 0.1)
        };
        let none = Numbers::default();
        assert!((first_steps(Kind::Sgd, none) - 0.2).abs() < 1e-6);
        let momentum = Numbers { momentum: Some(0.5), ..none };
        assert!((first_steps(Kind::Sgd, momentum) - 0.15).abs() < 1e-6);
        let nesterov = Numbers { nesterov: true, ..momentum };
        assert!((first_steps(Kind::Sgd, nesterov) - 0.275).abs() < 1e-6);
        for kind in [Kind::Adam, Kind::AdamW, Kind::Lion, Kind::Muon] {
            let numbers = Numbers { beta1: Some(0.1), beta2: Some(0.2), ..none };
            if kind == Kind::Lion {
                assert_eq!(first_steps(kind, numbers), first_steps(kind, none));
            } else {
                assert_ne!(first_steps(kind, numbers), first_steps(kind, none));
            }
        }
    }

    #[test]
    fn numbers_that_do_not_belong_are_errors() {
        let error = |kind: Kind, numbers: Numbers| {
            kind.build(&numbers, 0.0, None, |groups| groups).err().unwrap().to_string()
        };
        let none = Numbers::default();
        assert_eq!(
            error(Kind::AdamW, Numbers { momentum: Some(0.9), ..none }),
            "--momentum is for --optimizer sgd and muon; leave it out, or choose another optimizer"
        );
        assert_eq!(
            error(Kind::Lion, Numbers { eps: Some(1e-8), ..none }),
            "--eps is for --optimizer adam, adamw and muon; leave it out, or choose another \
             optimizer"
        );
        assert_eq!(
            error(Kind::Sgd, Numbers { nesterov: true, ..none }),
            "--nesterov needs momentum; add --momentum 0.9"
        );
        assert_eq!(
            error(Kind::Sgd, Numbers { momentum: Some(1.0), ..none }),
            "--momentum is 1; it must be in [0, 1)"
        );
        assert_eq!(
            error(Kind::Adam, Numbers { beta1: Some(f64::NAN), ..none }),
            "--beta1 is NaN; it must be in [0, 1)"
        );
        assert_eq!(error(Kind::Adam, Numbers { eps: Some(0.0), ..none }), "--eps must be above 0");
    }
}

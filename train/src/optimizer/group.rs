//! Groups of parameters that are changed alike.

use std::fmt;
use std::sync::Arc;
use tensor::Tensor;

/// Whether a parameter, by its name and value, is meant.
pub type Holds = Arc<dyn Fn(&str, &Tensor) -> bool + Send + Sync>;

/// Parameters that share a weight decay and a factor on the learning rate.
#[derive(Clone)]
pub struct Group {
    /// Whether a parameter, by its name and value, belongs to the group.
    pub holds: Holds,
    /// Multiplies the learning rate.
    pub lr_factor: f64,
    /// λ.
    pub weight_decay: f64,
}

impl Group {
    /// All parameters.
    pub fn all(weight_decay: f64) -> Group {
        Group { holds: Arc::new(|_, _| true), lr_factor: 1.0, weight_decay }
    }

    /// Weight decay for parameters of two or more dimensions, none for biases and normalizations.
    pub fn decay_matrices(weight_decay: f64) -> Vec<Group> {
        let is_matrix = Arc::new(|_: &str, value: &Tensor| value.rank() >= 2);
        let matrices = Group { holds: is_matrix, ..Group::all(weight_decay) };
        vec![matrices, Group::all(0.0)]
    }

    /// The learning rate and weight decay of a parameter: those of the first group that holds it,
    /// or `lr` and no decay where none does.
    pub fn of(groups: &[Group], name: &str, value: &Tensor, lr: f64) -> (f64, f64) {
        let group = groups.iter().find(|group| (group.holds)(name, value));
        group.map_or((lr, 0.0), |group| (lr * group.lr_factor, group.weight_decay))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Group { lr_factor, weight_decay, .. } = self;
        write!(f, "Group {{ lr_factor: {lr_factor}, weight_decay: {weight_decay} }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_that_holds_a_parameter_decides() {
        let slow =
            Group { holds: Arc::new(|name, _| name == "slow"), lr_factor: 0.1, weight_decay: 0.5 };
        let groups = [vec![slow], Group::decay_matrices(0.2)].concat();
        let of = |groups: &[Group], name: &str, shape: &[usize]| {
            Group::of(groups, name, &Tensor::zeros(shape), 2.0)
        };
        assert_eq!(of(&groups, "slow", &[3, 3]), (0.2, 0.5));
        assert_eq!(of(&groups, "w", &[3, 3]), (2.0, 0.2));
        assert_eq!(of(&groups, "b", &[3]), (2.0, 0.0));
        assert_eq!(of(&groups[..1], "b", &[3]), (2.0, 0.0));
    }
}

//! (X1) What of a text told its class: gradient × input. Shrikumar et al. 2016, "Not Just a Black Box";
//! held against other ways for texts by Atanasova et al. 2020.

use super::{Input, Model};
use crate::models::head::Problem;
use crate::{Error, HeadKind, Module};
use autograd::{Var, scope};
use tensor::{Float, Tensor};

/// The parameter whose rows a text enters by, in every model.
const TABLE: &str = "token_embedding.weight";

/// What each token of some texts has to do with their classes.
#[derive(Clone, Debug)]
pub struct Saliency {
    /// The class of each text that was looked at.
    pub classes: Vec<usize>,
    /// The scores of the classes, `[batch_size, n_labels]`.
    pub scores: Tensor,
    /// What of the score is each token's, in the score's unit: `[batch_size, seq_len]`.
    pub tokens: Tensor,
}

impl Model {
    /// What each token has to do with the class of its text, one of `classes` for each; where they are
    /// absent, the one with the highest score.
    ///
    /// ```math
    /// s_i = \sum_d e_{id} \frac{\partial z}{\partial e_{id}}, \qquad
    /// z = \ell_c - \frac{1}{k - 1} \sum_{j \ne c} \ell_j \qquad (X1)
    /// ```
    /// $`e_i`$ is what token i enters the blocks by: the embedding's row, of BERT once it is normalized,
    /// for a normalization hides how long the row is, and with it most of what the row does.
    /// $`\ell`$ are the scores of k classes of which one is right; softmax does not tell scores from
    /// those that are all higher, and neither does z. Where each class is right or not, or numbers are told, $`z = \ell_c`$. A token
    /// with $`s_i > 0`$ speaks for the class, with $`s_i < 0`$ against it; one that nothing depends on,
    /// as padding, has 0. Where z is a linear function of the $`e_i`$, the $`s_i`$ add up to it; elsewhere
    /// they are its first derivative as the $`e_i`$ are stretched, and no more. Simonyan, Vedaldi &
    /// Zisserman 2013 took the gradient alone, which has no sign that means for or against.
    ///
    /// The attention weights of the whole batch are kept meanwhile: give a few texts at a time.
    ///
    /// # Errors
    /// As [`Model::outputs`], if the model is no classifier, a text has no token, the classes are not
    /// one for each text, scores are not numbers, or the caller is inside [`autograd::no_grad`].
    pub fn saliency(&self, input: &Input, classes: Option<&[usize]>) -> Result<Saliency, Error> {
        self.check_has_classes(input)?;
        let mut alone = self.clone();
        alone.freeze(|name| name != TABLE);
        let outputs = alone.outputs(input)?;
        let scores = outputs.logits.expect("a classifier has scores");
        let classes = told(scores.value(), classes)?;
        let weights = contrast(self.problem(), &classes, scores.size(1));
        let rows = outputs.trace.token_embeddings.expect("a classifier notes them");
        let gradients = (&scores * &Var::constant(weights)).sum().backward_keeping(&[&rows]);
        let gradients = gradients.map_err(|error| Error::Request(error.to_string()))?;
        let tokens = match gradients.get(&rows) {
            Some(dx) => (dx * rows.value()).sum_axes(&[-1], false),
            None => Tensor::zeros(input.text.tokens.shape()),
        };
        Ok(Saliency { classes, scores: scores.value().clone(), tokens })
    }

    fn check_has_classes(&self, input: &Input) -> Result<(), Error> {
        let refused = |reason: &str| Err(Error::Request(format!("saliency: {reason}")));
        if self.head_kind() != HeadKind::Classification {
            return refused(&format!("this {} is no classifier", self.model_type()));
        }
        if !scope::is_recording() {
            return refused("nothing is recorded inside no_grad; ask for it outside");
        }
        let width = input.text.tokens.shape()[1];
        let is_empty = |row: &[bool]| !row.contains(&true);
        if width == 0 || input.text.is_token.chunks(width).any(is_empty) {
            return refused("a text has no token; leave it out");
        }
        Ok(())
    }
}

/// The class of each text: those that were asked for, else those of the highest scores.
fn told(scores: &Tensor, asked: Option<&[usize]>) -> Result<Vec<usize>, Error> {
    let refused = |reason: String| Err(Error::Request(format!("saliency: {reason}")));
    if scores.to_vec().iter().any(|score| !score.is_finite()) {
        return refused("the model's scores are not numbers; its weights are broken".into());
    }
    let (texts, n_labels) = (scores.size(0), scores.size(1));
    let Some(asked) = asked else {
        return Ok(scores.argmax(-1, false).positions().to_vec());
    };
    if asked.len() != texts {
        return refused(format!("{} classes are given for {texts} texts", asked.len()));
    }
    match asked.iter().find(|&&class| class >= n_labels) {
        Some(class) => refused(format!("class {class} is beyond the {n_labels} there are")),
        None => Ok(asked.to_vec()),
    }
}

/// What z takes each score with, `[batch_size, n_labels]`.
fn contrast(problem: Problem, classes: &[usize], n_labels: usize) -> Tensor {
    let other = match problem {
        Problem::OneClass if n_labels > 1 => -1.0 / (n_labels - 1) as Float,
        _ => 0.0,
    };
    let of_class =
        |&class: &usize| (0..n_labels).map(move |j| if j == class { 1.0 } else { other });
    let weights: Vec<Float> = classes.iter().flat_map(of_class).collect();
    Tensor::new(weights, &[classes.len(), n_labels])
}

#[cfg(test)]
mod tests;

use super::*;
use crate::models::bert::Variant;
use crate::models::head::{HeadConfig, labels_of};
use crate::{
    Bert, BertConfig, DecoderHead, Gpt2, Gpt2Config, Llama, LlamaConfig, Padded, Pass, Stack, Trace,
};
use autograd::no_grad;
use tensor::Rng;

/// How far rows are stretched to measure a derivative, and how far from it that may be.
const STEP: Float = if size_of::<Float>() == 8 { 1e-4 } else { 1e-2 };
const TOLERANCE: Float = if size_of::<Float>() == 8 { 1e-6 } else { 1e-2 };

fn head(n_labels: usize) -> HeadConfig {
    let (kind, labels) = (HeadKind::Classification, labels_of(n_labels));
    HeadConfig { kind, labels, ..HeadConfig::default() }
}

fn gpt2() -> Gpt2 {
    let config = Gpt2Config {
        vocab_size: 9,
        max_seq_len: 6,
        d_model: 8,
        n_layers: 2,
        n_heads: 2,
        initializer_range: 0.5,
        head: head(3),
        ..Gpt2Config::default()
    };
    Gpt2::new(config, &mut Rng::seeded(1)).unwrap()
}

fn bert(variant: Variant) -> Model {
    let config = BertConfig {
        vocab_size: 9,
        max_seq_len: 8,
        d_model: 8,
        n_layers: 2,
        n_heads: 2,
        d_ff: 16,
        initializer_range: 0.5,
        pad_token_id: Some(1),
        variant,
        head: head(3),
        ..BertConfig::default()
    };
    Model::Bert(Bert::new(config, &mut Rng::seeded(2)).unwrap())
}

fn llama() -> Model {
    let config = LlamaConfig {
        vocab_size: 9,
        max_seq_len: 6,
        d_model: 8,
        n_layers: 2,
        n_heads: 2,
        d_ff: 16,
        initializer_range: 0.5,
        pad_token_id: Some(8),
        head: head(2),
        ..LlamaConfig::default()
    };
    Model::Llama(Llama::new(config, &mut Rng::seeded(3)).unwrap())
}

fn input(rows: &[Vec<u32>]) -> Input {
    Input { text: Padded::right(rows, 9).unwrap(), token_types: None, target: None }
}

/// The score of a class less the mean of the others'.
fn z(model: &Model, row: &[u32], class: usize) -> Float {
    let scores = model.outputs(&input(&[row.to_vec()])).unwrap().logits.unwrap();
    contrasted(&scores.value().to_vec(), class)
}

fn contrasted(scores: &[Float], class: usize) -> Float {
    let others = scores.iter().sum::<Float>() - scores[class];
    scores[class] - others / (scores.len() - 1) as Float
}

/// How z changes as a token's row is stretched; of BERT, as what comes of it is.
fn by_stretching(model: &Model, row: &[u32], token: u32, class: usize) -> Float {
    let at = |factor: Float| {
        if let Model::Bert(bert) = model {
            return z_of_bert(bert, row, token, class, factor);
        }
        let mut model = model.clone();
        let mut parameters = model.parameters_mut();
        let (_, table) = parameters.iter_mut().find(|(name, _)| name == TABLE).unwrap();
        let place = token as usize * 8..(token as usize + 1) * 8;
        table.value_mut().data_mut()[place].iter_mut().for_each(|x| *x *= factor);
        z(&model, row, class)
    };
    (at(1.0 + STEP) - at(1.0 - STEP)) / (2.0 * STEP)
}

fn z_of_bert(model: &Bert, row: &[u32], token: u32, class: usize, factor: Float) -> Float {
    let (text, mut trace) = (input(&[row.to_vec()]).text, Trace::default());
    model.hidden(&text, None, Some(&mut trace));
    let factors = row.iter().map(|id| if *id == token { factor } else { 1.0 });
    let factors = Tensor::new(factors.collect::<Vec<_>>(), &[row.len(), 1]);
    let x = trace.token_embeddings.unwrap() * Var::constant(factors);
    let scores = model.scores(&model.stack.forward(&x, &mut Pass::default()));
    contrasted(&scores.value().to_vec(), class)
}

#[test]
fn of_a_linear_model_it_is_the_score_itself_x1() {
    // No block, normalization or position: the scores are a matrix of the last token's row.
    let mut model = gpt2();
    model.stack = Stack { blocks: Vec::new(), final_norm: None };
    *model.position_embedding.weight.value_mut() = Tensor::zeros(&[6, 8]);
    *model.token_embedding.weight.value_mut() = Tensor::arange(0.0, 72.0, 1.0).reshape(&[9, 8]);
    let DecoderHead::Classification(classes) = &mut model.head else { unreachable!() };
    let columns = [[1.0, 0.0, 2.0]; 8].concat();
    *classes.weight.value_mut() = Tensor::new(columns, &[8, 3]);
    let model = Model::Gpt2(model);
    let found = model.saliency(&input(&[vec![4, 2], vec![1]]), Some(&[2, 0])).unwrap();
    // Row 2 adds up to 156, row 1 to 92: 2 · 156 − ½ (156 + 0), and 92 − ½ (0 + 2 · 92).
    assert_eq!(found.scores.to_vec(), [156.0, 0.0, 312.0, 92.0, 0.0, 184.0]);
    assert_eq!(found.tokens.to_vec(), [0.0, 234.0, 0.0, 0.0]);
    assert_eq!(z(&model, &[4, 2], 2), 234.0);
    let told = model.saliency(&input(&[vec![4, 2]]), None).unwrap();
    assert_eq!((told.classes, told.tokens.to_vec()), (vec![2], vec![0.0, 234.0]));
}

#[test]
fn it_is_the_derivative_as_rows_are_stretched_and_padding_has_none() {
    let models = [Variant::Bert, Variant::Roberta, Variant::DistilBert].map(bert);
    for model in models.into_iter().chain([Model::Gpt2(gpt2()), llama()]) {
        let rows = [vec![2, 5, 8, 5], vec![7, 3]];
        let found = model.saliency(&input(&rows), Some(&[1, 0])).unwrap();
        assert_eq!(found.tokens.shape(), [2, 4]);
        let found = found.tokens.to_vec();
        assert_eq!(found[6..], [0.0, 0.0]);
        let tokens = [
            (found[0], 0, 2),
            (found[1] + found[3], 0, 5),
            (found[2], 0, 8),
            (found[4], 1, 7),
            (found[5], 1, 3),
        ];
        for (found, row, token) in tokens {
            let expected = by_stretching(&model, &rows[row], token, 1 - row);
            let far = (found - expected).abs() / (1.0 + expected.abs());
            assert!(
                far < TOLERANCE,
                "{}, token {token}: {found} and {expected}",
                model.model_type()
            );
            assert!(found.abs() > 1e-4, "{}, token {token}: {found}", model.model_type());
        }
    }
}

#[test]
fn what_speaks_for_one_of_two_classes_speaks_against_the_other() {
    let mut model = llama();
    let text = input(&[vec![2, 5, 8]]);
    let tokens = |model: &Model, class: usize| {
        model.saliency(&text, Some(&[class])).unwrap().tokens.to_vec()
    };
    let [first, second] = [0, 1].map(|class| tokens(&model, class));
    assert!(first.iter().zip(&second).all(|(a, b)| (a + b).abs() < 1e-5));
    // Whether its parameters are trained has nothing to do with it, and stays as it is.
    model.freeze(|_| true);
    assert_eq!(tokens(&model, 0), first);
    assert_eq!(model.trainable_count(), 0);
}

#[test]
fn what_cannot_be_told_is_an_error() {
    let error = |model: &Model, rows: &[Vec<u32>], classes: Option<&[usize]>| {
        model.saliency(&input(rows), classes).unwrap_err().to_string()
    };
    let (mut model, one) = (llama(), [vec![2]]);
    assert_eq!(
        no_grad(|| error(&model, &one, None)),
        "saliency: nothing is recorded inside no_grad; ask for it outside"
    );
    assert_eq!(
        error(&model, &[vec![2], vec![]], None),
        "saliency: a text has no token; leave it out"
    );
    assert_eq!(error(&model, &[], None), "saliency: a text has no token; leave it out");
    assert_eq!(error(&model, &one, Some(&[0, 1])), "saliency: 2 classes are given for 1 texts");
    assert_eq!(error(&model, &one, Some(&[2])), "saliency: class 2 is beyond the 2 there are");
    let mut table = model.parameters_mut();
    table[0].1.value_mut().data_mut().fill(Float::NAN);
    assert_eq!(
        error(&model, &one, None),
        "saliency: the model's scores are not numbers; its weights are broken"
    );
    let writer = Gpt2Config { head: HeadConfig::default(), ..gpt2().config };
    let writer = Model::Gpt2(Gpt2::new(writer, &mut Rng::seeded(1)).unwrap());
    assert_eq!(error(&writer, &one, None), "saliency: this gpt2 is no classifier");
}

use super::*;
use crate::testing::{assert_same, counting, number};
use crate::{Float, Rng};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The definition: a loop over every value of every letter. Each term is a list of letters.
fn naive(terms: &[&str], output: &str, operands: &[&Tensor]) -> Tensor {
    let mut sizes = BTreeMap::new();
    for (term, x) in terms.iter().zip(operands) {
        sizes.extend(term.chars().zip(x.shape().iter().copied()));
    }
    let letters: Vec<char> = sizes.keys().copied().collect();
    let sizes: Vec<usize> = sizes.values().copied().collect();
    let place = |term: &str, index: &[usize]| -> Vec<usize> {
        term.chars().map(|c| index[letters.binary_search(&c).unwrap()]).collect()
    };
    let mut sums = ndarray::ArrayD::<Float>::zeros(place(output, &sizes));
    crate::testing::naive(&sizes, |index| {
        let factors = terms.iter().zip(operands).map(|(term, x)| number(x, &place(term, index)));
        sums[&place(output, index)[..]] += factors.product::<Float>();
        0.0
    });
    Tensor::from_view(sums.view())
}

#[track_caller]
fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let close = |(a, b): (&Float, &Float)| (a - b).abs() < 1e-4 * (1.0 + b.abs());
    assert!(a.to_vec().iter().zip(&b.to_vec()).all(close), "{a} instead of {b}");
}

#[test]
fn well_known_equations() {
    let mut rng = Rng::seeded(1);
    let mut make = |shape: &[usize]| rng.normal(shape, 1.0);
    let (a, b, square, v) = (make(&[3, 4]), make(&[4, 5]), make(&[3, 3]), make(&[3]));
    let einsum = Tensor::einsum;
    assert_same(&einsum("ij,jk", &[&a, &b]), &a.matmul(&b));
    assert_same(&einsum("ij->ji", &[&a]), &a.transpose(0, 1));
    assert_same(&einsum("ba", &[&a]), &a.transpose(0, 1));
    assert_same(&einsum("ii -> i", &[&square]), &square.diagonal());
    assert_close(&einsum("ij->", &[&a]), &a.sum());
    assert_close(&einsum("i,j->ij", &[&v, &v]), &(v.unsqueeze(1) * v.unsqueeze(0)));
    assert_close(&einsum(",ij", &[&Tensor::scalar(2.0), &a]), &(&a * 2.0));
    let (q, k) = (make(&[2, 7, 3, 4]), make(&[2, 1, 5, 4]));
    assert_close(&einsum("...qd,...kd->...qk", &[&q, &k]), &q.matmul(&k.transpose(-2, -1)));
    let scale = make(&[4]);
    assert_same(&einsum("...,...", &[&q, &scale]), &(&q * &scale));
    let c = make(&[5, 2]);
    assert_close(&einsum("ij,jk,kl->il", &[&a, &b, &c]), &a.matmul(&b).matmul(&c));
}

#[test]
fn an_ellipsis_left_out_of_the_output_is_summed() {
    let (a, b) = (counting(&[2, 1, 3]), counting(&[4, 3]));
    let expected = naive(&["xyi", "zi"], "i", &[&a.reshape(&[2, 1, 3]), &b]);
    assert_close(&Tensor::einsum("...i,...i->i", &[&a, &b]), &expected);
}

/// Up to three terms of up to three letters from `a` to `d`, some of their letters as output, and
/// the sizes of the letters.
fn equations() -> impl Strategy<Value = (Vec<String>, String, [usize; 4])> {
    let term = prop::collection::vec(0u8..4, 0..4);
    let output = Just([0u8, 1, 2, 3]).prop_shuffle();
    let size = || prop_oneof![1 => Just(0usize), 2 => Just(1), 6 => 2usize..5];
    let sizes = [size(), size(), size(), size()];
    (prop::collection::vec(term, 1..4), output, 0usize..5, sizes).prop_map(
        |(terms, output, kept, sizes)| {
            let known = |letter: &&u8| terms.iter().flatten().any(|other| other == *letter);
            let text =
                |letters: &[u8]| letters.iter().map(|&i| (b'a' + i) as char).collect::<String>();
            let output: Vec<u8> = output.iter().filter(known).take(kept).copied().collect();
            (terms.iter().map(|term| text(term)).collect(), text(&output), sizes)
        },
    )
}

/// Operands of `terms`; every other one is a transposed view.
fn operands(terms: &[String], sizes: [usize; 4]) -> Vec<Tensor> {
    let mut rng = Rng::seeded(terms.len() as u64);
    let shape = |term: &String| -> Vec<usize> {
        term.bytes().map(|letter| sizes[(letter - b'a') as usize]).collect()
    };
    let mut make = |(i, term): (usize, &String)| {
        let mut shape = shape(term);
        if i % 2 == 1 || shape.len() < 2 {
            return rng.normal(&shape, 1.0);
        }
        shape.reverse();
        let order: Vec<usize> = (0..shape.len()).rev().collect();
        rng.normal(&shape, 1.0).permute(&order)
    };
    terms.iter().enumerate().map(&mut make).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn any_equation_equals_its_definition((terms, output, sizes) in equations()) {
        let operands = operands(&terms, sizes);
        let operands: Vec<&Tensor> = operands.iter().collect();
        let equation = format!("{}->{output}", terms.join(","));
        let terms: Vec<&str> = terms.iter().map(|term| &term[..]).collect();
        let result = Tensor::einsum(&equation, &operands);
        assert_close(&result, &naive(&terms, &output, &operands));
    }

    /// einsum is linear in each operand: ⟨dy, einsum(.., v, ..)⟩ = ⟨dx, v⟩ for every v, and the
    /// entries of dx are its values for unit vectors.
    #[test]
    fn gradients_are_the_transposed_map((terms, output, sizes) in equations()) {
        let owned = operands(&terms, sizes);
        let operands: Vec<&Tensor> = owned.iter().collect();
        let shapes: Vec<&[usize]> = operands.iter().map(|x| x.shape()).collect();
        let einsum = Einsum::new(&format!("{}->{output}", terms.join(",")), &shapes);
        let dy = Rng::seeded(9).normal(einsum.compute(&operands).shape(), 1.0);
        for index in 0..operands.len() {
            let mut others = operands.clone();
            others.remove(index);
            others.insert(0, &dy);
            let dx = einsum.gradient(index).compute(&others);
            let expected = Tensor::build(operands[index].shape(), |out| {
                for (i, out) in out.iter_mut().enumerate() {
                    let mut unit = Tensor::zeros(operands[index].shape());
                    unit.data_mut()[i] = 1.0;
                    let mut operands = operands.clone();
                    operands[index] = &unit;
                    *out = (einsum.compute(&operands) * &dy).sum().item();
                }
            });
            assert_close(&dx, &expected);
        }
    }
}

#[test]
fn a_stretched_axis_gets_the_summed_gradient() {
    let (a, b) = (counting(&[1, 2]), counting(&[3, 2]));
    let einsum = Einsum::new("...i,...i->...", &[a.shape(), b.shape()]);
    let dy = Tensor::new([1.0, 10.0, 100.0], &[3]);
    assert_eq!(einsum.gradient(0).compute(&[&dy, &b]).shape(), [1, 2]);
    assert_eq!(einsum.gradient(0).compute(&[&dy, &b]).to_vec(), [420.0, 531.0]);
    assert_same(&einsum.gradient(1).compute(&[&dy, &a]), &(dy.unsqueeze(1) * &a));
}

#[test]
fn threads_do_not_change_large_results() {
    let mut rng = Rng::seeded(1);
    let (a, b) = (rng.normal(&[3, 60, 4, 70], 1.0), rng.normal(&[3, 80, 4, 70], 1.0));
    let compute = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let both = [&a, &b];
        let equations = ["bqhd,bkhd->bhqk", "bqhd,bkhd->hd", "bqhd,bkhd->bh"];
        pool.install(|| equations.map(|equation| Tensor::einsum(equation, &both).to_vec()))
    };
    let one = compute(1);
    assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
}

#[test]
#[should_panic(expected = "einsum: the operands have other shapes: [2, 3]; \
                           it was made for [[3, 2]]")]
fn operands_keep_their_shapes() {
    Einsum::new("ij->i", &[&[3, 2]]).compute(&[&counting(&[2, 3])]);
}

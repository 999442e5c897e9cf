//! Walks the list of operations: each is whole, its gradient is right, and threads change nothing.

use super::ALL;
use super::cases::Case;
use crate::Var;
use crate::gradcheck::gradcheck;
use std::path::Path;
use tensor::{Float, Rng};

/// Numbers of inputs that several threads share for certain.
const SHARED: usize = 40_000;

#[test]
fn every_operation_is_in_the_list_and_has_all_its_parts() {
    let names: Vec<&str> = include_str!("mod.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(names, ALL.iter().map(|operation| operation.name).collect::<Vec<_>>());
    for operation in ALL {
        let name = operation.name;
        let (code, tests) = operation.source.split_once("#[cfg(test)]").expect(name);
        assert!(code.contains("```math"), "{name}: no equation");
        assert!(code.contains("Var::record"), "{name}: records no backward");
        assert!(code.contains("Source: "), "{name}: no source");
        let mut fences = code.lines().map(str::trim).filter(|line| line.starts_with("/// ```"));
        let mut has_doctest = false;
        while let Some(opening) = fences.next() {
            has_doctest |= opening == "/// ```";
            fences.next(); // the closing one
        }
        assert!(has_doctest, "{name}: no doctest");
        let is_doc = |line: &&str| line.trim_start().starts_with("///");
        let mut statements = code.lines().filter(|line| !is_doc(line));
        let panics = statements.any(|line| line.contains("wrong(") || line.contains("assert"));
        assert!(!panics || code.contains("# Panics"), "{name}: panics are not documented");
        assert!(tests.contains("extreme"), "{name}: no test of an extreme");
        let count = tests.matches("#[test]").count();
        assert!(count >= 2, "{name}: a value by hand or an invariant, and an extreme");
    }
}

#[test]
fn every_gradient_equals_finite_differences() {
    for operation in ALL {
        let name = operation.name;
        let cases: Vec<Case> =
            (operation.cases)().into_iter().filter(|case| !case.is_large()).collect();
        let shapes = || cases.iter().flat_map(|case| case.inputs.iter().map(|x| x.shape()));
        assert!(shapes().any(|shape| shape.contains(&1)), "{name}: no axis of size 1");
        let differs = |case: &Case| case.inputs.iter().any(|x| x.shape() != case.inputs[0].shape());
        let several = cases.iter().any(|case| case.inputs.len() > 1);
        assert!(!several || cases.iter().any(differs), "{name}: no case with unequal shapes");
        for (index, case) in cases.iter().enumerate() {
            gradcheck(|x| (case.apply)(x), &case.inputs)
                .unwrap_or_else(|error| panic!("{name}, case {index}: {error}"));
        }
    }
}

#[test]
fn every_node_knows_the_line_that_called_its_operation() {
    for operation in ALL {
        let (code, _) = operation.source.split_once("#[cfg(test)]").unwrap();
        let file = format!("ops/{}.rs", operation.name);
        let tests = code.lines().count() as u32;
        for case in (operation.cases)() {
            let leaves: Vec<Var> = case.inputs.into_iter().map(Var::leaf).collect();
            (case.apply)(&leaves).node().unwrap().for_each(|node| {
                let is_called = Path::new(node.location.file()).ends_with(&file);
                let is_called = node.is_leaf || (is_called && node.location.line() > tests);
                assert!(is_called, "{}: #[track_caller] on {}", node.location, node.operation);
                true
            });
        }
    }
}

/// The value and all gradients on `threads` threads.
fn computed_on(threads: usize, case: &Case) -> Vec<Vec<Float>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let leaves: Vec<Var> = case.inputs.iter().cloned().map(Var::leaf).collect();
        let y = (case.apply)(&leaves);
        let weights = Var::constant(Rng::seeded(1).normal(y.shape(), 1.0));
        let gradients = (&y * &weights).sum().backward().unwrap();
        let of = |leaf: &Var| gradients.get(leaf).map_or(Vec::new(), |gradient| gradient.to_vec());
        std::iter::once(y.value().to_vec()).chain(leaves.iter().map(of)).collect()
    })
}

#[test]
fn threads_change_no_bit() {
    for operation in ALL {
        let cases: Vec<Case> =
            (operation.cases)().into_iter().filter(|case| case.is_large()).collect();
        let numbers = |case: &Case| case.inputs.iter().map(|x| x.len()).sum::<usize>();
        let shared = cases.iter().any(|case| numbers(case) >= SHARED);
        assert!(shared, "{}: no case of {SHARED} numbers or more", operation.name);
        for case in &cases {
            let one = computed_on(1, case);
            for threads in [2, 3, 7] {
                assert!(computed_on(threads, case) == one, "{}: {threads}", operation.name);
            }
        }
    }
}

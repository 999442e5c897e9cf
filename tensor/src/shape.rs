//! Shapes: sizes of axes, broadcasting, and the one builder of every shape message.

use crate::OutOfMemory;

/// Panics with the message of a wrong shape: operation, rule, shapes and a hint.
///
/// ```should_panic
/// tensor::shape::wrong("matmul", "inner sizes differ", &[&[8, 64], &[32, 64]], "transpose b?");
/// ```
#[track_caller]
pub fn wrong(operation: &str, rule: &str, shapes: &[&[usize]], hint: &str) -> ! {
    let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
    let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
    panic!("{operation}: {rule}: {}{hint}", shapes.join(" and "))
}

/// The shape that two shapes broadcast to: aligned at the end, an axis of size 1 stretches.
///
/// # Panics
/// If an axis differs and neither size is 1.
#[track_caller]
pub fn broadcast(operation: &str, a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => wrong(operation, "shapes do not broadcast", &[a, b], "sizes must be equal or 1"),
        })
        .collect()
}

/// How many numbers a shape holds.
///
/// # Panics
/// With [`OutOfMemory`] if they are more than can be counted.
pub fn count(shape: &[usize]) -> usize {
    if shape.contains(&0) {
        return 0;
    }
    let product = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    product.unwrap_or_else(|| std::panic::panic_any(OutOfMemory { bytes: usize::MAX }))
}

/// The axis that `axis` names; negative counts from the end.
///
/// # Panics
/// If there is no such axis.
#[track_caller]
pub fn axis(operation: &str, shape: &[usize], axis: isize) -> usize {
    let rank = shape.len() as isize;
    let index = if axis < 0 { axis + rank } else { axis };
    if !(0..rank).contains(&index) {
        let rule = format!("axis {axis} does not exist");
        let hint = match rank {
            0 => "a tensor of rank 0 has none".to_string(),
            _ => format!("axes go from -{rank} to {}", rank - 1),
        };
        wrong(operation, &rule, &[shape], &hint);
    }
    index as usize
}

/// The sizes before, along and behind an axis: any shape is `[outer, size, inner]` around it.
pub fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The axes that `axes` name, in their order; negative ones count from the end.
///
/// # Panics
/// If one does not exist or is named twice.
#[track_caller]
pub fn axes(operation: &str, shape: &[usize], axes: &[isize]) -> Vec<usize> {
    let mut named = Vec::with_capacity(axes.len());
    for &given in axes {
        let index = axis(operation, shape, given);
        if named.contains(&index) {
            wrong(operation, &format!("axis {given} is named twice in {axes:?}"), &[shape], "");
        }
        named.push(index);
    }
    named
}

/// Strides, in numbers, of a contiguous row-major tensor.
pub fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis].max(1));
    }
    strides
}

/// Strides of `shape` seen as `target`: 0 along each axis that is stretched.
///
/// # Panics
/// If `shape` does not broadcast to `target`.
#[track_caller]
pub fn broadcast_strides(shape: &[usize], strides: &[usize], target: &[usize]) -> Vec<usize> {
    if shape.len() > target.len() || broadcast("broadcast_to", shape, target) != target {
        wrong("broadcast_to", "shape does not stretch to the target", &[shape, target], "");
    }
    let added = target.len() - shape.len();
    (0..target.len())
        .map(|axis| match axis.checked_sub(added) {
            Some(own) if shape[own] == target[axis] => strides[own],
            _ => 0,
        })
        .collect()
}

/// Strides that show the numbers of `shape` and `strides` as `target`, if there are any: each run
/// of axes that is split or joined must lie in memory without gaps between its axes.
pub fn reshaped_strides(
    shape: &[usize],
    strides: &[usize],
    target: &[usize],
) -> Option<Vec<usize>> {
    if shape.contains(&0) {
        return Some(row_major_strides(target));
    }
    let old: Vec<(usize, usize)> =
        shape.iter().copied().zip(strides.iter().copied()).filter(|&(size, _)| size > 1).collect();
    let mut result = vec![1; target.len()];
    let (mut next_old, mut next_new) = (0, 0);
    while next_old < old.len() {
        let (old_start, new_start) = (next_old, next_new);
        let (mut old_size, mut new_size) = (old[next_old].0, target[next_new]);
        (next_old, next_new) = (next_old + 1, next_new + 1);
        while old_size != new_size {
            if new_size < old_size {
                new_size *= target[next_new];
                next_new += 1;
            } else {
                old_size *= old[next_old].0;
                next_old += 1;
            }
        }
        let run = &old[old_start..next_old];
        if run.windows(2).any(|pair| pair[0].1 != pair[1].0 * pair[1].1) {
            return None;
        }
        let mut stride = run[run.len() - 1].1;
        for axis in (new_start..next_new).rev() {
            result[axis] = stride;
            stride *= target[axis];
        }
    }
    Some(result)
}

/// Calls `visit` with the offset of each element of `shape` under each list of strides, in
/// row-major order.
pub fn for_each_offset<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut visit: impl FnMut([usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    let mut offsets = [0; N];
    loop {
        visit(offsets);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset += strides[axis];
            }
            if index[axis] < shape[axis] {
                break;
            }
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset -= strides[axis] * shape[axis];
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_end() {
        assert_eq!(broadcast("add", &[4, 1, 3], &[2, 1]), [4, 2, 3]);
        assert_eq!(broadcast("add", &[], &[2, 0]), [2, 0]);
    }

    #[test]
    #[should_panic(expected = "add: shapes do not broadcast: [2, 3] and [4, 3]; \
                               sizes must be equal or 1")]
    fn unequal_axes_do_not_broadcast() {
        broadcast("add", &[2, 3], &[4, 3]);
    }

    #[test]
    #[should_panic(expected = "softmax: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn an_axis_must_exist() {
        axis("softmax", &[2, 3], 2);
    }

    #[test]
    #[should_panic(expected = "sum: axis -2 is named twice in [0, -2]: [2, 3]")]
    fn an_axis_is_named_once() {
        axes("sum", &[2, 3], &[0, -2]);
    }

    #[test]
    fn a_shape_beyond_counting_is_out_of_memory() {
        let panic = std::panic::catch_unwind(|| count(&[3, usize::MAX / 2])).unwrap_err();
        assert!(panic.is::<OutOfMemory>());
        assert_eq!(count(&[usize::MAX, usize::MAX, 0]), 0);
        assert_eq!(row_major_strides(&[0, usize::MAX, usize::MAX]).len(), 3);
    }

    #[test]
    fn offsets_come_in_row_major_order() {
        let mut seen = Vec::new();
        for_each_offset(&[2, 3], [&[1, 2]], |[offset]| seen.push(offset));
        assert_eq!(seen, [0, 2, 4, 1, 3, 5]);
        for_each_offset(&[2, 0], [&[1, 2]], |_| panic!("nothing to visit"));
    }
}

//! Operations with results worked out by hand.

use std::collections::BTreeMap;

use super::*;
use crate::graph::Argument::{Bool, Float, Int, Ints};

fn tensor(name: &str, dtype: Dtype, shape: &[usize]) -> Tensor {
    Tensor { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

/// Runs one operation on tensors, each named like its argument.
fn try_one(
    op: &str,
    given: &[(&str, &[usize], &[f64])],
    more: &[(&str, Argument)],
    declared: &[(Dtype, &[usize])],
) -> Result<Vec<Array>, Error> {
    let mut arguments: BTreeMap<String, Argument> =
        more.iter().map(|(name, argument)| ((*name).to_owned(), argument.clone())).collect();
    let mut inputs = Vec::new();
    let mut arrays = Vec::new();
    for (name, shape, values) in given {
        inputs.push(tensor(name, Dtype::F32, shape));
        let (shape, values) = (shape.to_vec(), values.to_vec());
        arrays.push(Array { dtype: Dtype::F32, shape, values });
        arguments.insert((*name).to_owned(), Argument::Tensor((*name).to_owned()));
    }
    let outputs: Vec<Tensor> = declared
        .iter()
        .enumerate()
        .map(|(idx, (dtype, shape))| tensor(&format!("out{idx}"), *dtype, shape))
        .collect();
    let names = outputs.iter().map(|tensor| tensor.name.clone()).collect();
    let node = Node { op: format!("aten.{op}"), arguments, outputs };
    let graph = Graph { inputs, parameters: Vec::new(), nodes: vec![node], outputs: names };
    run(&graph, &arrays)
}

fn check(
    op: &str,
    given: &[(&str, &[usize], &[f64])],
    more: &[(&str, Argument)],
    shape: &[usize],
    expected: &[f64],
) {
    let got = try_one(op, given, more, &[(Dtype::F32, shape)]).expect("it is known");
    let close = |(got, expected): (&f64, &f64)| {
        (got - expected).abs() <= 1e-12 || got == expected || got.is_nan() && expected.is_nan()
    };
    let right =
        got[0].values.len() == expected.len() && got[0].values.iter().zip(expected).all(close);
    assert!(right, "{op}: {:?}", got[0].values);
}

#[test]
fn axes_of_one_repeat() {
    let (a, b) = ([1.0, 2.0], [10.0, 20.0, 30.0]);
    let expected = [11.0, 21.0, 31.0, 12.0, 22.0, 32.0];
    check("add.Tensor", &[("self", &[2, 1], &a), ("other", &[3], &b)], &[], &[2, 3], &expected);
}

#[test]
fn long_rows_repeat_like_short_ones() {
    let a: Vec<f64> = (0..2 * 3 * 40).map(f64::from).collect();
    let expected: Vec<f64> = (0..240).map(|idx| f64::from(idx) * f64::from(idx / 40 % 3)).collect();
    let b = [0.0, 1.0, 2.0];
    let given: [(&str, &[usize], &[f64]); 2] = [("self", &[2, 3, 40], &a), ("other", &[3, 1], &b)];
    check("mul.Tensor", &given, &[], &[2, 3, 40], &expected);
}

#[test]
fn alpha_scales_what_is_added() {
    let more = [("other", Int(3)), ("alpha", Int(2))];
    check("sub.Tensor", &[("self", &[2], &[1.0, 2.0])], &more, &[2], &[-5.0, -4.0]);
    check("rsub.Scalar", &[("self", &[2], &[1.0, 2.0])], &more, &[2], &[1.0, -1.0]);
}

#[test]
fn nan_survives_bounds() {
    let more = [("min_val", Float(-1.0)), ("max_val", Float(1.0))];
    let values = [f64::NAN, 5.0, -5.0];
    check("hardtanh.default", &[("self", &[3], &values)], &more, &[3], &[f64::NAN, 1.0, -1.0]);
    check("relu.default", &[("self", &[3], &values)], &[], &[3], &[f64::NAN, 5.0, 0.0]);
}

#[test]
fn axes_change_places() {
    let a: Vec<f64> = (0..6).map(f64::from).collect();
    let more = [("dims", Ints(vec![1, 0]))];
    check("permute.default", &[("self", &[2, 3], &a)], &more, &[3, 2], &[0., 3., 1., 4., 2., 5.]);
}

#[test]
fn large_transpositions_are_right() {
    let (n, m) = (37, 53);
    let a: Vec<f64> = (0..n * m).map(f64::from).collect();
    let expected: Vec<f64> = (0..n * m).map(|at| f64::from(at % n * m + at / n)).collect();
    let more = [("dims", Ints(vec![1, 0]))];
    let shape = [n as usize, m as usize];
    check("permute.default", &[("self", &shape, &a)], &more, &[shape[1], shape[0]], &expected);
}

#[test]
fn slices_count_from_both_ends() {
    let a: Vec<f64> = (0..6).map(f64::from).collect();
    let more = [("dim", Int(0)), ("start", Int(-5)), ("end", Int(i64::MAX)), ("step", Int(2))];
    check("slice.Tensor", &[("self", &[6], &a)], &more, &[3], &[1.0, 3.0, 5.0]);
    let more = [("dims", Ints(vec![0]))];
    check("flip.default", &[("self", &[3], &a[..3])], &more, &[3], &[2.0, 1.0, 0.0]);
    let more = [("dimension", Int(0)), ("size", Int(3)), ("step", Int(2))];
    let expected = [0.0, 1.0, 2.0, 2.0, 3.0, 4.0];
    check("unfold.default", &[("self", &[6], &a)], &more, &[2, 3], &expected);
}

#[test]
fn sums_over_axes_in_the_middle() {
    let a: Vec<f64> = (0..12).map(f64::from).collect();
    let more = [("dim", Ints(vec![1])), ("keepdim", Bool(true))];
    let expected = [6.0, 9.0, 24.0, 27.0];
    check("sum.dim_IntList", &[("self", &[2, 3, 2], &a)], &more, &[2, 1, 2], &expected);
    let more = [("dim", Ints(vec![-1])), ("correction", Int(1))];
    check("var.correction", &[("self", &[1, 3], &a[..3])], &more, &[1], &[1.0]);
}

#[test]
fn the_first_of_equals_is_the_extreme() {
    let a = [1.0, 3.0, 3.0, 0.0];
    let given: [(&str, &[usize], &[f64]); 1] = [("self", &[4], &a)];
    let declared: [(Dtype, &[usize]); 2] = [(Dtype::F32, &[]), (Dtype::I64, &[])];
    let got = try_one("max.dim", &given, &[("dim", Int(0))], &declared).expect("it is known");
    assert_eq!((got[0].values[0], got[1].values[0]), (3.0, 1.0));
}

#[test]
fn a_product_of_matrices_with_an_addend() {
    let given: [(&str, &[usize], &[f64]); 3] = [
        ("self", &[2], &[100.0, 200.0]),
        ("mat1", &[1, 3], &[1.0, 2.0, 3.0]),
        ("mat2", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ];
    check("addmm.default", &given, &[], &[1, 2], &[122.0, 228.0]);
}

fn convolve(
    transposed: bool,
    stride: i64,
    padding: i64,
    extra: i64,
) -> Vec<(&'static str, Argument)> {
    vec![
        ("stride", Ints(vec![stride])),
        ("padding", Ints(vec![padding])),
        ("dilation", Ints(vec![1])),
        ("transposed", Bool(transposed)),
        ("output_padding", Ints(vec![extra])),
        ("groups", Int(1)),
    ]
}

#[test]
fn convolutions_step_and_pad() {
    let given: [(&str, &[usize], &[f64]); 3] = [
        ("input", &[1, 1, 5], &[1.0, 2.0, 3.0, 4.0, 5.0]),
        ("weight", &[1, 1, 3], &[1.0, 10.0, 100.0]),
        ("bias", &[1], &[0.5]),
    ];
    let expected = [210.5, 432.5, 54.5];
    check("convolution.default", &given, &convolve(false, 2, 1, 0), &[1, 1, 3], &expected);
    let expected = [1., 10., 102., 20., 203., 30., 304., 40., 405., 50., 500., 0.];
    let expected: Vec<f64> = expected.iter().map(|value| value + 0.5).collect();
    check("convolution.default", &given, &convolve(true, 2, 0, 1), &[1, 1, 12], &expected);
}

#[test]
fn groups_of_channels_do_not_mix() {
    let mut more = convolve(false, 1, 0, 0);
    more[5].1 = Int(2);
    let given: [(&str, &[usize], &[f64]); 2] =
        [("input", &[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]), ("weight", &[2, 1, 1], &[10.0, 100.0])];
    check("convolution.default", &given, &more, &[1, 2, 2], &[10.0, 20.0, 300.0, 400.0]);
}

#[test]
fn pools_leave_padding_out_or_count_it() {
    let given: [(&str, &[usize], &[f64]); 1] = [("self", &[1, 1, 4], &[1.0, 2.0, 3.0, 4.0])];
    let sizes =
        [("kernel_size", Ints(vec![3])), ("stride", Ints(vec![2])), ("padding", Ints(vec![1]))];
    check("avg_pool1d.default", &given, &sizes, &[1, 1, 2], &[1.0, 3.0]);
    let mut more = sizes.to_vec();
    more.push(("count_include_pad", Bool(false)));
    check("avg_pool1d.default", &given, &more, &[1, 1, 2], &[1.5, 3.0]);
    check("max_pool1d.default", &given, &sizes, &[1, 1, 2], &[2.0, 4.0]);
    let more = [("output_size", Ints(vec![3]))];
    check("adaptive_avg_pool1d.default", &given, &more, &[1, 1, 3], &[1.5, 2.5, 3.5]);
}

#[test]
fn softmax_of_large_numbers_is_finite() {
    let given: [(&str, &[usize], &[f64]); 1] = [("self", &[2, 2], &[1e4, 0.0, 1e4, 0.0])];
    check("_softmax.default", &given, &[("dim", Int(1))], &[2, 2], &[1.0, 0.0, 1.0, 0.0]);
    check("_softmax.default", &given, &[("dim", Int(0))], &[2, 2], &[0.5; 4]);
    check("cumsum.default", &given, &[("dim", Int(0))], &[2, 2], &[1e4, 0.0, 2e4, 0.0]);
}

#[test]
fn layers_are_normalised() {
    let given: [(&str, &[usize], &[f64]); 1] = [("input", &[1, 2], &[1.0, 3.0])];
    let more = [("normalized_shape", Ints(vec![2])), ("eps", Float(0.0))];
    check("native_layer_norm.default", &given, &more, &[1, 2], &[-1.0, 1.0]);
}

#[test]
fn indices_replace_axes_where_they_are() {
    let a: Vec<f64> = (0..12).map(f64::from).collect();
    let graph = Graph {
        inputs: vec![tensor("a", Dtype::F32, &[2, 3, 2]), tensor("i", Dtype::I64, &[2])],
        parameters: Vec::new(),
        nodes: vec![Node {
            op: "aten.index.Tensor".to_owned(),
            arguments: BTreeMap::from([
                ("self".to_owned(), Argument::Tensor("a".to_owned())),
                ("indices".to_owned(), Argument::OptionalTensors(vec![None, Some("i".to_owned())])),
            ]),
            outputs: vec![tensor("b", Dtype::F32, &[2, 2, 2])],
        }],
        outputs: vec!["b".to_owned()],
    };
    let index = Array { dtype: Dtype::I64, shape: vec![2], values: vec![-1.0, 0.0] };
    let given = [Array { dtype: Dtype::F32, shape: vec![2, 3, 2], values: a }, index];
    let got = run(&graph, &given).expect("it is known");
    assert_eq!(got[0].values, [4.0, 5.0, 0.0, 1.0, 10.0, 11.0, 6.0, 7.0]);
}

#[test]
fn a_false_declaration_is_an_error() {
    let given: [(&str, &[usize], &[f64]); 1] = [("self", &[2], &[1.5, 2.0])];
    let got = try_one("relu.default", &given, &[], &[(Dtype::F32, &[3])]);
    let expected = "failed to interpret `aten.relu.default`: its shape is [2], declared is [3]";
    assert_eq!(got.expect_err("shapes differ").to_string(), expected);
    let got = try_one("relu.default", &given, &[], &[(Dtype::I64, &[2])]);
    let expected = "failed to interpret `aten.relu.default`: 1.5 is no I64";
    assert_eq!(got.expect_err("no integer").to_string(), expected);
}

#[test]
fn unknown_operations_are_named() {
    let given: [(&str, &[usize], &[f64]); 1] = [("self", &[2], &[1.5, 2.0])];
    let got = try_one("fft.default", &given, &[], &[(Dtype::F32, &[2])]);
    let expected = "failed to interpret `aten.fft.default`: unknown";
    assert_eq!(got.expect_err("it is unknown").to_string(), expected);
}

#[test]
fn single_precision_rounds() {
    let x = tensor("x", Dtype::F32, &[2]);
    let node = Node {
        op: "aten.sum.default".to_owned(),
        arguments: BTreeMap::from([("self".to_owned(), Argument::Tensor("x".to_owned()))]),
        outputs: vec![tensor("y", Dtype::F32, &[])],
    };
    let outputs = vec!["y".to_owned()];
    let graph = Graph { inputs: vec![x], parameters: Vec::new(), nodes: vec![node], outputs };
    let values = vec![16_777_216.0, 1.0];
    let given = [Array { dtype: Dtype::F32, shape: vec![2], values }];
    assert_eq!(run(&graph, &given).expect("it is known")[0].values, [16_777_217.0]);
    assert_eq!(run_single(&graph, &given).expect("it is known")[0].values, [16_777_216.0]);
}

#[test]
fn bytes_come_back() {
    let tensor = tensor("x", Dtype::I64, &[2]);
    let bytes = [(-7i64).to_le_bytes(), 9i64.to_le_bytes()].concat();
    let array = Array::from_bytes(&tensor, &bytes).expect("they fit");
    assert_eq!((array.values.as_slice(), array.to_bytes()), ([-7.0, 9.0].as_slice(), bytes));
    let large = [i64::MAX.to_le_bytes(), 9i64.to_le_bytes()].concat();
    let expected = format!("failed to read `x`: {} is beyond 2^53", i64::MAX);
    assert_eq!(Array::from_bytes(&tensor, &large).expect_err("too large").to_string(), expected);
}

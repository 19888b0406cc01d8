//! Common operations of networks.

use super::build::{Build, ints, normal, of};
use super::task;
use crate::graph::Argument;
use crate::task::Task;

pub(super) fn tasks() -> Vec<Task> {
    vec![
        task("softmax", "softmax along rows", false, &[512, 4096], &[7, 1021], |build, sizes| {
            let x = build.input("x", sizes, normal(2.0));
            let y = softmax(build, &x, sizes);
            build.returned(&y);
        }),
        task(
            "layer_norm",
            "mean and variance of rows taken out, then weight and bias",
            false,
            &[1024, 2048],
            &[5, 333],
            |build, sizes| {
                let x = build.input("x", sizes, normal(1.5));
                let weight = build.weight("weight", &sizes[1..], normal(1.0));
                let bias = build.weight("bias", &sizes[1..], normal(1.0));
                let y = build.op(
                    "native_layer_norm.default",
                    sizes,
                    &[
                        ("input", of(&x)),
                        ("normalized_shape", ints(&sizes[1..])),
                        ("weight", of(&weight)),
                        ("bias", of(&bias)),
                        ("eps", Argument::Float(1e-5)),
                    ],
                );
                build.returned(&y);
            },
        ),
        task(
            "gelu_chain",
            "bias, exact GELU and a residual, element by element",
            false,
            &[1024, 2048],
            &[3, 517],
            |build, sizes| {
                let x = build.input("x", sizes, normal(1.0));
                let residual = build.input("residual", sizes, normal(1.0));
                let bias = build.weight("bias", &sizes[1..], normal(0.5));
                let sum = build.both("add", sizes, &x, of(&bias));
                let grown = build.unary("gelu", sizes, &sum);
                let y = build.both("add", sizes, &grown, of(&residual));
                build.returned(&y);
            },
        ),
        task(
            "running_sum",
            "running sums along rows",
            false,
            &[512, 4096],
            &[3, 1025],
            |build, sizes| {
                let x = build.input("x", sizes, normal(1.0));
                let y = build.op(
                    "cumsum.default",
                    sizes,
                    &[("self", of(&x)), ("dim", Argument::Int(1))],
                );
                build.returned(&y);
            },
        ),
        task(
            "column_sums",
            "sums over the first axis",
            false,
            &[2048, 2048],
            &[101, 77],
            |build, sizes| {
                let x = build.input("x", sizes, normal(1.0));
                let y = build.op(
                    "sum.dim_IntList",
                    &sizes[1..],
                    &[("self", of(&x)), ("dim", ints(&[0]))],
                );
                build.returned(&y);
            },
        ),
        task(
            "depthwise_conv",
            "3 x 3 convolution of each channel by itself, then ReLU",
            false,
            &[2, 64, 112],
            &[1, 5, 19],
            |build, sizes| {
                let (n, c, h) = (sizes[0], sizes[1], sizes[2]);
                let x = build.input("x", &[n, c, h, h], normal(1.0));
                let weight = build.weight("weight", &[c, 1, 3, 3], normal(0.4));
                let y = convolution(build, [&x, &weight], &[n, c, h, h], 1, c);
                let y = build.unary("relu", &[n, c, h, h], &y);
                build.returned(&y);
            },
        ),
        task(
            "conv_relu",
            "3 x 3 convolution with bias and ReLU",
            true,
            &[2, 64, 56, 64],
            &[1, 3, 11, 5],
            |build, sizes| {
                let (n, c, h, out) = (sizes[0], sizes[1], sizes[2], sizes[3]);
                let x = build.input("x", &[n, c, h, h], normal(1.0));
                let weight = build.weight("weight", &[out, c, 3, 3], normal(0.05));
                let bias = build.weight("bias", &[out, 1, 1], normal(0.5));
                let y = convolution(build, [&x, &weight], &[n, out, h, h], 1, 1);
                let y = build.both("add", &[n, out, h, h], &y, of(&bias));
                let y = build.unary("relu", &[n, out, h, h], &y);
                build.returned(&y);
            },
        ),
        task(
            "max_pool",
            "largest of windows of 3 x 3, every second",
            false,
            &[4, 64, 112],
            &[1, 3, 23],
            |build, sizes| {
                let (n, c, h) = (sizes[0], sizes[1], sizes[2]);
                let out = [n, c, (h - 1) / 2 + 1, (h - 1) / 2 + 1];
                let x = build.input("x", &[n, c, h, h], normal(1.0));
                let y = build.op(
                    "max_pool2d_with_indices.default",
                    &out,
                    &[
                        ("self", of(&x)),
                        ("kernel_size", ints(&[3, 3])),
                        ("stride", ints(&[2, 2])),
                        ("padding", ints(&[1, 1])),
                    ],
                );
                build.returned(&y);
            },
        ),
        task(
            "matmul",
            "product of two matrices",
            true,
            &[768, 768, 768],
            &[37, 65, 49],
            |build, sizes| {
                let (m, k, n) = (sizes[0], sizes[1], sizes[2]);
                let a = build.input("a", &[m, k], normal(1.0));
                let b = build.input("b", &[k, n], normal(1.0));
                let y = build.op("mm.default", &[m, n], &[("self", of(&a)), ("mat2", of(&b))]);
                build.returned(&y);
            },
        ),
        task(
            "cross_entropy",
            "mean negative log-likelihood of labels",
            false,
            &[1024, 2048],
            &[9, 131],
            |build, sizes| {
                let x = build.input("x", sizes, normal(2.0));
                let target = build.input("target", sizes, crate::task::Generator::Probabilities);
                let log = build.op(
                    "_log_softmax.default",
                    sizes,
                    &[
                        ("self", of(&x)),
                        ("dim", Argument::Int(-1)),
                        ("half_to_float", Argument::Bool(false)),
                    ],
                );
                let each = build.both("mul", sizes, &log, of(&target));
                let sum = build.op(
                    "sum.dim_IntList",
                    &sizes[..1],
                    &[("self", of(&each)), ("dim", ints(&[1]))],
                );
                let loss = build.unary("neg", &sizes[..1], &sum);
                build.returned(&loss);
            },
        ),
    ]
}

pub(super) fn softmax(build: &mut Build, x: &str, shape: &[usize]) -> String {
    build.op(
        "_softmax.default",
        shape,
        &[("self", of(x)), ("dim", Argument::Int(-1)), ("half_to_float", Argument::Bool(false))],
    )
}

/// A convolution of stride 1 that keeps the size.
pub(super) fn convolution(
    build: &mut Build,
    [x, weight]: [&str; 2],
    shape: &[usize],
    padding: usize,
    groups: usize,
) -> String {
    build.op(
        "convolution.default",
        shape,
        &[
            ("input", of(x)),
            ("weight", of(weight)),
            ("bias", Argument::None),
            ("stride", ints(&[1, 1])),
            ("padding", ints(&[padding, padding])),
            ("dilation", ints(&[1, 1])),
            ("transposed", Argument::Bool(false)),
            ("output_padding", ints(&[0, 0])),
            ("groups", Argument::Int(groups as i64)),
        ],
    )
}

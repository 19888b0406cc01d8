//! The hot operations of `nn`, as the models use them.

use super::build::{Build, ints, normal, of};
use super::networks::softmax;
use super::task;
use crate::graph::{Argument, Dtype};
use crate::task::{Generator, Task};

pub(super) fn tasks() -> Vec<Task> {
    vec![
        task(
            "rms_norm",
            "rows divided by their root mean square, then weight",
            false,
            &[2048, 1024],
            &[7, 333],
            |build, sizes| {
                let x = build.input("x", sizes, normal(1.0));
                let weight = build.weight("weight", &sizes[1..], normal(1.0));
                let one = [sizes[0], 1];
                let square = build.both("mul", sizes, &x, of(&x));
                let mean = build.op(
                    "mean.dim",
                    &one,
                    &[
                        ("self", of(&square)),
                        ("dim", ints(&[1])),
                        ("keepdim", Argument::Bool(true)),
                    ],
                );
                let safe = build.both("add", &one, &mean, Argument::Float(1e-6));
                let scale = build.unary("rsqrt", &one, &safe);
                let y = build.both("mul", sizes, &x, of(&scale));
                let y = build.both("mul", sizes, &y, of(&weight));
                build.returned(&y);
            },
        ),
        task(
            "causal_fir",
            "the short filter of Hyena: each channel over itself and the two positions before",
            false,
            &[1, 512, 4096, 3],
            &[1, 5, 133, 3],
            |build, sizes| causal_filter(build, sizes, false),
        ),
        task(
            "long_fir",
            "the medium filter of Hyena, 128 taps, gated before and after",
            false,
            &[1, 128, 4096, 128],
            &[1, 3, 257, 128],
            |build, sizes| causal_filter(build, sizes, true),
        ),
        task(
            "modal_filter",
            "the taps of a long filter from its modes: sums of decaying exponentials",
            false,
            &[512, 16, 4096],
            &[3, 16, 301],
            |build, sizes| {
                let (channels, modes, length) = (sizes[0], sizes[1], sizes[2]);
                let poles = build.input(
                    "log_poles",
                    &[channels, modes, 1],
                    Generator::Uniform { low: -0.05, high: -0.0005 },
                );
                let residues = build.input("residues", &[channels, modes, 1], normal(0.3));
                let time = build.typed(
                    "arange.start_step",
                    Dtype::F32,
                    &[length],
                    &[
                        ("start", Argument::Int(0)),
                        ("end", Argument::Int(length as i64)),
                        ("step", Argument::Int(1)),
                    ],
                );
                let shape = [channels, modes, length];
                let power = build.both("mul", &shape, &poles, of(&time));
                let decay = build.unary("exp", &shape, &power);
                let each = build.both("mul", &shape, &decay, of(&residues));
                let y = build.op(
                    "sum.dim_IntList",
                    &[channels, length],
                    &[("self", of(&each)), ("dim", ints(&[1]))],
                );
                build.returned(&y);
            },
        ),
        task(
            "gated_mlp",
            "the gated half of an MLP: GELU of one product times another",
            true,
            &[512, 512, 1024],
            &[17, 33, 47],
            |build, sizes| {
                let (n, d, hidden) = (sizes[0], sizes[1], sizes[2]);
                let x = build.input("x", &[n, d], normal(1.0));
                let std = 1.0 / (d as f64).sqrt();
                let gate = build.weight("gate", &[d, hidden], normal(std));
                let up = build.weight("up", &[d, hidden], normal(std));
                let shape = [n, hidden];
                let one = build.op("mm.default", &shape, &[("self", of(&x)), ("mat2", of(&gate))]);
                let other = build.op("mm.default", &shape, &[("self", of(&x)), ("mat2", of(&up))]);
                let one = build.unary("gelu", &shape, &one);
                let y = build.both("mul", &shape, &one, of(&other));
                build.returned(&y);
            },
        ),
        task(
            "attention",
            "softmax attention of one head after rotation of queries and keys",
            true,
            &[4, 512, 64],
            &[2, 37, 16],
            rotary_attention,
        ),
        task(
            "int8_linear",
            "a few rows of bytes times a matrix of bytes, as inference does it",
            false,
            &[8, 1024, 4096],
            &[3, 65, 31],
            |build, sizes| {
                let (m, k, n) = (sizes[0], sizes[1], sizes[2]);
                let bytes = Generator::Integers { low: -127, high: 128 };
                let x = build.given("x", Dtype::I8, &[m, k], bytes.clone(), true);
                let weight = build.given("weight", Dtype::I8, &[n, k], bytes, false);
                let scale =
                    build.weight("scale", &[n], Generator::Uniform { low: 0.001, high: 0.01 });
                let whole = |build: &mut Build, name: &str, shape: &[usize]| {
                    let arguments = [("self", of(name)), ("dtype", Argument::Dtype(Dtype::I32))];
                    build.typed("_to_copy.default", Dtype::I32, shape, &arguments)
                };
                let x = whole(build, &x, &[m, k]);
                let weight = whole(build, &weight, &[n, k]);
                let turned = build.typed(
                    "permute.default",
                    Dtype::I32,
                    &[k, n],
                    &[("self", of(&weight)), ("dims", ints(&[1, 0]))],
                );
                let sums = build.typed(
                    "mm.default",
                    Dtype::I32,
                    &[m, n],
                    &[("self", of(&x)), ("mat2", of(&turned))],
                );
                let y = build.both("mul", &[m, n], &sums, of(&scale));
                build.returned(&y);
            },
        ),
    ]
}

/// A causal filter per channel; `gated`: times another input before and after.
fn causal_filter(build: &mut Build, sizes: &[usize], gated: bool) {
    let (n, c, length, taps) = (sizes[0], sizes[1], sizes[2], sizes[3]);
    let shape = [n, c, length];
    let mut x = build.input("x", &shape, normal(1.0));
    let filter = build.weight("filter", &[c, 1, taps], normal(1.0 / (taps as f64).sqrt()));
    let gates = gated.then(|| {
        (build.input("before", &shape, normal(1.0)), build.input("after", &shape, normal(1.0)))
    });
    if let Some((before, _)) = &gates {
        x = build.both("mul", &shape, &x, of(before));
    }
    let padded = build.op(
        "constant_pad_nd.default",
        &[n, c, length + taps - 1],
        &[("self", of(&x)), ("pad", ints(&[taps - 1, 0])), ("value", Argument::Float(0.0))],
    );
    let mut y = build.op(
        "convolution.default",
        &shape,
        &[
            ("input", of(&padded)),
            ("weight", of(&filter)),
            ("bias", Argument::None),
            ("stride", ints(&[1])),
            ("padding", ints(&[0])),
            ("dilation", ints(&[1])),
            ("transposed", Argument::Bool(false)),
            ("output_padding", ints(&[0])),
            ("groups", Argument::Int(c as i64)),
        ],
    );
    if let Some((_, after)) = &gates {
        y = build.both("mul", &shape, &y, of(after));
    }
    build.returned(&y);
}

/// Queries and keys turned by angles that are given, then scores, softmax, values.
fn rotary_attention(build: &mut Build, sizes: &[usize]) {
    let (heads, length, size) = (sizes[0], sizes[1], sizes[2]);
    let shape = [heads, length, size];
    let half = [heads, length, size / 2];
    let q = build.input("q", &shape, normal(1.0));
    let k = build.input("k", &shape, normal(1.0));
    let v = build.input("v", &shape, normal(1.0));
    let angles =
        build.input("angles", &[length, size / 2], Generator::Uniform { low: -3.0, high: 3.0 });
    let cos = build.unary("cos", &[length, size / 2], &angles);
    let sin = build.unary("sin", &[length, size / 2], &angles);
    let turned = |build: &mut Build, x: &str| {
        let part = |build: &mut Build, start: usize, end: usize| {
            build.op(
                "slice.Tensor",
                &half,
                &[
                    ("self", of(x)),
                    ("dim", Argument::Int(2)),
                    ("start", Argument::Int(start as i64)),
                    ("end", Argument::Int(end as i64)),
                    ("step", Argument::Int(1)),
                ],
            )
        };
        let (one, other) = (part(build, 0, size / 2), part(build, size / 2, size));
        let (a, b) =
            (build.both("mul", &half, &one, of(&cos)), build.both("mul", &half, &other, of(&sin)));
        let first = build.both("sub", &half, &a, of(&b));
        let (a, b) =
            (build.both("mul", &half, &one, of(&sin)), build.both("mul", &half, &other, of(&cos)));
        let second = build.both("add", &half, &a, of(&b));
        let both = Argument::Tensors(vec![first, second]);
        build.op("cat.default", &shape, &[("tensors", both), ("dim", Argument::Int(2))])
    };
    let (q, k) = (turned(build, &q), turned(build, &k));
    let keys = build.op(
        "permute.default",
        &[heads, size, length],
        &[("self", of(&k)), ("dims", ints(&[0, 2, 1]))],
    );
    let square = [heads, length, length];
    let scores = build.op("bmm.default", &square, &[("self", of(&q)), ("mat2", of(&keys))]);
    let scores = build.both("mul", &square, &scores, Argument::Float(1.0 / (size as f64).sqrt()));
    let weights = softmax(build, &scores, &square);
    let y = build.op("bmm.default", &shape, &[("self", of(&weights)), ("mat2", of(&v))]);
    build.returned(&y);
}

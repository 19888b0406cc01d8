//! A graph, operation by operation.

use std::collections::BTreeMap;

use crate::graph::{Argument, Dtype, Graph, Node, Tensor};
use crate::task::Generator;

/// A graph in the making.
#[derive(Default)]
pub(super) struct Build {
    inputs: Vec<Tensor>,
    parameters: Vec<Tensor>,
    nodes: Vec<Node>,
    outputs: Vec<String>,
    generators: BTreeMap<String, Generator>,
}

pub(super) fn normal(std: f64) -> Generator {
    Generator::Normal { mean: 0.0, std }
}

pub(super) fn of(name: &str) -> Argument {
    Argument::Tensor(name.to_owned())
}

pub(super) fn ints(values: &[usize]) -> Argument {
    Argument::Ints(values.iter().map(|&value| value as i64).collect())
}

impl Build {
    pub(super) fn input(&mut self, name: &str, shape: &[usize], generator: Generator) -> String {
        self.given(name, Dtype::F32, shape, generator, true)
    }

    pub(super) fn weight(&mut self, name: &str, shape: &[usize], generator: Generator) -> String {
        self.given(name, Dtype::F32, shape, generator, false)
    }

    pub(super) fn given(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        generator: Generator,
        input: bool,
    ) -> String {
        let tensor = Tensor { name: name.to_owned(), dtype, shape: shape.to_vec() };
        if input {
            self.inputs.push(tensor)
        } else {
            self.parameters.push(tensor)
        }
        self.generators.insert(name.to_owned(), generator);
        name.to_owned()
    }

    /// An operation with one float result.
    pub(super) fn op(
        &mut self,
        op: &str,
        shape: &[usize],
        arguments: &[(&str, Argument)],
    ) -> String {
        self.typed(op, Dtype::F32, shape, arguments)
    }

    pub(super) fn typed(
        &mut self,
        op: &str,
        dtype: Dtype,
        shape: &[usize],
        arguments: &[(&str, Argument)],
    ) -> String {
        let name = format!("v{}", self.nodes.len());
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.nodes.push(Node {
            op: format!("aten.{op}"),
            arguments: arguments.collect(),
            outputs: vec![Tensor { name: name.clone(), dtype, shape: shape.to_vec() }],
        });
        name
    }

    /// An operation of a float tensor and another, or a number.
    pub(super) fn both(&mut self, op: &str, shape: &[usize], one: &str, other: Argument) -> String {
        let overload = if matches!(other, Argument::Tensor(_)) { "Tensor" } else { "Scalar" };
        self.op(&format!("{op}.{overload}"), shape, &[("self", of(one)), ("other", other)])
    }

    pub(super) fn unary(&mut self, op: &str, shape: &[usize], one: &str) -> String {
        self.op(&format!("{op}.default"), shape, &[("self", of(one))])
    }

    pub(super) fn returned(&mut self, name: &str) {
        self.outputs.push(name.to_owned());
    }

    pub(super) fn done(self) -> (Graph, BTreeMap<String, Generator>) {
        let Self { inputs, parameters, nodes, outputs, generators } = self;
        (Graph { inputs, parameters, nodes, outputs }, generators)
    }
}

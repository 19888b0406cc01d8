//! What a model is told of a task: operations, shapes, the plain kernel.

use std::fmt::Write as _;

use crate::graph::{Argument, Tensor};
use crate::{Candidate, Task};

/// A task in words and code. Values, seeds and expected outputs are not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    pub(super) computation: String,
    pub(super) base: Candidate,
}

impl Brief {
    /// Of a task, with its plain kernel.
    #[must_use]
    pub fn new(task: &Task, base: Candidate) -> Self {
        let mut computation = String::new();
        let graph = &task.graph;
        let _ = writeln!(computation, "Inputs, in this order in `in`:");
        for (idx, tensor) in graph.given().enumerate() {
            let kind = if idx < graph.inputs.len() { "input" } else { "parameter" };
            let _ = writeln!(computation, "  in[{idx}]  {} ({kind})", shaped(tensor));
        }
        let _ = writeln!(computation, "Outputs, in this order in `out`:");
        for (idx, tensor) in graph.returned().enumerate() {
            let _ = writeln!(computation, "  out[{idx}]  {}", shaped(tensor));
        }
        let _ = writeln!(computation, "Operations, with the semantics of PyTorch:");
        for node in &graph.nodes {
            let outputs: Vec<String> = node.outputs.iter().map(shaped).collect();
            let arguments: Vec<String> = node
                .arguments
                .iter()
                .map(|(name, argument)| format!("{name}={}", shown(argument)))
                .collect();
            let _ = writeln!(
                computation,
                "  {} = {}({})",
                outputs.join(", "),
                node.op,
                arguments.join(", ")
            );
        }
        if !task.policy.weights_static {
            computation.push_str("Parameters change between calls like inputs.\n");
        }
        Self { computation, base }
    }

    /// A candidate of this text, with the plain kernel's language and options.
    pub(super) fn candidate(&self, source: String) -> Candidate {
        Candidate { source, ..self.base.clone() }
    }
}

fn shaped(tensor: &Tensor) -> String {
    format!("{}: {} {:?}", tensor.name, tensor.dtype.c_name(), tensor.shape)
}

fn shown(argument: &Argument) -> String {
    match argument {
        Argument::Tensor(name) => name.clone(),
        Argument::Tensors(names) => format!("[{}]", names.join(", ")),
        Argument::OptionalTensors(names) => {
            let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "None".to_owned());
            format!("[{}]", names.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        Argument::Int(value) => value.to_string(),
        Argument::Ints(values) => format!("{values:?}"),
        Argument::Float(value) => value.to_string(),
        Argument::Bool(value) => value.to_string(),
        Argument::Bools(values) => format!("{values:?}"),
        Argument::Text(text) => format!("{text:?}"),
        Argument::Dtype(dtype) => dtype.c_name().to_owned(),
        Argument::None => "None".to_owned(),
    }
}

//! Graphs as text.
//!
//! ```text
//! # softmax
//! x f32[5,37]
//! y = _softmax.default(self=x, dim=-1, half_to_float=false) f32[5,37]
//! return y
//! ```
//!
//! What is given may have bounds: `i f32[4] 0.5..2`. Results of several outputs are separated by
//! commas; what begins with `_` is not wanted.

use kernels::Graph;
use kernels::graph::{Argument, Dtype, Node, Tensor};

/// A graph and the bounds of what it is given.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) graph: Graph,
    pub(super) bounds: Vec<(f64, f64)>,
}

pub(super) fn cases(text: &str) -> Vec<Case> {
    let parts = text.split("\n# ").skip(1);
    parts.map(|part| case(part).unwrap_or_else(|| panic!("{part}"))).collect()
}

fn case(text: &str) -> Option<Case> {
    let mut lines = text.lines();
    let name = lines.next()?.to_owned();
    let (inputs, parameters, nodes) = (Vec::new(), Vec::new(), Vec::new());
    let mut graph = Graph { inputs, parameters, nodes, outputs: Vec::new() };
    let mut bounds = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if let Some(names) = line.strip_prefix("return ") {
            graph.outputs = names.split(", ").map(ToOwned::to_owned).collect();
        } else if let Some((names, rest)) = line.split_once(" = ") {
            let (op, rest) = rest.split_once('(')?;
            let (arguments, types) = rest.rsplit_once(") ")?;
            let outputs = names.split(", ").zip(types.split(' '));
            let outputs =
                outputs.map(|(name, of)| tensor(if name.starts_with('_') { "" } else { name }, of));
            let arguments = split(arguments).into_iter().map(|each| {
                let (name, value) = each.split_once('=').unwrap_or_else(|| panic!("{line}"));
                (name.to_owned(), argument(value))
            });
            graph.nodes.push(Node {
                op: format!("aten.{op}"),
                arguments: arguments.collect(),
                outputs: outputs.collect::<Option<_>>()?,
            });
        } else {
            let mut words = line.split(' ');
            let given = tensor(words.next()?, words.next()?)?;
            let bound = words.next().and_then(|word| word.split_once(".."));
            bounds.push(match bound {
                Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
                None if given.dtype.is_float() => (-2.0, 2.0),
                None => (-9.0, 9.0),
            });
            graph.inputs.push(given);
        }
    }
    Some(Case { name, graph, bounds })
}

fn dtype(name: &str) -> Option<Dtype> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn tensor(name: &str, of: &str) -> Option<Tensor> {
    let (of, shape) = of.strip_suffix(']')?.split_once('[')?;
    let extents = shape.split(',').filter(|each| !each.is_empty());
    let shape = extents.map(|each| each.parse().ok()).collect::<Option<_>>()?;
    Some(Tensor { name: name.to_owned(), dtype: dtype(of)?, shape })
}

/// At the commas that are outside lists.
fn split(arguments: &str) -> Vec<&str> {
    arguments.split(", ").filter(|each| !each.is_empty()).collect()
}

fn argument(text: &str) -> Argument {
    let inside = |open: char, close| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(list) = inside('[', ']') {
        let numbers = list.split(',').filter(|each| !each.is_empty());
        return Argument::Ints(numbers.map(|each| each.parse().expect("a number")).collect());
    }
    if let Some(list) = inside('{', '}') {
        return Argument::Tensors(list.split(',').map(ToOwned::to_owned).collect());
    }
    if let Some(list) = inside('<', '>') {
        let name = |each: &str| (each != "_").then(|| each.to_owned());
        return Argument::OptionalTensors(list.split(',').map(name).collect());
    }
    if let Some(text) = inside('"', '"') {
        return Argument::Text(text.to_owned());
    }
    if let Some(of) = dtype(text) {
        return Argument::Dtype(of);
    }
    match text {
        "true" | "false" => Argument::Bool(text == "true"),
        "none" => Argument::None,
        _ => match (text.parse(), text.parse()) {
            (Ok(whole), _) => Argument::Int(whole),
            (_, Ok(real)) => Argument::Float(real),
            _ => Argument::Tensor(text.to_owned()),
        },
    }
}

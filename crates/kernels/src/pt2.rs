//! Tasks from `.pt2` archives: what `torch.export.save` of PyTorch 2.7 writes of a decomposed
//! program (schema 8).
//!
//! Nothing in an archive is executed. The example inputs are not read: inputs are drawn as standard
//! Gaussians, integers 0 and 1, or fair flags. Weights are drawn like those in the archive;
//! constants are kept.

mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::Value;
use zip::ZipArchive;

use crate::Error;
use crate::graph::{Argument, Dtype, Graph, Node, Tensor};
use crate::oracle;
use crate::task::{FORMAT, Generator, Origin, Policy, Task};

/// Largest description of a program.
const LARGEST_PROGRAM: u64 = 64 << 20;

/// The description's name in an archive.
const PROGRAM: &str = "serialized_exported_program.json";

/// The version of the schema that is read here; another major one means another meaning.
const SCHEMA: i64 = 8;

type Zip = ZipArchive<BufReader<File>>;

/// Reads an archive.
///
/// # Errors
/// If it is no such archive or of another schema, or the program is not of core-ATen operations on
/// dense tensors of fixed shapes.
pub fn read(path: &Path) -> Result<Task, Error> {
    let failed = |source| Error::File { action: "read archive", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let found = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string());
    let task = found.and_then(|mut archive| {
        let program = member(&mut archive, PROGRAM, LARGEST_PROGRAM)?;
        let program: Value = serde_json::from_slice(&program).map_err(|error| error.to_string())?;
        let mut task = convert(&program, path)?;
        weights::fill(&mut task, &mut archive, &origins(&program)?)?;
        task.check()?;
        Ok(task)
    });
    task.map_err(|reason| Error::Task { path: path.to_owned(), reason })
}

/// A file of the archive, if it is not larger than allowed.
fn member(archive: &mut Zip, name: &str, most: u64) -> Result<Vec<u8>, String> {
    let file = archive.by_name(name).map_err(|error| format!("`{name}`: {error}"))?;
    let mut bytes = Vec::new();
    // Not as large as the directory says, but as what comes out.
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("`{name}`: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("`{name}` has more than {most} bytes"));
    }
    Ok(bytes)
}

/// Where a parameter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parameter,
    Buffer,
    Constant,
}

/// The program's names of parameters, buffers and constants, by the names in the graph.
fn origins(program: &Value) -> Result<BTreeMap<String, (Kind, String)>, String> {
    let mut found = BTreeMap::new();
    for spec in list(&program["graph_module"]["signature"]["input_specs"], "input specs")? {
        let (kind, spec) = tagged(spec)?;
        let (kind, name) = match kind {
            "user_input" => continue,
            "parameter" => (Kind::Parameter, "parameter_name"),
            "buffer" => (Kind::Buffer, "buffer_name"),
            "tensor_constant" => (Kind::Constant, "tensor_constant_name"),
            other => return Err(format!("an input of kind `{other}`")),
        };
        found.insert(text(&spec["arg"]["name"])?.to_owned(), (kind, text(&spec[name])?.to_owned()));
    }
    Ok(found)
}

fn convert(program: &Value, path: &Path) -> Result<Task, String> {
    let version = program["schema_version"]["major"].as_i64();
    if version != Some(SCHEMA) {
        let version = version.map_or("none".to_owned(), |version| version.to_string());
        return Err(format!("expected schema {SCHEMA}, got {version}"));
    }
    let module = &program["graph_module"];
    let values = &module["graph"]["tensor_values"];
    let mut nodes = Vec::new();
    for node in list(&module["graph"]["nodes"], "nodes")? {
        nodes.extend(node_of(node, values)?);
    }
    let mut outputs = Vec::new();
    for spec in list(&module["signature"]["output_specs"], "output specs")? {
        match tagged(spec)? {
            ("user_output", spec) => {
                outputs.push(text(&spec["arg"]["as_tensor"]["name"])?.to_owned())
            }
            (other, _) => return Err(format!("an output of kind `{other}`")),
        }
    }
    let mut used: BTreeSet<&str> = outputs.iter().map(String::as_str).collect();
    used.extend(nodes.iter().flat_map(oracle::read_by));
    let (mut inputs, mut parameters) = (Vec::new(), Vec::new());
    for spec in list(&module["signature"]["input_specs"], "input specs")? {
        let (kind, spec) = tagged(spec)?;
        if kind != "user_input" {
            let name = text(&spec["arg"]["name"])?;
            if used.contains(name) {
                parameters.push(tensor(name, values)?);
            }
        } else if let Some(name) = spec["arg"]["as_tensor"]["name"].as_str() {
            inputs.push(tensor(name, values)?);
        }
    }
    let plain = |tensor: &Tensor| match tensor.dtype {
        Dtype::F32 | Dtype::F64 => Generator::Normal { mean: 0.0, std: 1.0 },
        Dtype::Bool => Generator::Bernoulli { p: 0.5 },
        _ => Generator::Integers { low: 0, high: 2 },
    };
    let generators = inputs.iter().map(|tensor| (tensor.name.clone(), plain(tensor))).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let torch = program["torch_version"].as_str().unwrap_or("an unknown version");
    Ok(Task {
        format: FORMAT,
        name: stem.chars().map(plain).collect(),
        summary: format!("A program exported by PyTorch {torch}."),
        origin: Origin {
            source: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            licence: "unknown".to_owned(),
        },
        graph: Graph { inputs, parameters, nodes, outputs },
        generators,
        policy: Policy {
            notes: vec!["inputs are drawn without regard to the example in the archive".to_owned()],
            ..Policy::default()
        },
        variants: Vec::new(),
        stored: BTreeMap::new(),
    })
}

/// The one key of an object and what it holds: how the format writes unions.
fn tagged(value: &Value) -> Result<(&str, &Value), String> {
    let map = value.as_object().filter(|map| map.len() == 1);
    let entry = map.and_then(|map| map.iter().next());
    entry.map(|(key, value)| (key.as_str(), value)).ok_or_else(|| format!("no union: {value:.80}"))
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("no list of {what}"))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("no name: {value:.80}"))
}

fn dtype(value: &Value) -> Result<Dtype, String> {
    Ok(match value.as_i64() {
        Some(1) => Dtype::U8,
        Some(2) => Dtype::I8,
        Some(4) => Dtype::I32,
        Some(5) => Dtype::I64,
        Some(7) => Dtype::F32,
        Some(8) => Dtype::F64,
        Some(12) => Dtype::Bool,
        _ => return Err(format!("tensors of type {value:.80} are not supported")),
    })
}

fn tensor(name: &str, values: &Value) -> Result<Tensor, String> {
    let value = values.get(name).ok_or_else(|| format!("nothing is said of `{name}`"))?;
    let extent = |size: &Value| size["as_int"].as_u64().and_then(|n| usize::try_from(n).ok());
    let shape: Option<Vec<usize>> = list(&value["sizes"], "sizes")?.iter().map(extent).collect();
    let shape = shape.ok_or_else(|| format!("`{name}` has no fixed shape"))?;
    let dtype = dtype(&value["dtype"]).map_err(|reason| format!("`{name}`: {reason}"))?;
    Ok(Tensor { name: name.to_owned(), dtype, shape })
}

fn node_of(node: &Value, values: &Value) -> Result<Option<Node>, String> {
    let target = text(&node["target"])?;
    let op = target.strip_prefix("torch.ops.").filter(|op| op.starts_with("aten."));
    let op = op.ok_or_else(|| format!("`{target}` is no operation of ATen"))?;
    if op.contains("_assert_") {
        return Ok(None);
    }
    let within = |reason: String| format!("`{op}`: {reason}");
    let mut arguments = BTreeMap::new();
    for input in list(&node["inputs"], "inputs").map_err(within)? {
        if let Some(argument) = argument(&input["arg"]).map_err(within)? {
            arguments.insert(text(&input["name"]).map_err(within)?.to_owned(), argument);
        }
    }
    let mut outputs = Vec::new();
    for output in list(&node["outputs"], "outputs").map_err(within)? {
        let parts = match tagged(output).map_err(within)? {
            ("as_tensor", tensor) => std::slice::from_ref(tensor),
            ("as_tensors", tensors) => list(tensors, "tensors").map_err(within)?,
            (other, _) => return Err(within(format!("an output of kind `{other}`"))),
        };
        for part in parts {
            let name = text(&part["name"]).map_err(within)?;
            // Of what nobody reads, the format says nothing.
            let nobody = || Tensor { name: String::new(), dtype: Dtype::F32, shape: Vec::new() };
            outputs.push(match values.get(name) {
                Some(_) => tensor(name, values).map_err(within)?,
                None => nobody(),
            });
        }
    }
    Ok(Some(Node { op: op.to_owned(), arguments, outputs }))
}

/// An argument; none for where and how memory is laid out.
fn argument(value: &Value) -> Result<Option<Argument>, String> {
    fn all<T>(value: &Value, one: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        value.as_array()?.iter().map(one).collect()
    }
    let name = |value: &Value| value["name"].as_str().map(str::to_owned);
    let (kind, value) = tagged(value)?;
    let found = match kind {
        "as_device" | "as_layout" | "as_memory_format" => return Ok(None),
        "as_none" => Some(Argument::None),
        "as_tensor" => name(value).map(Argument::Tensor),
        "as_tensors" => all(value, name).map(Argument::Tensors),
        "as_optional_tensors" => {
            let one = |value: &Value| match tagged(value).ok()? {
                ("as_none", _) => Some(None),
                (_, value) => name(value).map(Some),
            };
            all(value, one).map(Argument::OptionalTensors)
        }
        "as_int" => value.as_i64().map(Argument::Int),
        "as_ints" => all(value, Value::as_i64).map(Argument::Ints),
        "as_sym_int" => value["as_int"].as_i64().map(Argument::Int),
        "as_sym_ints" => all(value, |each| each["as_int"].as_i64()).map(Argument::Ints),
        "as_float" => match value {
            Value::String(text) => text.parse().ok().map(Argument::Float),
            other => other.as_f64().map(Argument::Float),
        },
        "as_bool" => value.as_bool().map(Argument::Bool),
        "as_bools" => all(value, Value::as_bool).map(Argument::Bools),
        "as_string" => value.as_str().map(|text| Argument::Text(text.to_owned())),
        "as_scalar_type" => Some(Argument::Dtype(dtype(value)?)),
        _ => None,
    };
    found.map(Some).ok_or_else(|| format!("an argument of kind `{kind}`: {value:.80}"))
}

#[cfg(test)]
mod tests;

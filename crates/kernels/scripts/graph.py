"""A PyTorch module from a task's graph: each operation is the one of ATen that it names."""

import operator

import torch

DTYPES = {"f32": torch.float32, "f64": torch.float64, "i64": torch.int64, "i32": torch.int32,
          "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}


def module(_name, graph):
    """Takes the graph's inputs; its parameters are buffers of the same names."""
    made, held, values = torch.fx.Graph(), torch.nn.Module(), {}
    for spec in graph["inputs"]:
        values[spec["name"]] = made.placeholder(spec["name"])
    for spec in graph["parameters"]:
        held.register_buffer(spec["name"], torch.zeros(spec["shape"], dtype=DTYPES[spec["dtype"]]))
        values[spec["name"]] = made.get_attr(spec["name"])
    for node in graph["nodes"]:
        _, name, overload = node["op"].split(".")
        op = getattr(getattr(torch.ops.aten, name), overload)
        result = made.call_function(op, *arguments(op._schema, node, values))
        returns = op._schema.returns
        parts = len(returns) > 1 or str(returns[0].type).startswith("List")
        for idx, spec in enumerate(node["outputs"]):
            if spec["name"]:
                part = made.call_function(operator.getitem, (result, idx)) if parts else result
                values[spec["name"]] = part
    made.output(tuple(values[name] for name in graph["outputs"]))
    return torch.fx.GraphModule(held, made)


def arguments(schema, node, values):
    """As the schema has them: in order, then by name."""
    ordered, named, from_tensors = [], {}, False
    for each in schema.arguments:
        given = node["arguments"].get(each.name)
        value = each.default_value if given is None else argument(given, values)
        from_tensors |= "Tensor" in str(each.type)
        if each.name == "dtype" and value is None and not from_tensors:
            # What is made of nothing has the type that is declared.
            value = DTYPES[node["outputs"][0]["dtype"]]
        if each.kwarg_only:
            named[each.name] = value
        else:
            ordered.append(value)
    return tuple(ordered), named


def argument(given, values):
    if given == "none":
        return None
    [(kind, value)] = given.items()
    if kind == "tensor":
        return values[value]
    if kind in ("tensors", "optional-tensors"):
        return [None if name is None else values[name] for name in value]
    if kind == "dtype":
        return DTYPES[value]
    return float(value) if kind == "float" else value

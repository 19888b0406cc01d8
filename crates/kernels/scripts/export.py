"""A module in the style of KernelBench (`Model`, `get_inputs`, `get_init_inputs`) to a task.

Writes OUT.json, OUT.safetensors when tensors are stored, and with --check OUT.check.safetensors:
inputs, parameters and the outputs that torch computes from them in double precision.
Needs torch and nothing else. What goes wrong is the last line on stderr.
"""

import argparse, ast, json, math, os, re, struct, sys

# What no shrinking touches: it changes what is computed, not how much of it.
FIXED = re.compile(r"kernel|stride|pad|dilation|group|layer|head|scale|factor|pool|eps|step|axis|"
                   r"classes|expand|reduction|divisor|^dim$|seed|shift|block|chunk|window|patch")
FEATURES = re.compile(r"feature|channel|hidden|embed|^in_|^out_|input_size|output_size|width_mult")
BATCH = re.compile(r"batch")
DTYPES = {"float32": "f32", "float64": "f64", "int64": "i64", "int32": "i32", "int8": "i8",
          "uint8": "u8", "bool": "bool"}
KINDS = {"f32": "F32", "f64": "F64", "i64": "I64", "i32": "I32", "i8": "I8", "u8": "U8",
         "bool": "BOOL"}


def dtype_name(dtype):
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise SystemExit(f"tensors of {name} are not supported")
    return DTYPES[name]


class Source:
    """The file, with its integers at top level as knobs."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.tree = ast.parse(file.read(), path)
        self.path, self.knobs = path, {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
                parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                for idx, part in enumerate(parts):
                    name, value = self.knob(node, idx), self.number(part)
                    if value is not None:
                        self.knobs[name] = value

    @staticmethod
    def knob(node, idx):
        name = node.targets[-1].id
        return f"{name}.{idx}" if isinstance(node.value, ast.Tuple) else name

    @staticmethod
    def number(node):
        inside = (ast.Constant, ast.BinOp, ast.Mult, ast.Add, ast.Sub, ast.Pow, ast.FloorDiv)
        if not all(isinstance(each, inside) for each in ast.walk(node)):
            return None
        value = eval(compile(ast.Expression(node), "knob", "eval"), {})
        return value if type(value) is int and value > 0 else None

    def load(self, knobs):
        tree = ast.parse(ast.unparse(self.tree), self.path)
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[-1], ast.Name):
                tuple_of = node.value.elts if isinstance(node.value, ast.Tuple) else None
                for idx, part in enumerate(tuple_of or [node.value]):
                    name = self.knob(node, idx)
                    if name not in self.knobs:
                        continue
                    changed = ast.copy_location(ast.Constant(knobs[name]), part)
                    if tuple_of:
                        tuple_of[idx] = changed
                    else:
                        node.value = changed
        scope = {"__name__": "task", "__file__": self.path}
        exec(compile(ast.fix_missing_locations(tree), self.path, "exec"), scope)
        for name in ("Model", "get_inputs"):
            if name not in scope:
                raise SystemExit(f"no `{name}` in it")
        return scope

    def make(self, knobs, device="cpu"):
        scope = self.load(knobs)
        torch.manual_seed(0)
        with torch.device(device), torch.no_grad():
            given = scope.get("get_init_inputs", lambda: [])()
            model = scope["Model"](**given) if isinstance(given, dict) else scope["Model"](*given)
            torch.manual_seed(1)
            return model.eval(), tuple(scope["get_inputs"]())


def cost(source, knobs):
    """Multiply-adds times two, and bytes of inputs, parameters and outputs, without memory."""
    from torch.utils.flop_counter import FlopCounterMode
    model, inputs = source.make(knobs, "meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), torch.device("meta"), counter:
        outputs = model(*inputs)
    tensors = [*inputs, *model.parameters(), *model.buffers(),
               *(outputs if isinstance(outputs, (tuple, list)) else [outputs])]
    tensors = [each for each in tensors if isinstance(each, torch.Tensor)]
    if any(each.numel() == 0 for each in tensors):
        raise ValueError("an empty tensor")
    return counter.get_total_flops(), sum(t.numel() * t.element_size() for t in tensors)


def shrink(source, most_flop, most_bytes):
    """Smaller knobs, as few as needed: batch first, then the largest extents, then features."""
    knobs, stuck = dict(source.knobs), set()

    def fits(knobs):
        flop, n_bytes = cost(source, knobs)
        return flop <= most_flop and n_bytes <= most_bytes

    def attempt(name, value):
        # What has to be equal shrinks together.
        equal = [n for n in knobs if knobs[n] == knobs[name] and not FIXED.search(n)]
        for names in [name], equal:
            try:
                changed = {**knobs, **dict.fromkeys(names, value)}
                done = fits(changed)
                knobs.update(changed)
                return done
            except Exception:
                continue
        stuck.add(name)
        return False

    if fits(knobs):
        return knobs
    batches = [name for name in knobs if BATCH.search(name) and not FIXED.search(name)]
    for kind, least in (("batch", 16), ("extent", 24), ("batch", 4), ("feature", 24),
                        ("extent", 8), ("batch", 1), ("feature", 8), ("extent", 4)):
        while True:
            of_kind = [name for name in knobs if name not in stuck and not FIXED.search(name)
                       and knobs[name] // 2 >= least and kind == ("batch" if name in batches else
                       "feature" if FEATURES.search(name) else "extent")]
            if not of_kind:
                break
            name = max(of_kind, key=knobs.get)
            if attempt(name, knobs[name] // 2):
                return knobs
    return knobs


def odd(source, knobs):
    """Knobs for other sizes, all odd: as many changed as the module bears."""
    free = [n for n, v in knobs.items() if v > 2 and not FIXED.search(n)]
    batch = [n for n in free if BATCH.search(n)]
    extents = [n for n in free if n not in batch and not FEATURES.search(n)]
    other = lambda names: {n: min(knobs[n] // 2 | 1, 3 if n in batch else 1 << 30) for n in names}
    halves = {n: knobs[n] // 2 | 1 for n in free}
    some = [batch + extents, *([*batch, n] for n in extents), batch, *([n] for n in free)]
    for more in [*map(other, some), halves]:
        try:
            changed = {**knobs, **more}
            if changed != knobs and cost(source, changed):
                yield changed
        except Exception:
            continue


def argument(value, kind):
    """A value as the schema has it."""
    kind = kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Optional[") else kind
    if value is None:
        return "none"
    if isinstance(value, torch.fx.Node):
        return {"tensor": value.name}
    if isinstance(value, (list, tuple)) or kind.startswith("List["):
        value = list(value) if isinstance(value, (list, tuple)) else [value]
        if "Tensor" in kind:
            names = [each and each.name for each in value]
            return {"optional-tensors": names} if "Optional" in kind else {"tensors": names}
        if "bool" in kind:
            return {"bools": [bool(each) for each in value]}
        if all(isinstance(each, int) for each in value):
            return {"ints": [int(each) for each in value]}
        raise SystemExit(f"an argument that is not known: {value}")
    if isinstance(value, torch.dtype):
        return {"dtype": dtype_name(value)}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int) and kind != "float":
        return {"int": value}
    if isinstance(value, (int, float)):
        value = float(value)
        return {"float": value if math.isfinite(value) else str(value).replace("nan", "NaN")}
    if isinstance(value, str):
        return {"text": value}
    raise SystemExit(f"an argument that is not known: {value}")


def node_arguments(node):
    found = {}
    for idx, each in enumerate(node.target._schema.arguments):
        kind = str(each.type)
        if each.name in ("layout", "device", "pin_memory", "memory_format", "generator"):
            continue
        if idx < len(node.args) and not each.kwarg_only:
            value = node.args[idx]
        elif each.name in node.kwargs:
            value = node.kwargs[each.name]
        else:
            value = each.default_value
        found[each.name] = argument(value, kind)
    return found


def graph_of(program):
    """The graph, and for each placeholder what it stands for and its value if it has one."""
    tensor = lambda name, value: {"name": name, "dtype": dtype_name(value.dtype),
                                  "shape": [int(n) for n in value.shape]}
    program.graph_module.graph.eliminate_dead_code()
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    inputs, parameters, nodes, given = [], [], [], {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            kind = spec.kind.name
            if kind == "USER_INPUT" and not isinstance(node.meta.get("val"), torch.Tensor):
                continue
            if kind != "USER_INPUT" and not node.users:
                continue
            given[node.name] = (kind, spec.target)
            to = inputs if kind == "USER_INPUT" else parameters
            to.append(tensor(node.name, node.meta["val"]))
        elif node.op == "call_function" and "getitem" not in str(node.target):
            op = str(node.target)
            if "_assert_" in op:
                continue
            if not op.startswith("aten."):
                raise SystemExit(f"`{op}` is no operation of ATen")
            value = node.meta["val"]
            if op.startswith("aten.as_strided.") and not node.args[0].meta["val"].is_contiguous():
                raise SystemExit("`aten.as_strided` of a tensor that is not dense")
            if isinstance(value, (list, tuple)):
                names = {user.args[1]: user.name for user in node.users}
                outputs = [tensor(names.get(i, ""), each) for i, each in enumerate(value)
                           if each is not None]
            else:
                outputs = [tensor(node.name, value)]
            nodes.append({"op": op, "arguments": node_arguments(node), "outputs": outputs})
    kinds = {spec.kind.name for spec in program.graph_signature.output_specs}
    if kinds != {"USER_OUTPUT"}:
        raise SystemExit(f"it changes what it is given ({', '.join(sorted(kinds))})")
    outputs = [spec.arg.name for spec in program.graph_signature.output_specs]
    return {"inputs": inputs, "parameters": parameters, "nodes": nodes, "outputs": outputs}, given


def export(source, knobs):
    model, inputs = source.make(knobs)
    with torch.no_grad():
        program = torch.export.export(model, inputs, strict=False).run_decompositions()
    graph, given = graph_of(program)
    values, users = {}, [s.arg.name for s in program.graph_signature.input_specs
                         if s.kind.name == "USER_INPUT"]
    flat = [t for t in torch.utils._pytree.tree_leaves(inputs)]
    for name, value in zip(users, flat):
        values[name] = value
    for name, (kind, target) in given.items():
        if kind != "USER_INPUT":
            value = program.state_dict.get(target)
            values[name] = value if value is not None else program.constants[target]
    return model, inputs, graph, given, {n: v.detach() for n, v in values.items() if n in given}


def snap(value, spread):
    """The nearest plain number, if it is near enough."""
    for plain in (0.0, float(f"{value:.1g}"), float(f"{value:.2g}")):
        if abs(plain - value) <= 0.005 * spread:
            return plain
    return float(f"{value:.6g}")


def generator(kind, target, value):
    """How values like these are drawn."""
    integer = not value.is_floating_point()
    if kind == "CONSTANT_TENSOR" or value.numel() == 0:
        return "stored"
    if kind == "BUFFER" and not re.search(r"running_(mean|var)$", target or ""):
        return "stored"
    if value.dtype == torch.bool:
        return {"bernoulli": {"p": round(value.double().mean().item(), 2)}}
    x = value.double().flatten()
    low, high, mean = x.min().item(), x.max().item(), x.mean().item()
    if integer:
        if kind != "USER_INPUT" or low == high:
            return "stored"
        return {"integers": {"low": int(low), "high": int(high) + 1}}
    if (target or "").endswith("running_var"):
        return {"uniform": {"low": 0.5, "high": 1.5}}
    if low == high or x.numel() < 2:
        # Weights of one value would let a kernel leave them out.
        return "stored" if kind == "USER_INPUT" and x.numel() > 1 else {
            "normal": {"mean": mean, "std": 0.1 * max(abs(mean), 1.0)}}
    if bool((x == x.round()).all()):
        return {"integers": {"low": int(low), "high": int(high) + 1}}
    sums = value.double().sum(-1) if value.dim() else x
    if low >= 0 and value.shape[-1] > 1 and bool(((sums - 1).abs() < 1e-3).all()):
        return "probabilities"
    spread = high - low
    std = x.std().item()
    kurtosis = (((x - mean) / std) ** 4).mean().item()
    if kurtosis < 2.3 and x.numel() >= 32:
        return {"uniform": {"low": snap(low, spread), "high": snap(high, spread)}}
    return {"normal": {"mean": snap(mean, std * 5), "std": snap(std, std * 5)}}


def remarks(name, value):
    if value.dim() == 2 and value.shape[0] == value.shape[1] and value.shape[0] > 1:
        for word, same in (("upper triangular", value.triu()), ("lower triangular", value.tril()),
                           ("symmetric", value.T)):
            if torch.equal(value, same):
                return [f"`{name}` is {word} in the original; it is drawn without that here"]
    return []


def widen(model, inputs, given, values, generators):
    """Where the original's inputs, none of them negative, come out unchanged: Gaussians instead."""
    with torch.no_grad():
        outputs = torch.utils._pytree.tree_leaves(model(*inputs))
    same = lambda a, b: a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b)
    notes = []
    for name, (kind, _) in given.items():
        drawn = generators[name]
        if kind == "USER_INPUT" and "uniform" in drawn and drawn["uniform"]["low"] >= 0 and any(
                same(values[name], output) for output in outputs):
            generators[name] = {"normal": {"mean": 0.0, "std": 1.0}}
            notes.append(f"`{name}` is uniform in the original, which it returns unchanged")
    return notes


def write_tensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        value = value.detach().contiguous().cpu()
        blob = value.view(torch.uint8).numpy().tobytes() if value.dim() else value.numpy().tobytes()
        header[name] = {"dtype": KINDS[dtype_name(value.dtype)], "shape": list(value.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def shaped(tensor):
    return f"{tensor['name']}@{'x'.join(map(str, tensor['shape']))}"


def task_name(path):
    level = re.search(r"level(\d+)$", os.path.dirname(os.path.abspath(path)))
    stem = re.sub(r"[^a-z0-9]+", "_", os.path.splitext(os.path.basename(path))[0].lower()).strip("_")
    number = re.match(r"(\d+)_(.*)", stem)
    if level and number:
        return f"l{level[1]}_{int(number[1]):03}_{number[2]}"
    return stem or "task"


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("file")
    parse.add_argument("out")
    parse.add_argument("--source", default="")
    parse.add_argument("--licence", default="unknown")
    parse.add_argument("--shrink", action="store_true")
    parse.add_argument("--most-flop", type=float, default=2.5e9)
    parse.add_argument("--most-bytes", type=float, default=16 * 2**20)
    parse.add_argument("--variant", action="store_true")
    parse.add_argument("--check", action="store_true")
    args = parse.parse_args()
    source = Source(args.file)
    knobs = shrink(source, args.most_flop, args.most_bytes) if args.shrink else source.knobs
    flop, n_bytes = cost(source, knobs)
    if n_bytes > 2**31:
        raise SystemExit(f"{n_bytes} bytes of inputs, parameters and outputs are too many")
    model, inputs, graph, given, values = export(source, knobs)
    generators = {name: generator(*given[name], values[name]) for name in given}
    stored = {name: values[name] for name in given if generators[name] == "stored"}
    notes = ["evaluation semantics: batch statistics are the running ones, nothing is dropped"]
    notes += [f"sizes: {', '.join(f'{n}={v}' for n, v in knobs.items())}"] if knobs else []
    if knobs != source.knobs:
        was = ", ".join(f"{n}={v}" for n, v in source.knobs.items() if knobs[n] != v)
        notes.append(f"sizes of the original: {was}")
    notes += widen(model, inputs, given, values, generators)
    for name, (kind, _) in given.items():
        notes += remarks(name, values[name]) if kind == "USER_INPUT" else []
    variants = []
    for changed in odd(source, knobs) if args.variant else []:
        try:
            _, _, other, _, others = export(source, changed)
        except (Exception, SystemExit):
            continue
        same = lambda a, b: (a["name"], a["dtype"]) == (b["name"], b["dtype"])
        one = graph["inputs"] + graph["parameters"]
        two = other["inputs"] + other["parameters"]
        if len(one) == len(two) and all(map(same, one, two)):
            variants.append(other)
            for a, b in zip(one, two):
                if a["name"] in stored and a["shape"] != b["shape"]:
                    stored[shaped(b)] = others[b["name"]]
            break
    summary = (model.__doc__ or "").strip().splitlines()
    task = {
        "format": 1,
        "name": task_name(args.file),
        "summary": summary[0].strip() if summary else os.path.basename(args.file),
        "origin": {"source": args.source or os.path.basename(args.file), "licence": args.licence},
        "graph": graph,
        "generators": generators,
        "policy": {"weights_static": False, "product_bound": flop > 8 * n_bytes,
                   "redundant": False, "notes": notes},
        "variants": variants,
    }
    if stored:
        write_tensors(args.out + ".safetensors", stored)
    if args.check:
        wide = lambda v: v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v
        with torch.no_grad():
            outputs = model.double()(*torch.utils._pytree.tree_map(wide, inputs))
        outputs = torch.utils._pytree.tree_leaves(outputs)
        checked = {f"output.{i}": wide(value) for i, value in enumerate(outputs)}
        write_tensors(args.out + ".check.safetensors", {**values, **checked})
    with open(args.out + ".json", "w", encoding="utf-8") as file:
        json.dump(task, file)


if __name__ == "__main__":
    import torch
    try:
        main()
    except SystemExit:
        raise
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise SystemExit(text[:300])

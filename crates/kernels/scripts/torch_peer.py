"""PyTorch as a baseline: it speaks the language of worker.c, outside the sandbox.

Arguments: eager or compile, threads, paths of orders, answers, what is given, what is returned. On
standard input (JSON): the task's name and graph, the text that makes its module (export.py, suite.py or
graph.py), and for export.py the module's file and sizes.
Memory is mapped once; the judge moves contents between calls. Needs torch and numpy.
"""

import ctypes, json, mmap, os, struct, sys, warnings

MAP, CALL, COLLECT = 1, 2, 3
FUTEX = {"x86_64": 202, "aarch64": 98}[os.uname().machine]
FUTEX_WAIT, FUTEX_WAKE = 0, 1
# In the orders: sequence, command, threads, numbers given and returned; then start, span, offset and
# address of each buffer.
COMMAND, NUMBERS, BUFFERS, BUFFER = 4, 12, 32, 32
NUMPY_TYPES = {"f32": "float32", "f64": "float64", "i64": "int64", "i32": "int32", "i8": "int8",
               "u8": "uint8", "bool": "bool"}

# Runs within the first call, which counts for nothing: until compilers have compiled and the heap has
# the pages that it needs.
WARM_UP = 8

libc = ctypes.CDLL(None, use_errno=True)


def shared(path, writable):
    file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    return mmap.mmap(file, os.fstat(file).st_size, flags, protection)


def load(source, inputs):
    """The module, what it is called with, and its parameters by the names that the task has."""
    scope = {"__name__": "library", "torch": torch}
    exec(compile(source["library"], "library", "exec"), scope)
    if "file" in source:
        file = scope["Source"](source["file"])
        model, example = file.make({**file.knobs, **source["sizes"]})
        return model, example, state_of(model)
    model = scope["module"](source["name"], source["graph"])
    example = [torch.zeros(spec["shape"], dtype=getattr(torch, NUMPY_TYPES[spec["dtype"]]))
               for spec in inputs]
    return model, example, dict(model.named_buffers())


def state_of(model):
    """What export calls parameters and buffers."""
    plain = lambda name: name.replace(".", "_")
    return {**{"p_" + plain(name): value for name, value in model.named_parameters()},
            **{"b_" + plain(name): value for name, value in model.named_buffers()}}


def main():
    mode, n_threads, *paths = sys.argv[1:7]
    source = json.load(sys.stdin)
    inputs, parameters = source["graph"]["inputs"], source["graph"]["parameters"]
    files = zip(paths, (False, True, False, True))
    orders, answers, given, returned = (shared(*file) for file in files)
    torch.set_num_threads(int(n_threads))
    torch.set_grad_enabled(False)
    model, example, state = load(source, inputs)
    for spec in parameters:
        value = state.get(spec["name"])
        if value is None and not spec["name"].startswith("c_"):
            raise SystemExit(f"the module has no parameter `{spec['name']}`")
        if value is not None and list(value.shape) != spec["shape"]:
            raise SystemExit(f"parameter `{spec['name']}` has shape {list(value.shape)} in the module")
    shapes = [list(each.shape) for each in example if isinstance(each, torch.Tensor)]
    if shapes != [spec["shape"] for spec in inputs]:
        raise SystemExit(f"the module's inputs have shapes {shapes}")
    run = torch.compile(model) if mode == "compile" else model

    answer = ctypes.c_uint32.from_buffer(answers, 0)
    # The orders cannot be written here, so their address comes by way of an array.
    orders_at = numpy.frombuffer(orders, dtype=numpy.uint8).ctypes.data

    def futex(address, operation, value):
        libc.syscall(FUTEX, ctypes.c_void_p(address), operation, ctypes.c_uint32(value), None, None, 0)

    def starts():
        """Where contents begin in their files: of what is given, of what is returned."""
        n_given, n_returned = struct.unpack_from("II", orders, NUMBERS)
        found = []
        for idx in range(n_given + n_returned):
            start, _, offset, _ = struct.unpack_from("QQQQ", orders, BUFFERS + BUFFER * idx)
            found.append(start + offset)
        return found[:n_given], found[n_given:]

    def view(at, spec):
        count = 1
        for extent in spec["shape"]:
            count *= extent
        array = numpy.frombuffer(given, NUMPY_TYPES[spec["dtype"]], count, at)
        return torch.from_numpy(array.reshape(spec["shape"]))

    arguments, result, last, cold = [], None, 0, True
    while True:
        now = struct.unpack_from("I", orders, 0)[0]
        if now == last:
            futex(orders_at, FUTEX_WAIT, last)
            continue
        last, command = now, struct.unpack_from("I", orders, COMMAND)[0]
        if command == MAP:
            result = None
            views = [view(at, spec) for at, spec in zip(starts()[0], inputs + parameters)]
            tensors = iter(views[: len(inputs)])
            arguments = [next(tensors) if isinstance(each, torch.Tensor) else each for each in example]
            for spec, source in zip(parameters, views[len(inputs) :]):
                if spec["name"] in state:
                    state[spec["name"]].data = source
        elif command == CALL:
            for _ in range(WARM_UP if cold else 1):
                result = None
                result = run(*arguments)
            cold = False
        else:
            for at, tensor in zip(starts()[1], torch.utils._pytree.tree_leaves(result)):
                tensor = tensor.contiguous()
                size = tensor.numel() * tensor.element_size()
                if size:
                    to = ctypes.addressof(ctypes.c_char.from_buffer(returned, at))
                    ctypes.memmove(to, tensor.data_ptr(), size)
        answer.value = now
        futex(ctypes.addressof(answer), FUTEX_WAKE, 1)


warnings.filterwarnings("ignore")
try:
    import numpy
    import torch
    import torch.utils._pytree
    main()
except SystemExit:
    raise
except BaseException as error:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    raise SystemExit(text[:300])

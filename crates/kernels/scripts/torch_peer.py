"""PyTorch as a baseline: it speaks the language of worker.c, outside the sandbox.

usage: torch_peer.py MODULE.py eager|compile N_THREADS INPUTS PARAMETERS ORDERS ANSWERS GIVEN RETURNED

MODULE.py has `Model`, `get_inputs` and `get_init_inputs` as KernelBench's tasks do. What is given comes
as the module's inputs, then as its parameters and buffers, in the order and with the shapes of the two
JSON lists of {"name", "dtype", "shape"}. Memory is mapped once; the judge moves contents between calls.
"""

import ctypes
import json
import mmap
import os
import struct
import sys

MAP, CALL = 1, 2
FUTEX, FUTEX_WAIT, FUTEX_WAKE = {"x86_64": 202, "aarch64": 98}[os.uname().machine], 0, 1
# Of orders: sequence, command, threads, numbers given and returned; then four numbers a buffer.
BUFFERS, BUFFER = 32, 32

libc = ctypes.CDLL(None, use_errno=True)


def shared(path, writable):
    file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    size = os.fstat(file).st_size
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    return mmap.mmap(file, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, protection)


def main():
    module_path, mode, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    inputs, parameters = json.loads(sys.argv[4]), json.loads(sys.argv[5])
    orders, answers, given, returned = (
        shared(path, writable) for path, writable in zip(sys.argv[6:10], (False, True, False, True))
    )
    import numpy
    import torch

    torch.set_num_threads(n_threads)
    torch.set_grad_enabled(False)
    names = {}
    with open(module_path) as file:
        exec(compile(file.read(), module_path, "exec"), names)
    model = names["Model"](*names.get("get_init_inputs", list)()).eval()
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    run = torch.compile(model) if mode == "compile" else model

    numpy_types = {"f32": "float32", "f64": "float64", "i64": "int64", "i32": "int32",
                   "i8": "int8", "u8": "uint8", "bool": "bool"}
    word = ctypes.c_uint32.from_buffer(answers, 0)
    status = ctypes.c_uint32.from_buffer(answers, 4)
    # The orders cannot be written here, so their address comes by way of an array.
    orders_address = numpy.frombuffer(orders, dtype=numpy.uint8).ctypes.data

    def futex(address, operation, value):
        libc.syscall(FUTEX, ctypes.c_void_p(address), operation, ctypes.c_uint32(value), None, None, 0)

    def places():
        n_given, n_returned = struct.unpack_from("II", orders, 12)
        return [
            (start + offset, idx < n_given)
            for idx in range(n_given + n_returned)
            for start, _, offset, _ in [struct.unpack_from("QQQQ", orders, BUFFERS + BUFFER * idx)]
        ]

    def view(memory, at, spec):
        count = int(numpy.prod(spec["shape"], dtype=numpy.int64))
        array = numpy.frombuffer(memory, numpy_types[spec["dtype"]], count, at)
        return torch.from_numpy(array.reshape(spec["shape"]))

    arguments, result, last = [], None, 0
    import warnings

    warnings.filterwarnings("ignore")
    while True:
        now = struct.unpack_from("I", orders, 0)[0]
        if now == last:
            futex(orders_address, FUTEX_WAIT, last)
            continue
        last = now
        if struct.unpack_from("I", orders, 4)[0] == MAP:
            # Copies the last result out: not on the clock, and before the judge looks at it there
            # is nothing new to see.
            where = [at for at, of_given in places() if of_given]
            specs = inputs + parameters
            views = [view(given, at, spec) for at, spec in zip(where, specs)]
            arguments = views[: len(inputs)]
            for spec, source in zip(parameters, views[len(inputs) :]):
                state[spec["name"]].data = source
            status.value = 0
        else:
            result = run(*arguments)
            results = result if isinstance(result, (tuple, list)) else (result,)
            where = [at for at, of_given in places() if not of_given]
            for at, tensor in zip(where, results):
                tensor = tensor.contiguous()
                size = tensor.numel() * tensor.element_size()
                target = ctypes.addressof(ctypes.c_char.from_buffer(returned, at)) if size else 0
                ctypes.memmove(target, tensor.data_ptr(), size)
        word.value = now
        futex(ctypes.addressof(word), FUTEX_WAKE, 1)


main()

"""The bundled tasks as one writes them in PyTorch, by name: what a kernel has to be faster than.

Arguments have the names of the task's inputs and parameters. Where PyTorch has an operation of its own
it is used, and where there are several ways, the one that was faster on a CPU.
"""

import functools

import torch
import torch.nn.functional as F


def softmax(x):
    return F.softmax(x, dim=-1)


def layer_norm(x, weight, bias):
    return F.layer_norm(x, weight.shape, weight, bias, eps=1e-5)


def gelu_chain(x, residual, bias):
    return F.gelu(x + bias) + residual


def running_sum(x):
    return torch.cumsum(x, dim=1)


def column_sums(x):
    return x.sum(dim=0)


def depthwise_conv(x, weight):
    return F.relu(F.conv2d(x, weight, padding=1, groups=x.shape[1]))


def conv_relu(x, weight, bias):
    return F.relu(F.conv2d(x, weight, bias.flatten(), padding=1))


def max_pool(x):
    return F.max_pool2d(x, kernel_size=3, stride=2, padding=1)


def matmul(a, b):
    return a @ b


def cross_entropy(x, target):
    return F.cross_entropy(x, target, reduction="none")


def rms_norm(x, weight):
    return F.rms_norm(x, weight.shape, weight, eps=1e-6)


def causal_fir(x, filter):
    return F.conv1d(x, filter, padding=filter.shape[-1] - 1, groups=x.shape[1])[..., : x.shape[-1]]


def long_fir(x, before, after, filter):
    # Padded ahead: with so much padding of its own the convolution takes five times as long.
    x = F.pad(x * before, (filter.shape[-1] - 1, 0))
    return F.conv1d(x, filter, groups=x.shape[1]) * after


def modal_filter(log_poles, residues, length):
    time = torch.arange(length, dtype=log_poles.dtype)
    return (residues.mT @ torch.exp(log_poles * time)).squeeze(1)


def gated_mlp(x, gate, up):
    return F.gelu(x @ gate) * (x @ up)


def attention(q, k, v, angles):
    cos, sin = angles.cos(), angles.sin()

    def turned(x):
        one, other = x.chunk(2, dim=-1)
        return torch.cat((one * cos - other * sin, one * sin + other * cos), dim=-1)

    # With an axis for the batch: without one, it takes a slower way.
    return F.scaled_dot_product_attention(turned(q)[None], turned(k)[None], v[None])[0]


def int8_linear(x, weight, scale):
    return torch._int_mm(x, weight.T) * scale


class Held(torch.nn.Module):
    """One of the above, with a task's parameters as its own."""

    def __init__(self, function, parameters):
        super().__init__()
        self.function, self.names = function, [spec["name"] for spec in parameters]
        for spec in parameters:
            dtype = {"f32": torch.float32, "i8": torch.int8}[spec["dtype"]]
            self.register_buffer(spec["name"], torch.zeros(spec["shape"], dtype=dtype))

    def forward(self, *inputs):
        return self.function(*inputs, *(getattr(self, name) for name in self.names))


def module(name, graph):
    function = globals()[name]
    if name == "modal_filter":
        # Its length is that of the output, and of no input.
        length = graph["nodes"][-1]["outputs"][0]["shape"][-1]
        function = functools.partial(function, length=length)
    return Held(function, graph["parameters"])

"""S1's transformer in PyTorch and in ONNX Runtime, one forward for each line of input.

Arguments: width, head size, encoder layers, decoder layers, hidden, tokens seen, actions, latent, state.
Prints the versions, then milliseconds of its thread for each line `torch-f32`, `ort-f32` or `ort-int8`. One
thread each. Vision is left out on both sides.
"""

import os
import sys
import tempfile
import time

import onnxruntime
import torch
import torch.nn.functional as F
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

WIDTH, HEAD, ENCODER, DECODER, HIDDEN, SEEN, ACTIONS, LATENT, STATE = map(int, sys.argv[1:])
torch.set_num_threads(1)
torch.manual_seed(1)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return x * self.scale / (x.pow(2).mean(-1, keepdim=True).sqrt() + 1e-5)


def heads(x):
    return x.view(1, -1, WIDTH // HEAD, HEAD).transpose(1, 2)


def attend(q, k, v):
    out = F.scaled_dot_product_attention(heads(q), heads(k), heads(v))
    return out.transpose(1, 2).reshape(1, -1, WIDTH)


class Layer(nn.Module):
    def __init__(self, crosses):
        super().__init__()
        self.own, self.mlp = Norm(), Norm()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.leave = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)
        self.crosses = crosses
        if crosses:
            self.cross = Norm()
            self.q = nn.Linear(WIDTH, WIDTH, bias=False)
            self.kv = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
            self.take = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, memory):
        x = x + self.leave(attend(*self.qkv(self.own(x)).chunk(3, -1)))
        if self.crosses:
            k, v = self.kv(memory).chunk(2, -1)
            x = x + self.take(attend(self.q(self.cross(x)), k, v))
        return x + self.down(F.gelu(self.up(self.mlp(x))))


class S1(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleList(Layer(False) for _ in range(ENCODER))
        self.decoder = nn.ModuleList(Layer(True) for _ in range(DECODER))
        self.encoded, self.decoded = Norm(), Norm()
        self.latent, self.state = nn.Linear(LATENT, WIDTH), nn.Linear(STATE, WIDTH)
        self.felt, self.glance = nn.Linear(STATE, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.places = nn.Parameter(torch.randn(1, SEEN, WIDTH))
        self.queries = nn.Parameter(torch.randn(1, ACTIONS, WIDTH))
        self.act = nn.Linear(WIDTH, 64)

    def forward(self, seen, latent, state, glance):
        seen = seen + self.places
        for layer in self.encoder:
            seen = layer(seen, seen)
        seen = self.encoded(seen)
        glance = self.glance(F.gelu(self.felt(state) + glance))
        asked = torch.cat([self.latent(latent), self.state(state), self.queries + glance], 1)
        for layer in self.decoder:
            asked = layer(asked, seen)
        return self.act(self.decoded(asked))


def exported(model, inputs, folder):
    """Sessions of ONNX Runtime, in f32 and with weights of bytes."""
    plain, narrow = os.path.join(folder, "f32.onnx"), os.path.join(folder, "int8.onnx")
    with torch.inference_mode():
        torch.onnx.export(
            model, tuple(inputs.values()), plain, input_names=list(inputs), dynamo=False
        )
    quantize_dynamic(plain, narrow, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return {
        name: onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for name, path in [("ort-f32", plain), ("ort-int8", narrow)]
    }


def main():
    model = S1().eval()
    sizes = {"seen": (SEEN, WIDTH), "latent": (1, LATENT), "state": (1, STATE), "glance": (1, WIDTH)}
    inputs = {name: torch.full((1, *size), 0.3) for name, size in sizes.items()}
    feed = {name: value.numpy() for name, value in inputs.items()}
    # Left behind by no one: this process ends by being killed.
    with tempfile.TemporaryDirectory() as folder:
        sessions = exported(model, inputs, folder)
    count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(
        f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {count:.1f}M parameters",
        flush=True,
    )
    for line in sys.stdin:
        start = time.thread_time()
        if line.strip() == "torch-f32":
            with torch.inference_mode():
                model(*inputs.values())
        else:
            sessions[line.strip()].run(None, feed)
        print((time.thread_time() - start) * 1e3, flush=True)


if __name__ == "__main__":
    main()

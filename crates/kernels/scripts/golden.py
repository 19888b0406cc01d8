"""Writes the archives in tests/data/pt2: golden.py FOLDER. Made with torch 2.7.1 on the CPU."""

import sys

import torch
import torch.nn as nn


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.scale = nn.Linear(3, 4), nn.BatchNorm1d(4), torch.tensor([2.0])

    def forward(self, x, y):
        z = self.norm(self.linear(x))
        most, _ = z.max(1)
        parts = torch.split(z, [1, 3], 1)
        return (nn.functional.gelu(z) * self.scale, most.sum((0,), keepdim=True), z.argmax(1),
                z.masked_fill(y, float("-inf")), torch.cat([z, z], 1), parts[0])


class Places(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("order", torch.tensor([1, 0]))

    def forward(self, x):
        return x[:, self.order]


torch.manual_seed(0)
for name, module, inputs in (("layers", Layers(), (torch.rand(2, 3), torch.rand(2, 4) > 0.5)),
                             ("places", Places(), (torch.rand(2, 3),))):
    program = torch.export.export(module.eval(), inputs).run_decompositions()
    for node in program.graph.nodes:
        # Paths of the machine that made it.
        node.meta.pop("stack_trace", None)
    torch.export.save(program, f"{sys.argv[1]}/{name}.pt2")

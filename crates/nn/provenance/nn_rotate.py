import torch
import torch.nn as nn

class Model(nn.Module):
    """Queries and keys of heads turned by their positions: queries stay in blocks of channels and are scaled, keys become blocks of 32 keys"""
    def __init__(self):
        super().__init__()

    def forward(self, q, k, cos, sin):
        # q, k: [heads, half, blocks of the half, T, 32]; cos, sin: [blocks of the half, T, 32]
        def turn(x):
            a, b = x[:, 0], x[:, 1]
            return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=1)
        h, _, n, t, w = q.shape
        keys = turn(k).reshape(h, 2 * n, t // 32, 32, w).permute(0, 2, 1, 4, 3).contiguous()
        return turn(q) * 0.08838834764831845, keys

def get_inputs():
    return [torch.randn(4, 2, 2, 512, 32), torch.randn(4, 2, 2, 512, 32), torch.randn(2, 512, 32), torch.randn(2, 512, 32)]

def get_init_inputs():
    return []

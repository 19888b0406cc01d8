import torch
import torch.nn as nn

class Model(nn.Module):
    """RMSNorm over blocks of channels, [C / 32][T][32], as nn keeps activations"""
    def __init__(self, n_blocks):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(n_blocks, 1, 32) + 0.5)

    def forward(self, x):
        mean = torch.mean(x * x, dim=(0, 2), keepdim=True)
        factor = 1.0 / (torch.sqrt(mean) + 1e-6)
        return x * factor * self.scale

def get_inputs():
    return [torch.randn(16, 512, 32)]

def get_init_inputs():
    return [16]

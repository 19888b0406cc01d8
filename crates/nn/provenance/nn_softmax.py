import torch
import torch.nn as nn

class Model(nn.Module):
    """Exponentials of scores above the greatest of each query, and their sums, as attention takes them 128 keys at a time"""
    def __init__(self):
        super().__init__()

    def forward(self, x):
        e = torch.exp(x - torch.amax(x, dim=-1, keepdim=True))
        return e, torch.sum(e, dim=-1)

def get_inputs():
    return [torch.randn(2048, 128)]

def get_init_inputs():
    return []

# Small modules that together use every class of operation; split at the lines with a name.
import torch
import torch.nn as nn
import torch.nn.functional as F

def get_init_inputs():
    return []

def few(*shape):
    return torch.rand(*shape) * 4 - 2

# --- pointwise
class Model(nn.Module):
    def forward(self, x, y):
        p = y.abs() + 0.1
        return (x.abs(), torch.acos(x / 3), torch.asinh(x), torch.atan(x), x.ceil(), x.cos(), torch.cosh(x),
                torch.erf(x), x.exp(), torch.expm1(x), x.floor(), p.log(), torch.log1p(p), torch.log2(p), p.log10(),
                -x, x.reciprocal(), x.relu(), (x * 3).round(), p.rsqrt(), x.sigmoid(), x.sign(), x.sin(), torch.sinh(x),
                p.sqrt(), x.square(), x.tan(), x.tanh(), x.trunc(), x.frac(), torch.atan2(x, y), torch.hypot(x, y),
                x.pow(3), p.pow(x), 2 ** x, x % 1.5, torch.fmod(x, 1.5), torch.remainder(x, y),
                torch.div(x, y, rounding_mode="floor"), torch.div(x, y, rounding_mode="trunc"),
                torch.maximum(x, y), torch.minimum(x, y), torch.where(x > y, x, y), torch.copysign(x, y),
                x.masked_fill(x > 0, float("-inf")), torch.addcmul(x, x, y, value=0.5), torch.addcdiv(x, x, p, value=2),
                torch.lerp(x, y, 0.3), torch.rsub(x, y, alpha=2), x.add(y, alpha=3), torch.xlogy(p, p))
def get_inputs():
    return [few(5, 7), few(5, 7)]

# --- activations
class Model(nn.Module):
    def forward(self, x):
        return (F.gelu(x), F.gelu(x, approximate="tanh"), F.elu(x, 0.7), F.celu(x, 0.7), F.selu(x), F.leaky_relu(x, 0.2),
                F.hardtanh(x), F.relu6(x * 4), F.hardswish(x * 2), F.hardsigmoid(x * 2), F.silu(x), F.mish(x),
                F.softplus(x, 2, 3), F.softsign(x), F.logsigmoid(x), F.tanhshrink(x), F.hardshrink(x), F.softshrink(x),
                F.threshold(x, 0.1, 20), x.clamp(-1, 0.5), x.clamp(min=0.1), x.clamp(max=0.1), F.prelu(x, x[0, :1] * 0 + 0.2))
def get_inputs():
    return [few(6, 9)]

# --- logic
class Model(nn.Module):
    def forward(self, x, y, i):
        a, b = x > 0, y > 0
        return (a & b, a | b, a ^ b, ~a, x == y, x != y, x <= y, x >= y, x < y, torch.isnan(x), torch.isinf(x),
                a.any(), a.any(1), a.all(0), a.logical_xor(b), i // 3, i % 3, i & 5, i * i, i.float(), x.long(),
                i.sum(), i.max(), i.to(torch.int32), torch.bitwise_not(i))
def get_inputs():
    return [few(4, 6), few(4, 6), torch.randint(-9, 9, (4, 6))]

# --- repeated
class Model(nn.Module):
    def forward(self, x, y, z):
        return x + y, x * z, y - z, x / (z.abs() + 1), torch.where(y > 0, x, z), x.clamp(y, y + 1)
def get_inputs():
    return [few(2, 3, 4, 50), few(3, 1, 1), few(4, 1)]

# --- views
class Model(nn.Module):
    def forward(self, x, y):
        return (x.permute(2, 0, 3, 1), x.transpose(1, 2), x.view(6, -1), x.reshape(-1), x.flatten(1), x.unsqueeze(2),
                x[:, :1].squeeze(1), x[:, 1], x[..., -1], x[:, 1:3, ::2], x.expand(2, 2, 3, 4, 5), x.flip([1, 3]), x.roll(2, 3),
                x.roll((1, -1), (0, 2)), torch.cat([x, x * 2], 1), torch.stack([x, x], -1), x.unfold(3, 3, 2), x.repeat(1, 2, 1, 1),
                F.pad(x, (1, 2, 0, 1), value=3.0), F.pad(x, (1, 2, 1, 1), mode="reflect"), F.pad(x, (1, 2, 1, 1), mode="replicate"),
                *x.split(2, 3), *x.chunk(3, 1), *x.unbind(0), y.T, y.tril(), y.triu(1), y.tril(-1), y.diagonal(1), y.narrow(0, 1, 2),
                x.as_strided((2, 2), (1, 7), 3), x.permute(3, 1, 2, 0).contiguous())
def get_inputs():
    return [few(2, 3, 4, 5), few(5, 6)]

# --- made
class Model(nn.Module):
    def forward(self, x):
        n = x.shape[1]
        return (x + torch.arange(n), torch.eye(n) + x[:1], x * torch.ones(n), torch.zeros_like(x) + x, torch.full((n,), 0.25) + x,
                torch.linspace(0, 1, n) * x, torch.arange(1, 2 * n, 2) + x)
def get_inputs():
    return [few(3, 6)]

# --- reduced
class Model(nn.Module):
    def forward(self, x):
        return (x.sum(), x.sum(1), x.sum((0, 2), keepdim=True), x.mean(), x.mean(2), x.mean((0, 1)), x.prod(1), x.amax(1),
                x.amin((1, 2)), *x.max(1), *x.min(2, keepdim=True), x.max(), x.min(), x.argmax(1), x.argmin(), x.argmax(2, keepdim=True),
                x.var(1), x.var((1, 2), unbiased=False), x.std(2), *torch.var_mean(x, 1), x.logsumexp(1), x.norm(), x.norm(1, 2),
                torch.linalg.vector_norm(x, 3, dim=1), torch.linalg.vector_norm(x, float("inf"), dim=(0, 1)), F.normalize(x, dim=1))
def get_inputs():
    return [few(3, 4, 5)]

# --- along
class Model(nn.Module):
    def forward(self, x):
        return (x.cumsum(0), x.cumsum(2), x.cumprod(1), x.softmax(1), x.softmax(2), x.log_softmax(0), x.flip(1).cumsum(1).flip(1),
                (x * 100).softmax(2), F.cross_entropy(x[0], torch.tensor([0, 1, 2, 3])), F.kl_div(x.log_softmax(2), x.softmax(2)),
                F.smooth_l1_loss(x, x * 0.1), F.huber_loss(x, x * 0.1), F.cosine_similarity(x[0], x[1], dim=1))
def get_inputs():
    return [few(3, 4, 5)]

# --- products
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.bilinear = nn.Linear(6, 3, bias=False)
    def forward(self, x, y, v):
        return (x @ y, torch.bmm(x, y), x[0] @ v, v @ v, self.linear(x), self.bilinear(x[0]), torch.baddbmm(x @ y, x, y, beta=0.5, alpha=2),
                torch.einsum("bij,bjk->bik", x, y), torch.addmm(v[:5], x[0], y[0]), torch.outer(v, v),
                F.scaled_dot_product_attention(x, x, x), F.scaled_dot_product_attention(x, x, x, is_causal=True))
def get_inputs():
    return [few(2, 3, 6), few(2, 6, 5), few(6)]

# --- convolutions
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2)
        self.b = nn.Conv2d(4, 6, (3, 5), stride=(1, 2), padding=(2, 0), bias=False)
        self.c = nn.Conv3d(4, 2, 3, padding=1, dilation=(1, 2, 1))
        self.d = nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2)
        self.e = nn.ConvTranspose2d(4, 3, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(2, 3))
        self.f = nn.ConvTranspose3d(4, 4, 3, stride=2, padding=1, output_padding=(1, 0, 1), groups=4, bias=False)
        self.g = nn.Conv2d(4, 4, 3, padding="same", groups=4)
    def forward(self, x, y, z):
        return self.a(x), self.b(y), self.c(z), self.d(x), self.e(y), self.f(z), self.g(y)
def get_inputs():
    return [few(2, 4, 11), few(2, 4, 7, 9), few(2, 4, 4, 6, 5)]

# --- pools
class Model(nn.Module):
    def forward(self, x, y, z):
        return (F.max_pool1d(x, 3, 2, 1, 2), F.avg_pool1d(x, 3, 2, 1), F.adaptive_avg_pool1d(x, 4), F.adaptive_max_pool1d(x, 3),
                *F.max_pool2d(y, (2, 3), 2, (1, 1), return_indices=True), F.max_pool2d(y, 3, 2, 1, 1, ceil_mode=True),
                F.avg_pool2d(y, 3, 2, 1, ceil_mode=True), F.avg_pool2d(y, 3, 2, 1, ceil_mode=True, count_include_pad=False),
                F.avg_pool2d(y, 2, divisor_override=3), F.adaptive_avg_pool2d(y, (3, 4)), F.adaptive_avg_pool2d(y, 1), F.adaptive_max_pool2d(y, 2),
                F.max_pool3d(z, 2), F.max_pool3d(z, 3, 2, 1), F.avg_pool3d(z, 3, 2, 1), F.adaptive_avg_pool3d(z, (2, 3, 1)))
def get_inputs():
    return [few(2, 3, 11), few(2, 3, 7, 8), few(2, 3, 5, 6, 7)]

# --- norms
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.BatchNorm2d(6), nn.GroupNorm(3, 6), nn.LayerNorm([5, 4])
        self.d, self.e, self.f = nn.InstanceNorm2d(6, affine=True), nn.RMSNorm(4, eps=1e-5), nn.BatchNorm1d(6)
        self.g = nn.InstanceNorm2d(6)
        for each in (self.a, self.b, self.c, self.d, self.f):
            nn.init.uniform_(each.weight)
            nn.init.uniform_(each.bias)
        for each in (self.a, self.f):
            each.running_mean.uniform_()
            each.running_var.uniform_(0.5, 2)
    def forward(self, x):
        return (self.a(x), self.b(x), self.c(x), self.d(x), self.e(x), self.f(x[..., 0]), self.g(x), F.local_response_norm(x, 3))
def get_inputs():
    return [few(2, 6, 5, 4)]

# --- places
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.register_buffer("order", torch.tensor([2, 0, 1]))
    def forward(self, x, i):
        return (self.table(i), x[self.order], x[:, self.order], x[self.order, :, self.order], x.index_select(1, self.order),
                x.gather(2, i[None, :, :3].expand(3, 4, 3) % 3), x[:, [0, -1]], torch.take_along_dim(x, x.argmax(1, keepdim=True), 1))
def get_inputs():
    return [few(3, 4, 3), torch.randint(0, 7, (4, 5))]

# --- recurrent
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.query = nn.GRU(5, 4, batch_first=True), nn.MultiheadAttention(4, 2, batch_first=True)
    def forward(self, x):
        h, _ = self.rnn(x)
        y = h.clone()
        y[:, 1] = h[:, 0]
        y[:, ::2] = y[:, ::2] * 2
        return h, self.query(h, h, h, need_weights=False)[0], y
def get_inputs():
    return [few(2, 6, 5)]

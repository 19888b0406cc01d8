#!/usr/bin/env python3
"""Run the official Evo 2 inference code (PyPI `vtx`) on a CPU, for comparison.

usage: evo2_peer.py FOLDER CONFIG WEIGHTS [--threads N]

The first run makes a virtual environment in FOLDER with vtx 1.1.0 and torch 2.7.1 from PyPI (several
GB). CONFIG is JSON with the official field names, WEIGHTS safetensors under the official names.

Reads one request a line from stdin and answers each with one line of JSON:

    forward DTYPE L         seconds and the sum of logits of one forward pass over L tokens
    prefill DTYPE L         seconds of a forward pass over L tokens that fills the caches
    decode DTYPE P N        seconds of N cached steps after P tokens
    matmul DTYPE M K N      seconds of one product
    peak                    greatest resident memory so far, bytes

The package expects a GPU: its compiled attention, its Triton kernels and its CUDA contexts are replaced
at run time by the plain formulas beside them. Nothing that is timed is made slower by that.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
import types
import venv

PACKAGES = ["torch==2.7.1", "numpy", "einops", "rich", "tqdm", "pyyaml", "packaging", "safetensors"]


def enter_environment(folder):
    """Runs this script again inside the environment, which is made if it is not there."""
    python = os.path.join(folder, "venv", "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(folder, "venv")):
        return
    if not os.path.exists(os.path.join(folder, "ready")):
        os.makedirs(folder, exist_ok=True)
        venv.create(os.path.join(folder, "venv"), with_pip=True)
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
        subprocess.run([*pip, "--no-deps", "vtx==1.1.0"], check=True, stdout=sys.stderr)
        open(os.path.join(folder, "ready"), "w").close()
    os.execv(python, [python, *sys.argv])


def stand_in():
    """Replaces what needs a GPU."""
    import importlib.machinery

    import torch

    attention = types.ModuleType("flash_attn_2_cuda")
    attention.__spec__ = importlib.machinery.ModuleSpec("flash_attn_2_cuda", None)
    sys.modules["flash_attn_2_cuda"] = attention
    for name in ("hcs", "hcm", "hcl"):
        sys.modules[f"vortex.ops.{name}_interface"] = None

    def apply_rotary(x, cos, sin, seqlen_offsets=0, cu_seqlens=None, max_seqlen=None,
                     interleaved=False, inplace=False, conjugate=False):
        length, half = x.shape[1], cos.shape[-1]
        start = int(seqlen_offsets)
        cos = cos[start:start + length, None, :].float()
        sin = sin[start:start + length, None, :].float()
        a, b = x[..., :half].float(), x[..., half:2 * half].float()
        out = torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)
        return x.copy_(out) if inplace else out

    rotary = types.ModuleType("vortex.ops.embedding.rotary")
    rotary.apply_rotary = apply_rotary
    sys.modules["vortex.ops.embedding.rotary"] = rotary
    torch.cuda.device = lambda *_: contextlib.nullcontext()


def load(config, weights, dtype):
    import torch
    from safetensors.torch import load_file
    from vortex.model.model import StripedHyena
    from vortex.model.utils import dotdict

    settings = json.load(open(config))
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    settings.update({
        "use_flash_attn": False, "use_flash_rmsnorm": False, "use_flash_depthwise": False,
        "use_flashfft": False, "use_fp8_input_projections": False, "max_batch_size": 1,
        "column_split": True, "column_split_hyena": False, "interleave": True,
        "evo2_style_activations": True, "tie_embeddings": True, "mha_out_proj_bias": True,
        "hyena_out_proj_bias": True, "qkv_proj_bias": False, "final_norm": True,
        "inference_mode": True, "prefill_style": "fft", "mlp_activation": "gelu",
        "make_vocab_size_divisible_by": 8, "inner_size_multiple_of": 16, "proj_groups": 1,
        "hyena_filter_groups": 1, "model_parallel_size": 1, "pipe_parallel_size": 1,
        "num_filters": settings["hidden_size"], "hcl_filter_groups": settings["hidden_size"],
        "short_filter_bias": False, "hyena_flip_x1x2": False,
        "attn_block_dtype": kind, "hyena_block_dtype": kind, "mlp_dtype": kind,
    })
    # Some parameters begin as bfloat16, and would round what is loaded into them.
    model = StripedHyena(dotdict(settings)).float()
    state = load_file(weights)
    state["unembed.weight"] = state["embedding_layer.weight"]
    model.custom_load_state_dict(state, strict=False)
    model = model.to(kind)
    if dtype == "bf16":
        for key, parameter in model.named_parameters():
            if "log_poles" in key or "residues" in key:
                parameter.data = state[key].float()
    return model.eval()


def main():
    threads = int(sys.argv[sys.argv.index("--threads") + 1]) if "--threads" in sys.argv else 2
    enter_environment(sys.argv[1])
    # Answers alone go to stdout; what the package prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(threads)
    stand_in()
    models = {}

    def tokens(n):
        # The same bases as the other side: a fixed walk over A, C, G and T.
        bases, state, out = b"ACGT", 1, []
        for _ in range(n):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(bases[state >> 62])
        return torch.tensor([out], dtype=torch.long)

    def model_of(dtype):
        if dtype not in models:
            models[dtype] = load(sys.argv[2], sys.argv[3], dtype)
        return models[dtype]

    def prefilled(dtype, length, room):
        model = model_of(dtype)
        caches = model.initialize_inference_params(max_seqlen=length + room)
        start = time.perf_counter()
        logits, caches = model(tokens(length), inference_params_dict=caches)
        return model, caches, time.perf_counter() - start

    def answer(request, *arguments):
        if request == "forward":
            dtype, length = arguments[0], int(arguments[1])
            model, input = model_of(dtype), tokens(int(length))
            start = time.perf_counter()
            logits, _ = model(input)
            seconds = time.perf_counter() - start
            return {"seconds": seconds, "last": logits[0, -1].float().tolist()}
        if request == "prefill":
            return {"seconds": prefilled(arguments[0], int(arguments[1]), 8)[2]}
        if request == "decode":
            dtype, prompt, steps = arguments[0], int(arguments[1]), int(arguments[2])
            model, caches, _ = prefilled(dtype, prompt, steps + 8)
            walk = tokens(prompt + steps)
            start = time.perf_counter()
            for at in range(prompt, prompt + steps):
                for cache in caches.values():
                    cache.seqlen_offset = at
                _, caches = model(walk[:, at:at + 1], inference_params_dict=caches)
            return {"seconds": time.perf_counter() - start}
        if request == "matmul":
            dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[arguments[0]]
            m, k, n = map(int, arguments[1:])
            a, b = torch.rand(m, k, dtype=dtype), torch.rand(n, k, dtype=dtype)
            start = time.perf_counter()
            torch.nn.functional.linear(a, b)
            return {"seconds": time.perf_counter() - start}
        if request == "peak":
            return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        return {"error": f"unknown request {request}"}

    with torch.inference_mode():
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(*line.split())), file=answers, flush=True)


if __name__ == "__main__":
    main()

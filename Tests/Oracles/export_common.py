"""What export_runtimes.py and export_torch.py share: the runner's commands, weights that are drawn, comparisons."""
import json
import pathlib
import re
import subprocess
import sys

import numpy as np

# Patches go to the networks as they stand in their files, so that what runner predicts is what the network makes of them.
UNPREPARED = ["--set", "preprocess.clahe_clip=0", "--set", "preprocess.tv_weight=0"]


class Runner:
    def __init__(self, job):
        self.program, self.work = job["runner"], pathlib.Path(job["work"])

    def __call__(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, cwd=self.work)
        if done.returncode != 0:
            sys.exit(f"runner {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def names(self, *network):
        """By our name of a weight: its shape, PyTorch's name and shape, Keras's name and shape."""
        cell = re.compile(r"(\S+) +(\[[0-9, ]+\])")
        rows = [cell.findall(line) for line in self("import", "--names", *network).splitlines()]
        return {row[0][0]: [(name, json.loads(shape)) for name, shape in row] for row in rows if len(row) == 3}

    def predict(self, weights, patches, side, isa=None):
        """Probabilities of patch files of one side, [count, side, side]."""
        folder = self.work / "predicted"
        self("predict", *patches, "--weights", weights, "--out", folder, "--probabilities", "--set", f"patches.size={side}", *UNPREPARED,
             *(["--isa", isa] if isa else []))
        return np.stack([np.load(folder / f"{pathlib.Path(patch).stem}_probability.npy") for patch in patches])


def draw(rng, name, shape, transposed=False):
    """He-normal kernels [Cout, Cin, k, k] or [Cin, Cout, k, k]; biases and statistics spread around their usual starting points."""
    role = name.rsplit(".", 1)[1]
    if role == "kernel":
        fan_in = shape[1 - transposed] * shape[2] * shape[3] if not transposed else shape[0] * shape[2] * shape[3] / 4
        return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
    if role in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return rng.normal(0.05 if role == "bias" else 0, 0.1, shape).astype(np.float32)


def network_words(architecture, upsampling, filters, normalization, depth=5):
    words = ["--architecture", architecture, "--base-filters", filters, "--depth", depth, "--normalization", normalization]
    return words + (["--upsampling", upsampling] if architecture == "unet+" else [])


def title(architecture, upsampling, filters, normalization):
    kind = {"transposed": " (T.C.)", "nearest": " (U.S.)"}[upsampling] if architecture == "unet+" else ""
    name = {"unet": "U-Net", "unet++": "U-Net++", "unet+": "U-Net+"}[architecture]
    return f"{name}{kind} B = {filters}" + (", batch norm" if normalization == "batch" else "")


def largest(a, b):
    assert a.shape == b.shape, f"{a.shape} beside {b.shape}"
    return float(np.abs(a.astype(np.float64) - b).max())

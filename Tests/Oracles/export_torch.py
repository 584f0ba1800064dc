#!/usr/bin/env python3
"""The PyTorch part of export_check.py: modules with PyTorch's names, there and back. Runs inside of its environment.

The modules are `torch.nn`'s own, one `conv` and `norm` a layer; how they are wired is keras_check_with_torch.py's.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from export_common import Runner, draw, largest, network_words, title
from keras_check_with_torch import Forward, same_padding


class Layer(nn.Module):
    """One layer of a network: `conv`, and `norm` where it has batch norm."""

    def __init__(self, kernel, transposed, normalized):
        super().__init__()
        inputs, outputs = (kernel[0], kernel[1]) if transposed else (kernel[1], kernel[0])
        self.conv = nn.ConvTranspose2d(inputs, outputs, kernel[2], stride=2) if transposed else nn.Conv2d(inputs, outputs, kernel[2])
        if normalized:
            self.norm = nn.BatchNorm2d(outputs, eps=1e-3)


class Wiring(Forward):
    """keras_check_with_torch.py's networks over modules instead of named weights."""

    def __init__(self, module, names):
        self.module, self.w = module, names

    def conv(self, name, x, stride=1):
        conv = self.module.get_submodule(name).conv
        (top, bottom), (left, right) = (same_padding(x.shape[a], conv.kernel_size[a - 2], stride) for a in (2, 3))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), conv.weight, conv.bias, stride)

    def up(self, name, x):
        return self.module.get_submodule(name).conv(x)[:, :, : 2 * x.shape[2], : 2 * x.shape[3]]

    def block(self, name, x, stride=1):
        layer, x = self.module.get_submodule(name), self.conv(name, x, stride)
        return F.relu(layer.norm(x) if hasattr(layer, "norm") else x)


def build(names):
    """A module tree with a Layer for each layer of the printed map."""
    root = nn.Module()
    for name, (_, (_, shape), _) in names.items():
        if not name.endswith(".kernel"):
            continue
        layer = name.removesuffix(".kernel")
        place, *rest = root, *layer.split(".")
        for part in rest[:-1]:
            if not hasattr(place, part):
                place.add_module(part, nn.Module())
            place = getattr(place, part)
        place.add_module(rest[-1], Layer(shape, layer.endswith(".up"), f"{layer}.gamma" in names))
    return root


def main(job):
    runner, work, rows = Runner(job), pathlib.Path(job["work"]), []
    patches = sorted((work / "patches" / "128").glob("*.png"))
    x = torch.from_numpy(np.load(work / "patches" / "128.npy"))[:, None]
    for architecture, upsampling, normalization in (
            ("unet", "transposed", "none"), ("unet++", "transposed", "none"), ("unet+", "transposed", "batch"), ("unet+", "nearest", "batch")):
        network = architecture, upsampling, 8, normalization
        names, rng = runner.names(*network_words(*network)), np.random.default_rng(5)
        module = build(names).eval()
        drawn = {ours: draw(rng, ours, shape, ".up." in ours) for ours, ((_, shape), _, _) in names.items()}
        state = module.state_dict()
        module.load_state_dict({theirs: torch.from_numpy(drawn[ours]) for ours, (_, (theirs, _), _) in names.items()}
                               | {name: value for name, value in state.items() if name.endswith("num_batches_tracked")})
        save_file(module.state_dict(), work / "torch.safetensors")  # counters of batches included
        with torch.no_grad():
            theirs = torch.sigmoid(Wiring(module, names).logits({"architecture": architecture, "N": 5}, x))[:, 0].numpy()
        runner("import", "--weights", work / "torch.safetensors", *network_words(*network), "--out", work / "imported.safetensors")
        difference = largest(runner.predict(work / "imported.safetensors", patches, 128, "reference"), theirs)
        runner("export", "--weights", work / "imported.safetensors", "--format", "safetensors", "--layout", "pytorch", "--out", work / "back.safetensors")
        other = build(names)
        missing, unexpected = other.load_state_dict(load_file(work / "back.safetensors"), strict=False)
        same = not unexpected and all(name.endswith("num_batches_tracked") for name in missing) and all(
            torch.equal(value, other.state_dict()[name]) for name, value in module.state_dict().items() if value.dtype == torch.float32)
        rows.append({"framework": "PyTorch", "network": title(*network), "difference_reference": difference, "same_bits": same,
                     "spread": float(theirs.max() - theirs.min())})
        print(rows[-1], flush=True)
    (work / "torch.json").write_text(json.dumps({"rows": rows, "versions": {"torch": torch.__version__}}))


if __name__ == "__main__":
    main(json.loads(pathlib.Path(sys.argv[1]).read_text()))

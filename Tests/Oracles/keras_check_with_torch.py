#!/usr/bin/env python3
"""Checks the stored Keras cases with PyTorch: the four networks and every operation written a second time, in the project's layouts.

Run:   python keras_check_with_torch.py ../NetworkTests/Fixtures
Needs: pip install torch==2.15.0 numpy==2.4.6

Prints, a case, the largest relative distance ‖a − b‖ / ‖b‖ over outputs and gradients in float64 (what the stored float32
costs) and in float32 (what a correct float32 program may expect), and fails above 1e-6 and 1e-4.
"""
import glob
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F


def load(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    facts = header.pop("__metadata__")
    return facts, {
        name: torch.from_numpy(np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"]).copy())
        for name, t in header.items()
    }


def same_padding(side, k, stride):
    total = max((-(-side // stride) - 1) * stride + k - side, 0)
    return total // 2, total - total // 2


def conv(x, kernel, bias, stride=1):
    (top, bottom), (left, right) = (same_padding(x.shape[a], kernel.shape[a], stride) for a in (2, 3))
    return F.conv2d(F.pad(x, (left, right, top, bottom)), kernel, bias, stride)


def transposed(x, kernel, bias):
    return F.conv_transpose2d(x, kernel, bias, stride=2)[:, :, : 2 * x.shape[2], : 2 * x.shape[3]]


def nearest(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Forward:
    """A network over named weights; `training` decides whose statistics batch norm takes."""

    def __init__(self, weights, training):
        self.w, self.training, self.moved = weights, training, {}

    def conv(self, name, x, stride=1):
        return conv(x, self.w[name + ".kernel"], self.w[name + ".bias"], stride)

    def up(self, name, x):
        return transposed(x, self.w[name + ".kernel"], self.w[name + ".bias"])

    def block(self, name, x, stride=1):
        x, w = self.conv(name, x, stride), self.w
        if name + ".gamma" not in w:
            return F.relu(x)
        mean, variance = w[name + ".moving_mean"], w[name + ".moving_variance"]
        if self.training:
            batch_mean, batch_variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            self.moved[name + ".moving_mean"] = 0.99 * mean + 0.01 * batch_mean.detach()
            self.moved[name + ".moving_variance"] = 0.99 * variance + 0.01 * batch_variance.detach()
            mean, variance = batch_mean, batch_variance
        return F.relu(F.batch_norm(x, mean, variance, w[name + ".gamma"], w[name + ".beta"], False, 0, 1e-3)
                      if not self.training else
                      (x - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + 1e-3)
                      * w[name + ".gamma"][:, None, None] + w[name + ".beta"][:, None, None])

    def logits(self, facts, x):
        N = int(facts["N"])
        return {"unet": self.unet, "unet++": self.unet_plus_plus, "unet+": self.unet_plus}[facts["architecture"]](x, N)

    def unet(self, x, N):
        skips = {}
        for n in range(1, N + 1):
            x = self.block(f"down{n}.conv2", self.block(f"down{n}.conv1", x if n == 1 else F.max_pool2d(x, 2)))
            skips[n] = x
        for n in range(N - 1, 0, -1):
            x = torch.cat([skips[n], self.block(f"up{n}.conv0", nearest(x))], 1)
            x = self.block(f"up{n}.conv2", self.block(f"up{n}.conv1", x))
        return self.conv("head.out", self.block("head.conv", x))

    def unet_plus_plus(self, x, N):
        X = {}
        for j in range(N):
            for i in range(N - j):
                if j > 0:
                    x = torch.cat([self.up(f"X{i}{j}.up", X[i + 1, j - 1])] + [X[i, k] for k in range(j)], 1)
                elif i > 0:
                    x = F.max_pool2d(X[i - 1, 0], 2)
                X[i, j] = self.block(f"X{i}{j}.conv2", self.block(f"X{i}{j}.conv1", x))
        return self.conv("head", X[0, N - 1])

    def unet_plus(self, x, N):
        C, D, U = {(1, 0): self.block("C10", x)}, {}, {}
        for n in range(1, N):
            for k in range(1, N - n + 1):
                if n == 1:
                    x = C[1, k - 1]
                else:
                    x = D[n - 1, 1] if k == 1 else torch.cat([C[n, k - 1], D[n - 1, k]], 1)
                C[n, k], D[n, k] = self.block(f"C{n}{k}", x), self.block(f"D{n}{k}", x, 2)
        for n in range(N - 1, 0, -1):
            x = D[n, 1] if n == N - 1 else torch.cat([U[n + 1], C[n + 1, N - n - 1], D[n, N - n]], 1)
            x = self.up(f"U{n}.up", x) if f"U{n}.up.kernel" in self.w else nearest(x)
            U[n] = self.block(f"U{n}.conv2", self.block(f"U{n}.conv1", x))
        return self.conv("head", torch.cat([U[1], C[1, N - 1]], 1))


def loss_of(logits, y):
    p = torch.sigmoid(logits)
    dice = (2 * (p * y).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + y.sum((1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, y) - torch.log(dice).mean()


def weights_of(t, dtype):
    return {
        name.removeprefix("weight/"): w.to(dtype).requires_grad_("moving_" not in name)
        for name, w in t.items() if name.startswith("weight/")
    }


def network_results(facts, t, dtype):
    weights, x, y = weights_of(t, dtype), t["x"].to(dtype), t["y"].to(dtype)
    training = Forward(weights, True)
    logits = training.logits(facts, x)
    loss = loss_of(logits, y)
    loss.backward()
    results = {"loss": loss.reshape(1), "output.train": torch.sigmoid(logits),
               "output.infer": torch.sigmoid(Forward(weights, False).logits(facts, x))}
    results |= {f"gradient/{name}": w.grad for name, w in weights.items() if w.requires_grad}
    return results | {f"moving_after/{name}": v for name, v in training.moved.items()}


def adam_results(facts, t, dtype):
    weights, x, y = weights_of(t, dtype), t["x"].to(dtype), t["y"].to(dtype)
    rate, l2 = float(facts["learning_rate"]), float(facts["l2"])
    m, v, losses, penalties, results = {}, {}, [], [], {}
    for step in (1, 2, 3):
        loss = loss_of(Forward(weights, True).logits(facts, x), y)
        penalty = l2 * sum((w * w).sum() for name, w in weights.items() if name.endswith(".kernel"))
        for w in weights.values():
            w.grad = None
        (loss + penalty).backward()
        losses.append(loss.detach()), penalties.append(penalty.detach())
        with torch.no_grad():
            for name, w in weights.items():
                m[name] = 0.9 * m.get(name, 0) + 0.1 * w.grad
                v[name] = 0.999 * v.get(name, 0) + 0.001 * w.grad**2
                w -= rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step) * m[name] / (v[name].sqrt() + 1e-7)
                results[f"adam{step}/{name}"] = w.clone()
    return results | {"loss.adam": torch.stack(losses), "penalty.adam": torch.stack(penalties)}


def operation_results(facts, t, dtype):
    results = {}
    for case in facts["cases"].split(","):
        kind, stride = facts[f"{case}.kind"], int(facts[f"{case}.stride"])
        given = {name: t[f"{case}/{name}"].to(dtype).requires_grad_() for name in ("x", "kernel", "bias", "gamma", "beta") if f"{case}/{name}" in t}
        x = given["x"]
        if kind == "convolution":
            out = conv(x, given["kernel"], given["bias"], stride)
        elif kind == "transposed":
            out = transposed(x, given["kernel"], given["bias"])
        elif kind == "batch_norm":
            out = F.batch_norm(x, None, None, given["gamma"], given["beta"], True, 0, 1e-3)
        else:
            out = F.max_pool2d(x, 2) if kind == "max_pool" else nearest(x)
        out.backward(t[f"{case}/dy"].to(dtype))
        results |= {f"{case}/y": out} | {f"{case}/d{name}": g.grad for name, g in given.items()}
    return results


def main(folder):
    failed = False
    for path in sorted(glob.glob(f"{folder}/*.safetensors")):
        facts, t = load(path)
        run = operation_results if "cases" in facts else adam_results if "learning_rate" in facts else network_results
        if run is operation_results:
            expected = {name for name in t if name.split("/")[1] in ("y", "dx", "dkernel", "dbias", "dgamma", "dbeta")}
        else:
            expected = {name for name in t if name not in ("x", "y") and not name.startswith("weight/")}
        largest = max([t[name].norm().item() for name in t if name.startswith("gradient/")], default=0)
        errors = []
        for dtype in (torch.float64, torch.float32):
            results, worst = run(facts, t, dtype), 0
            assert results.keys() >= expected, sorted(expected - results.keys())
            for name in expected:
                distance = (results[name].detach().double() - t[name].double()).norm().item()
                if name.startswith("gradient/"):  # a bias before batch norm has no gradient but rounding
                    distance = max(distance - 1e-6 * largest, 0)
                worst = max(worst, distance / max(t[name].norm().item(), 1e-30))
            errors.append(worst)
        good = errors[0] < 1e-6 and errors[1] < 1e-4
        failed |= not good
        print(f"{os.path.basename(path):44s} {len(expected):3d} compared, float64 {errors[0]:.1e}, float32 {errors[1]:.1e} {'' if good else 'FAILED'}")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1])

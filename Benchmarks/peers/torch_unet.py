#!/usr/bin/env python3
"""PyTorch as a peer: the same networks, timed as it comes, as one JSON line with the names of `runner bench --json`.

    torch_unet.py --architecture unet --base-filters 16 --mode train --batch 16 --threads 2

A training step is forward, loss, backward and Adam; an inference step ends in probabilities. Times are milliseconds a
256 × 256 patch. `--layout nhwc`, `--compile` and `--precision bf16` are what PyTorch offers beyond "as it comes";
`--flush-denormals` spares it the slow arithmetic on tiny numbers. `--onnx FILE` writes the network for inference, with
probabilities at its end and any batch, and stops: for ort_openvino.py.
Needs: pip install torch, and onnx for --onnx
"""
import argparse
import json
import os
import resource
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("--architecture", default="unet", choices=["unet", "unet++", "unet+"])
parser.add_argument("--upsampling", default="transposed", choices=["transposed", "nearest"])
parser.add_argument("--base-filters", type=int, default=16)
parser.add_argument("--depth", type=int, default=5)
parser.add_argument("--mode", default="infer", choices=["infer", "train"])
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
parser.add_argument("--layout", default="nchw", choices=["nchw", "nhwc"])
parser.add_argument("--compile", action="store_true")
parser.add_argument("--flush-denormals", action="store_true")
parser.add_argument("--onnx", metavar="FILE")
parser.add_argument("--side", type=int, default=256)
parser.add_argument("--seconds", type=float, default=8, help="time steps for at least this long")
options = parser.parse_args()

os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before torch loads
started = time.perf_counter()
import torch
import torch.nn as nn
import torch.nn.functional as F

startup = time.perf_counter() - started


class Conv(nn.Module):
    """Convolution, TensorFlow's 'same' padding [→ batch norm] → ReLU [→ drop-out]."""

    def __init__(self, inputs, filters, side=3, stride=1, norm=False, dropout=0.0):
        super().__init__()
        # A side of 2, or stride 2 on even sides, pads at the bottom and right only.
        self.lopsided = (0, 1, 0, 1) if side == 2 or stride == 2 else None
        self.conv = nn.Conv2d(inputs, filters, side, stride, padding=0 if self.lopsided else side // 2)
        self.norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01) if norm else None
        self.dropout = dropout
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        x = self.conv(F.pad(x, self.lopsided) if self.lopsided else x)
        x = F.relu(self.norm(x) if self.norm else x)
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class Transposed(nn.ConvTranspose2d):
    """Stride 2, doubling the sides as TensorFlow's 'same' padding does."""

    def __init__(self, inputs, filters, side):
        super().__init__(inputs, filters, side, stride=2)

    def forward(self, x):
        return super().forward(x)[:, :, : 2 * x.shape[2], : 2 * x.shape[3]]


def nearest(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class UNet(nn.Module):
    def __init__(self, B, N):
        super().__init__()
        f = [B << n for n in range(N)]
        self.down = nn.ModuleList(
            nn.Sequential(Conv(f[n - 1] if n else 1, f[n]), Conv(f[n], f[n], dropout=0.5 if n >= N - 2 else 0))
            for n in range(N))
        self.up = nn.ModuleList(Conv(f[n + 1], f[n], side=2) for n in range(N - 1))
        self.merge = nn.ModuleList(nn.Sequential(Conv(2 * f[n], f[n]), Conv(f[n], f[n])) for n in range(N - 1))
        self.head = nn.Sequential(Conv(f[0], 2), nn.Conv2d(2, 1, 1))

    def forward(self, x):
        skips = []
        for n, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if n else x)
            skips.append(x)
        for n in reversed(range(len(self.up))):
            x = self.merge[n](torch.cat([skips[n], self.up[n](nearest(x))], 1))
        return self.head(x)


class UNetPlusPlus(nn.Module):
    def __init__(self, B, N):
        super().__init__()
        f = [B << i for i in range(N)]
        unit = lambda inputs, filters: nn.Sequential(Conv(inputs, filters, dropout=0.5), Conv(filters, filters, dropout=0.5))
        places = [(i, j) for j in range(1, N) for i in range(N - j)]
        self.first = nn.ModuleList(unit(f[i - 1] if i else 1, f[i]) for i in range(N))
        self.up = nn.ModuleDict({f"{i}{j}": Transposed(f[i + 1], f[i], 2) for i, j in places})
        self.unit = nn.ModuleDict({f"{i}{j}": unit(f[i] * (j + 1), f[i]) for i, j in places})
        self.head = nn.Conv2d(B, 1, 1)

    def forward(self, x):
        X, N = {}, len(self.first)
        for level in range(N):
            X[level, 0] = self.first[level](F.max_pool2d(X[level - 1, 0], 2) if level else x)
            for j in range(1, level + 1):
                i = level - j
                up = self.up[f"{i}{j}"](X[i + 1, j - 1])
                X[i, j] = self.unit[f"{i}{j}"](torch.cat([up] + [X[i, k] for k in range(j)], 1))
        return self.head(X[0, N - 1])


class UNetPlus(nn.Module):
    def __init__(self, B, N, upsampling):
        super().__init__()
        self.N = N
        f = {n: B << (n - 1) for n in range(1, N + 1)}
        self.C, self.D, self.U = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for n in range(1, N):
            for k in range(0 if n == 1 else 1, N - n + 1):
                inputs = (f[1] if k else 1) if n == 1 else f[n] if k == 1 else 2 * f[n]
                self.C[f"{n}{k}"] = Conv(inputs, f[n], norm=True)
                if k > 0:
                    self.D[f"{n}{k}"] = Conv(inputs, f[n + 1], stride=2, norm=True)
            inputs = f[n + 1] if n == N - 1 else 3 * f[n + 1]
            up = Transposed(inputs, f[n], 3) if upsampling == "transposed" else nn.UpsamplingNearest2d(scale_factor=2)
            self.U[f"{n}"] = nn.Sequential(up, Conv(f[n] if upsampling == "transposed" else inputs, f[n], norm=True), Conv(f[n], f[n], norm=True))
        self.head = nn.Conv2d(2 * B, 1, 1)

    def forward(self, x):
        N, C, D = self.N, {(1, 0): self.C["10"](x)}, {}
        for n in range(1, N):
            for k in range(1, N - n + 1):
                if n == 1:
                    x = C[1, k - 1]
                else:
                    x = D[n - 1, 1] if k == 1 else torch.cat([C[n, k - 1], D[n - 1, k]], 1)
                C[n, k], D[n, k] = self.C[f"{n}{k}"](x), self.D[f"{n}{k}"](x)
        x = self.U[f"{N - 1}"](D[N - 1, 1])
        for n in reversed(range(1, N - 1)):
            x = self.U[f"{n}"](torch.cat([x, C[n + 1, N - n - 1], D[n, N - n]], 1))
        return self.head(torch.cat([x, C[1, N - 1]], 1))


def loss_of(logits, y):
    """BCE − mean over samples of log Dice."""
    p = torch.sigmoid(logits)
    over = (1, 2, 3)
    dice = (2 * (p * y).sum(over) + 1) / (p.sum(over) + y.sum(over) + 1)
    return F.binary_cross_entropy_with_logits(logits, y) - torch.log(dice).mean()


torch.set_num_threads(options.threads)
torch.set_flush_denormal(options.flush_denormals)
torch.manual_seed(0)
B, N = options.base_filters, options.depth
network = {"unet": lambda: UNet(B, N), "unet++": lambda: UNetPlusPlus(B, N),
           "unet+": lambda: UNetPlus(B, N, options.upsampling)}[options.architecture]()
parameters = sum(p.numel() for p in network.parameters()) + sum(b.numel() for name, b in network.named_buffers() if "running" in name)
if options.onnx:
    torch.onnx.export(nn.Sequential(network, nn.Sigmoid()).eval(), torch.zeros(1, 1, options.side, options.side), options.onnx,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, opset_version=17, dynamo=False)
    raise SystemExit
layout = torch.channels_last if options.layout == "nhwc" else torch.contiguous_format
network = network.to(memory_format=layout).train(options.mode == "train")
x = torch.rand(options.batch, 1, options.side, options.side).to(memory_format=layout)
y = (torch.rand(options.batch, 1, options.side, options.side) > 0.8).float().to(memory_format=layout)
optimizer = torch.optim.Adam(network.parameters(), lr=5e-4, eps=1e-7)
forward = torch.compile(network) if options.compile else network
half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16")


def train():
    optimizer.zero_grad(set_to_none=True)
    with half:
        logits = forward(x)
    loss_of(logits.float(), y).backward()
    optimizer.step()


def infer():
    with torch.inference_mode(), half:
        torch.sigmoid(forward(x))


step = train if options.mode == "train" else infer
step()  # compiles, allocates, and chooses algorithms
first_call_at = time.time()
for _ in range(2):
    step()
times, end = [], time.perf_counter() + options.seconds
while time.perf_counter() < end or len(times) < 3:
    begin = time.perf_counter()
    step()
    times.append((time.perf_counter() - begin) * 1e3 / options.batch)
print(json.dumps({
    "peer": f"torch {torch.__version__}", "architecture": options.architecture, "base_filters": B, "mode": options.mode,
    "batch": options.batch, "threads": options.threads, "precision": options.precision, "layout": options.layout,
    "compiled": options.compile, "parameters": parameters, "ms_per_patch_median": round(statistics.median(times), 3),
    "ms_per_patch_min": round(min(times), 3), "steps": len(times), "startup_ms": round(startup * 1e3),
    "first_call_at": first_call_at, "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)}))

"""How the Keras oracles store tensors: in the project's layouts, as float32, one safetensors file a case.

Keras computes in float64 here, so that a stored number is exact to float32's last bit and a test's tolerance is all
the program's own. Layouts, Keras on the left, the project (and PyTorch) on the right:

    activation              [N, H, W, C]            →  [N, C, H, W]
    convolution kernel      [kh, kw, Cin, Cout]     →  [Cout, Cin, kh, kw]
    transposed convolution  [kh, kw, Cout, Cin]     →  [Cin, Cout, kh, kw]
    bias, batch norm        [C]                     →  [C]

A transposed convolution is the gradient of a convolution with respect to its input: with stride s and 'same' padding
that convolution goes from side s·h to side h, its total padding is max(k − s, 0), of which the lower half (rounded
down) stands at the top and left. Nothing is flipped: y[s·i + a − top, s·j + b − left] += x[i, j] · kernel[a, b].
"""
import json
import os
import struct

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # plain kernels: the same bits wherever the fixtures are made again

import keras
import numpy as np
import tensorflow as tf

keras.backend.set_floatx("float64")


def activation(t):
    """[N, H, W, C] → [N, C, H, W]."""
    return np.transpose(np.asarray(t), (0, 3, 1, 2))


def kernel(t):
    """[kh, kw, Cin, Cout] → [Cout, Cin, kh, kw]; a transposed convolution's [kh, kw, Cout, Cin] → [Cin, Cout, kh, kw]."""
    return np.transpose(np.asarray(t), (3, 2, 0, 1))


def parameter(t):
    """A weight or its gradient: kernels have four axes, all else has one."""
    t = np.asarray(t)
    return kernel(t) if t.ndim == 4 else t


def save(path, tensors, script, **facts):
    """Writes `tensors` (name → array, already in the project's layout) as float32, with `facts` as metadata.

    By hand: the safetensors package orders its metadata differently in every run, and a fixture made again should be
    the same file.
    """
    header = {"__metadata__": {
        "script": os.path.basename(script),
        "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__,
        **{name: str(fact) for name, fact in facts.items()},
    }}
    data = b""
    for name, t in tensors.items():
        t = np.atleast_1d(np.asarray(t, dtype="<f4"))
        assert np.isfinite(t).all(), f"{path}: {name} is not finite"
        begin, data = len(data), data + t.tobytes()
        header[name] = {"dtype": "F32", "shape": t.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{os.path.basename(path)}: {len(tensors)} tensors, {8 + len(text) + len(data)} bytes")

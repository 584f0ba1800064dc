#!/usr/bin/env python3
"""The part of export_check.py with onnxruntime, OpenVINO, bioimageio.core and Keras. Runs inside of its environment."""
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from export_common import Runner, draw, largest, network_words, title

# (architecture, up-sampling, normalization)
NETWORKS = [("unet", "transposed", "none"), ("unet", "transposed", "batch"), ("unet++", "transposed", "none"),
            ("unet++", "transposed", "batch"), ("unet+", "transposed", "batch"), ("unet+", "transposed", "none"),
            ("unet+", "nearest", "batch"), ("unet+", "nearest", "none")]
SIDES = (256, 128)
PLAIN_SIDE = 128  # plain loops take a minute for a large network's patch of 256


def grey(path):
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int64)


def patches(job, runner):
    """Writes patches of both sides as 16-bit files that span the whole range, and as arrays of what the program reads from them."""
    data, real = pathlib.Path(job["data"]), []
    for path in sorted(data.glob("stage1_test/*/images/*.png")):
        image = grey(path)
        if image.shape[0] >= 256 and image.shape[1] >= 256 and (image == image[:, :, :1]).all() and image.mean() < 128 and image[:256, :256].std() > 8:
            real.append((path.stem, image[:256, :256, 0]))
        if len(real) == job["patches"]:
            break
    if not real:
        runner("data", "synthesize", "--out", "synthetic", "--train", 1, "--test", job["patches"], "--side", 256)
        real = [(path.stem, grey(path)[:, :, 0]) for path in sorted(runner.work.glob("synthetic/test/images/*.png"))]
        print(f"{data}: no images of the 2018 Data Science Bowl; synthetic nuclei instead")
    kind = "Patches of real images (2018 Data Science Bowl, test set)" if real[0][0].isalnum() and len(real[0][0]) == 64 else "Patches of synthetic images"
    found = {}
    for side in SIDES:
        folder = runner.work / "patches" / str(side)
        folder.mkdir(parents=True)
        arrays = []
        for name, image in real:
            image = image[:side, :side].astype(np.float64)
            levels = np.round((image - image.min()) / (image.max() - image.min()) * 65535).astype(np.uint16)
            Image.fromarray(levels).save(folder / f"{name}.png")
            arrays.append(levels.astype(np.float32) * np.float32(1 / 65535))
        np.save(runner.work / "patches" / f"{side}.npy", np.stack(arrays))
        found[side] = sorted(folder.glob("*.png")), np.stack(arrays)
    return f"{kind}: {len(real)} of 256 × 256 and {len(real)} of 128 × 128 pixels", found


def in_onnxruntime(path, x):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["probability"], {"image": x})[0]


def in_openvino(path, x):
    # Its own choice would be bfloat16 where the processor has it.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"image": x})["probability"]


def onnx_rows(runner, network, weights, found):
    """Every exported file of one network, in both runtimes."""
    rows, predicted = [], {}
    for side in SIDES:
        files, _ = found[side]
        predicted[side] = [runner.predict(weights, files, side, isa) for isa in (None, "reference") if isa is None or side == PLAIN_SIDE]
    normalized = any(".gamma" in name for name in safe_open(weights, "np").keys())
    for fold, fixed in itertools.product(["fold", "keep"] if normalized else ["fold"], [None, *SIDES]):
        path = runner.work / "network.onnx"
        runner("export", "--weights", weights, "--format", "onnx", "--out", path, f"--{fold}-batch-norm", *(["--side", fixed] if fixed else []))
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        operators = [node.op_type for node in model.graph.node]
        assert ("BatchNormalization" in operators) == (fold == "keep"), f"{network}: {fold}"
        for side in [fixed] if fixed else SIDES:
            x = found[side][1][:, None]
            for runtime, infer in (("onnxruntime", in_onnxruntime), ("OpenVINO", in_openvino)):
                y = infer(str(path), x)[:, 0]
                rows.append({
                    "network": network, "runtime": runtime, "batch_norm": {"fold": "folded", "keep": "kept"}[fold] if normalized else "none",
                    "sides": "fixed" if fixed else "open", "side": side, "difference": largest(y, predicted[side][0]),
                    "difference_reference": largest(y, predicted[side][1]) if side == PLAIN_SIDE else None, "spread": round(float(y.max() - y.min()), 3)})
                assert rows[-1]["spread"] > 0.01, f"{network}: says nothing, its probabilities are all alike"
    print(f"{network}: {max(row['difference'] for row in rows):.1e}, reference {max(row['difference_reference'] or 0 for row in rows):.1e}, "
          f"spread {min(row['spread'] for row in rows)}", flush=True)
    return rows


def bioimageio_row(runner, network, weights, by_command):
    """`bioimageio test` of a network's package; by what the command calls, where its start (most of its time) may be spared."""
    package = runner.work / "network.zip"
    runner("export", "--weights", weights, "--format", "bioimageio", "--out", package, "--author", "export_check")
    if by_command:
        done = subprocess.run([pathlib.Path(sys.prefix) / "bin" / "bioimageio", "test", package], capture_output=True, text=True, cwd=runner.work)
        status, details = "passed" if done.returncode == 0 else "failed", done.stdout + done.stderr
    else:
        from bioimageio.core import test_description
        summary = test_description(package)
        status, details = summary.status, summary.format()
    print(f"{network}: bioimageio test {status}" + ("" if status == "passed" else "\n" + details), flush=True)
    return {"network": network, "status": status}


def keras_rows(runner, found):
    """Keras models of keras_networks.py, in float64: their weights in, and out again."""
    from keras_networks import Network, keras

    layer = keras.layers.Conv2D(1, 1, name="X00.conv1")
    layer.build((None, 4, 4, 1))
    assert layer.kernel.path == "X00.conv1/kernel", layer.kernel.path  # what the map calls Keras's names
    files, x = found[128]
    rows = []
    for architecture, upsampling, normalization in (
            ("unet", "transposed", "none"), ("unet++", "transposed", "none"), ("unet+", "transposed", "batch"), ("unet+", "nearest", "batch")):
        network = architecture, upsampling, 8, normalization
        model, names = Network(architecture, upsampling, 8, 5, 128, 128), runner.names(*network_words(*network))
        assert set(model.weights) == set(names)
        rng = np.random.default_rng(4)
        for ours, variable in model.weights.items():
            drawn = draw(rng, ours, names[ours][0][1], ".up." in ours)
            variable.assign(drawn.transpose(2, 3, 1, 0) if drawn.ndim == 4 else drawn)
            assert list(variable.shape) == names[ours][2][1], ours
        save_file({names[ours][2][0]: np.asarray(variable) for ours, variable in model.weights.items()}, runner.work / "keras.safetensors")  # float64
        theirs = 1 / (1 + np.exp(-np.asarray(model.model(x[..., None], training=False))[..., 0]))
        runner("import", "--weights", runner.work / "keras.safetensors", *network_words(*network), "--out", runner.work / "imported.safetensors")
        difference = largest(runner.predict(runner.work / "imported.safetensors", files, 128, "reference"), theirs)
        runner("export", "--weights", runner.work / "imported.safetensors", "--format", "safetensors", "--layout", "keras", "--out", runner.work / "back.safetensors")
        back = load_file(runner.work / "back.safetensors")
        same = len(back) == len(model.weights) and all(
            np.array_equal(back[names[ours][2][0]], np.asarray(variable)) for ours, variable in model.weights.items())
        rows.append({"framework": "Keras", "network": title(*network), "difference_reference": difference, "same_bits": same})
        print(rows[-1], flush=True)
    return rows


def drawn_networks(runner):
    """(title, weights file) of networks whose weights are drawn, brought in under PyTorch's names."""
    published = [network for network in NETWORKS if (network[0] == "unet+") == (network[2] == "batch")]
    for (architecture, upsampling, normalization), filters in [(network, filters) for network in published for filters in (8, 16)] + [
            (network, 8) for network in NETWORKS if network not in published]:
        words = network_words(architecture, upsampling, filters, normalization)
        rng, names = np.random.default_rng(filters), runner.names(*words)
        save_file({theirs: draw(rng, ours, shape, ".up." in ours) for ours, (_, (theirs, shape), _) in names.items()}, runner.work / "drawn.safetensors")
        weights = runner.work / "weights.safetensors"
        runner("import", "--weights", runner.work / "drawn.safetensors", *words, "--out", weights)
        yield "drawn: " + title(architecture, upsampling, filters, normalization), weights


def trained_networks(job, runner):
    """(title, weights file) of the networks that were named, or of the quickstart's after two epochs."""
    files = [pathlib.Path(path) for path in job["weights"]]
    if not files:
        spec = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "quickstart.yaml"
        runner("run", spec, "--out", "quick", "--set", "train.epochs=2", "--set", "evaluate.timing_passes=1")
        files = sorted(runner.work.glob("quick/trials/*/best.safetensors"))
    for weights in files:
        settings = json.loads(safe_open(weights, "np").metadata()["settings"])
        kind = settings["model.architecture"], settings.get("model.upsampling", ""), settings["model.base_filters"], settings["model.normalization"]
        yield f"trained: {title(*kind)}, N = {settings['model.depth']}", weights


def main(job):
    runner = Runner(job)
    data, found = patches(job, runner)
    rows, packages = [], []
    for network, weights in itertools.chain(drawn_networks(runner), trained_networks(job, runner)):
        rows += onnx_rows(runner, network, weights, found)
        packages.append(bioimageio_row(runner, network, weights, by_command=not packages))
    import bioimageio.core
    import bioimageio.spec
    keras = keras_rows(runner, found)
    from keras_networks import keras as module, tf
    isa = json.loads(runner("bench", "--architecture", "unet", "--base-filters", 2, "--side", 16, "--seconds", 0, "--json"))["isa"]
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "openvino": openvino.__version__.split("-")[0],
                "bioimageio.core": bioimageio.core.__version__, "bioimageio.spec": bioimageio.spec.__version__,
                "keras": module.__version__, "tensorflow": tf.__version__, "numpy": np.__version__, "python": platform.python_version()}
    facts = {"data": data, "onnx": rows, "bioimageio": packages, "keras": keras, "versions": versions, "isa": isa, "processor": processor()}
    (runner.work / "runtimes.json").write_text(json.dumps(facts))


def processor():
    try:
        return next(line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    main(json.loads(pathlib.Path(sys.argv[1]).read_text()))

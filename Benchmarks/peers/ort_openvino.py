#!/usr/bin/env python3
"""OpenVINO and onnxruntime as peers, inference only: one JSON line with the names of `runner bench --json`.

    ort_openvino.py unet_16.onnx --engine openvino --precision f32 --batch 1 --threads 2

The model is one that torch_unet.py --onnx wrote. OpenVINO's own choice of precision is bf16 on processors with AMX or
AVX-512 bf16; --precision says which one it must take. Times are milliseconds a 256 × 256 patch.
Needs: pip install openvino onnxruntime
"""
import argparse
import json
import resource
import statistics
import time

started = time.perf_counter()
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--engine", default="openvino", choices=["openvino", "onnxruntime"])
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
parser.add_argument("--side", type=int, default=256)
parser.add_argument("--seconds", type=float, default=8, help="time steps for at least this long")
options = parser.parse_args()

x = np.random.rand(options.batch, 1, options.side, options.side).astype(np.float32)
if options.engine == "openvino":
    import openvino

    imported = time.perf_counter()
    version = "openvino " + openvino.__version__.split("-")[0]
    core = openvino.Core()
    model = core.read_model(options.model)
    model.reshape([options.batch, 1, options.side, options.side])
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": options.precision})
    request = compiled.create_infer_request()
    step = lambda: request.infer({0: x})
else:
    if options.precision != "f32":
        parser.error("onnxruntime has no bf16 on x86-64")
    import onnxruntime

    imported = time.perf_counter()
    version = "onnxruntime " + onnxruntime.__version__
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    step = lambda: session.run(None, {"x": x})

compiled_at = time.perf_counter()
step()
first_call_at, first_call = time.time(), time.perf_counter()
for _ in range(2):
    step()
times, end = [], time.perf_counter() + options.seconds
while time.perf_counter() < end or len(times) < 3:
    begin = time.perf_counter()
    step()
    times.append((time.perf_counter() - begin) * 1e3 / options.batch)
print(json.dumps({
    "peer": version, "mode": "infer", "batch": options.batch, "threads": options.threads, "precision": options.precision,
    "ms_per_patch_median": round(statistics.median(times), 3), "ms_per_patch_min": round(min(times), 3), "steps": len(times),
    "import_ms": round((imported - started) * 1e3, 1), "compile_ms": round((compiled_at - imported) * 1e3, 1),
    "startup_ms": round((first_call - started) * 1e3, 1), "first_call_at": first_call_at,
    "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)}))

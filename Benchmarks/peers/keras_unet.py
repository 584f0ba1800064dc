#!/usr/bin/env python3
"""TensorFlow and Keras, the papers' framework, as a peer: one JSON line with the names of `runner bench --json`.

    keras_unet.py --architecture unet --base-filters 16 --mode train --batch 16 --threads 2

The networks are those of Tests/Oracles/keras_networks.py. Both steps are a tf.function, without predict()'s or fit()'s
own costs. Times are milliseconds a 256 × 256 patch.
Needs: pip install tensorflow-cpu
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import sys
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
parser.add_argument("--side", type=int, default=256)
parser.add_argument("--seconds", type=float, default=8, help="time steps for at least this long")
options = parser.parse_args()

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # as it comes; the oracles switch it off
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Oracles"))
started = time.perf_counter()
from keras_networks import Network, keras, loss_of, np, tf

startup = time.perf_counter() - started
keras.backend.set_floatx("float32")
tf.config.threading.set_intra_op_parallelism_threads(options.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
if options.precision == "bf16":
    keras.mixed_precision.set_global_policy("mixed_bfloat16")

dropout = 0.0 if options.architecture == "unet+" else 0.5
model = Network(options.architecture, options.upsampling, options.base_filters, options.depth,
                options.side, options.side, dropout).model
shape = (options.batch, options.side, options.side, 1)
x = tf.constant(np.random.rand(*shape), tf.float32)
y = tf.constant(np.random.rand(*shape) > 0.8, tf.float32)
optimizer = keras.optimizers.Adam(5e-4, epsilon=1e-7)
optimizer.build(model.trainable_variables)


@tf.function
def train():
    with tf.GradientTape() as tape:
        loss = loss_of(tf.cast(model(x, training=True), tf.float32), y)
    optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]), model.trainable_variables)
    return loss


@tf.function
def infer():
    return tf.sigmoid(tf.cast(model(x, training=False), tf.float32))


step = train if options.mode == "train" else infer
step().numpy()  # traces the function
first_call_at = time.time()
for _ in range(2):
    step().numpy()
times, end = [], time.perf_counter() + options.seconds
while time.perf_counter() < end or len(times) < 3:
    begin = time.perf_counter()
    step().numpy()
    times.append((time.perf_counter() - begin) * 1e3 / options.batch)
print(json.dumps({
    "peer": f"tensorflow {tf.__version__}, keras {keras.__version__}", "architecture": options.architecture,
    "base_filters": options.base_filters, "mode": options.mode, "batch": options.batch, "threads": options.threads,
    "precision": options.precision, "parameters": model.count_params(),
    "ms_per_patch_median": round(statistics.median(times), 3), "ms_per_patch_min": round(min(times), 3), "steps": len(times),
    "startup_ms": round(startup * 1e3), "first_call_at": first_call_at,
    "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)}))

"""`runner predict` from file to file beside StarDist 2D's network alone, in turn, on the same images and cores.

    python3 Benchmarks/peers/stardist_predict.py --runner .build/debug/runner --weights F [--set K=V]… IMAGE…

Needs tensorflow-cpu, stardist, scikit-image (measured: stardist 0.9.2, tensorflow 2.21.0). StarDist's network is built as its public model for
fluorescence is (2D_versatile_fluo: 32 rays, grid 2 × 2, a U-Net of depth 3 from 32 filters), with weights at random, which cost the same; images are padded
to multiples of 16, read beforehand, and one pass compiles the network for every size. Its reading, normalisation, non-maximum suppression and writing are not counted.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("--runner", required=True)
arguments.add_argument("--weights", required=True)
arguments.add_argument("--set", action="append", default=[], dest="settings")
arguments.add_argument("--rounds", type=int, default=5)
arguments.add_argument("images", nargs="+")
asked = arguments.parse_args()
cores = len(os.sched_getaffinity(0))

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from skimage.io import imread
from stardist.models import Config2D, StarDist2D

tf.config.threading.set_intra_op_parallelism_threads(cores)
tf.get_logger().setLevel("ERROR")
network = StarDist2D(Config2D(n_rays=32, grid=(2, 2), n_channel_in=1, unet_n_depth=3, unet_n_filter_base=32), name=None, basedir=None).keras_model
predict = tf.function(lambda image: network(image, training=False))


def padded(path):
    image = imread(path)
    image = (image[..., 0] if image.ndim == 3 else image).astype(np.float32) / 255
    return tf.constant(np.pad(image, [(0, -side % 16) for side in image.shape])[None, ..., None])


images = [padded(path) for path in asked.images]
for image in images:
    predict(image)

ours, theirs = [], []
with tempfile.TemporaryDirectory() as out:
    command = [asked.runner, "predict", "--weights", asked.weights, "--out", out]
    command += [word for setting in asked.settings for word in ("--set", setting)] + asked.images
    for _ in range(asked.rounds):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        for image in images:
            predict(image)
        theirs.append(time.perf_counter() - start)

for name, seconds in (("runner predict, file to file", ours), ("StarDist 2D, network alone", theirs)):
    print(f"{name}: {statistics.median(seconds):.2f} s (least {min(seconds):.2f}) for {len(images)} images, {cores} cores")

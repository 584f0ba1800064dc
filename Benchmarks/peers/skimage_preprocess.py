#!/usr/bin/env python3
"""scikit-image as a peer in preprocessing (CLAHE, total-variation de-noising, rescaling, one 512 × 640 image at a time): one JSON
line with the names of `runner bench --mode preprocess --json`, whose image this is, too. The image has 8 bits, as a PNG has, which
scikit-image works on in double precision (ours: single; --single gives it single precision, too).

Needs: pip install scikit-image
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import skimage
from skimage import exposure, restoration

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=8, help="time images for at least this long")
parser.add_argument("--single", action="store_true", help="the image in single precision")
options = parser.parse_args()

height, width = 512, 640
y, x = np.mgrid[:height, :width]
noise = ((y * width + x) * 2654435761 % 2**32) / 2**32
image = np.floor(255 * (0.1 + 0.5 * np.maximum(0, np.sin(x / 14) * np.sin(y / 17)) + 0.1 * noise) + 0.5).astype(np.uint8)
if options.single:
    image = image.astype(np.float32) / 255


def preprocess():
    equalized = exposure.equalize_adapthist(image, clip_limit=0.01)
    return exposure.rescale_intensity(restoration.denoise_tv_chambolle(equalized, 0.1, max_num_iter=200), out_range=(0, 1))


preprocess()
times, begin = [], time.perf_counter()
while len(times) < 3 or time.perf_counter() - begin < options.seconds:
    before = time.perf_counter()
    preprocess()
    times.append((time.perf_counter() - before) * 1e3)
print(json.dumps({
    "peer": f"scikit-image {skimage.__version__}", "mode": "preprocess", "threads": 1, "ms_per_patch_median": statistics.median(times),
    "ms_per_patch_min": min(times), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, "steps": len(times)}))

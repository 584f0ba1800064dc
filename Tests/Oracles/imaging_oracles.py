"""Writes Tests/ImagingTests/Fixtures/skimage: what scikit-image and scipy.ndimage make of small seeded images.

    python3 Tests/Oracles/imaging_oracles.py

Needs numpy, scipy and scikit-image (versions are recorded in cases.json). All pixels stand in pixels.bin, row by row: inputs one byte a pixel
(the image is value / 255 in float64; masks are 0 and 1), outputs little-endian float32 or one byte a pixel. cases.json says where.
"""

import json
import pathlib
import platform

import numpy as np
import scipy
import skimage
from scipy import ndimage
from skimage import exposure, filters, measure, morphology, restoration

OUT = pathlib.Path(__file__).parent.parent / "ImagingTests" / "Fixtures" / "skimage"


def nuclei(rng, height, width, noise=6.0):
    """Soft bright blobs on a dark, unevenly lit, noisy ground: 8-bit."""
    y, x = np.mgrid[0:height, 0:width]
    image = 12 + 20 * x / max(width, 1) + 10 * np.sin(y / 17)
    for _ in range(max(1, height * width // 250)):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2, 9)
        image = image + rng.uniform(15, 120) / (1 + np.exp(np.hypot(y - cy, x - cx) - r))
    return np.clip(np.rint(image + rng.normal(0, noise, image.shape)), 0, 255).astype(np.uint8)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    rng = np.random.default_rng(2018)
    images = {f"nuclei{h}x{w}": nuclei(rng, h, w) for h, w in [(64, 64), (37, 53), (71, 40), (19, 83), (16, 16), (9, 11), (8, 8), (7, 5)]}
    images |= {f"noise{h}x{w}": rng.integers(0, 256, (h, w), dtype=np.uint8) for h, w in [(33, 31), (1, 7), (7, 1), (2, 2)]}
    images["black20x20"] = np.zeros((20, 20), np.uint8)
    images["grey20x20"] = np.full((20, 20), 90, np.uint8)
    images["one1x1"] = np.full((1, 1), 33, np.uint8)
    images["step24x30"] = np.repeat([[20] * 15 + [200] * 15], 24, axis=0).astype(np.uint8)
    blob = bytearray()
    inputs = {}

    def store_input(name, pixels):
        inputs[name] = dict(height=pixels.shape[0], width=pixels.shape[1], offset=len(blob))
        blob.extend(pixels.astype(np.uint8).tobytes())

    cases = {"clahe": [], "tv": [], "pipeline": [], "gaussian": [], "average": [], "median": [], "regions": [], "holes": [], "objects": [], "otsu": []}

    def store(kind, name, out, dtype, **fields):
        cases[kind].append(dict(input=name, offset=len(blob), **fields))
        blob.extend(np.ascontiguousarray(out).astype(dtype).tobytes())

    for name, raw in images.items():
        store_input(name, raw)
        image = raw / 255
        for clip, tiles in [(0.01, 8), (0.03, 8), (0.0, 8), (0.01, 3)]:
            if (clip, tiles) != (0.01, 8) and raw.size > 3000:
                continue
            kernel = None if tiles == 8 else [max(s // tiles, 1) for s in raw.shape]
            store("clahe", name, exposure.equalize_adapthist(image, kernel, clip), "<f4", clip=clip, tiles=tiles)
        for weight, iterations in [(0.1, 200), (0.02, 200), (0.3, 7)]:
            if weight != 0.1 and raw.size > 3000:
                continue
            denoised = restoration.denoise_tv_chambolle(image, weight, max_num_iter=iterations)
            store("tv", name, denoised, "<f4", weight=weight, iterations=iterations)
    for name in ("nuclei64x64", "nuclei71x40"):
        denoised = restoration.denoise_tv_chambolle(exposure.equalize_adapthist(images[name] / 255), 0.1)
        store("pipeline", name, exposure.rescale_intensity(denoised, out_range=(0, 1)), "<f4", weight=0.1, iterations=200, clip=0.01, tiles=8)

    for name in ("nuclei37x53", "nuclei9x11", "noise1x7", "noise2x2"):
        image = images[name] / 255
        for sigma in (0.5, 1.3):
            store("gaussian", name, ndimage.gaussian_filter(image, sigma, mode="mirror", truncate=4), "<f4", sigma=sigma)
        for radius in (1, 2):
            store("average", name, ndimage.uniform_filter(image, 2 * radius + 1, mode="mirror"), "<f4", radius=radius)
            store("median", name, ndimage.median_filter(image, 2 * radius + 1, mode="mirror"), "<f4", radius=radius)

    masks = {f"mask{h}x{w}_{int(100 * p)}": rng.random((h, w)) < p for h, w, p in
             [(32, 32, 0.45), (32, 32, 0.6), (17, 41, 0.55), (40, 13, 0.7), (24, 24, 0.9), (1, 20, 0.5), (20, 1, 0.5), (1, 1, 1.0)]}
    y, x = np.mgrid[0:40, 0:40]
    masks["spiral40x40"] = ((np.hypot(y - 20, x - 20) + np.arctan2(y - 20, x - 20) * 1.2) % 7.5) < 3.5
    masks["empty6x6"] = np.zeros((6, 6), bool)
    masks["full6x6"] = np.ones((6, 6), bool)
    masks["comb20x20"] = (np.indices((20, 20))[1] % 2 == 0) | (np.indices((20, 20))[0] == 19)
    for name, mask in masks.items():
        store_input(name, mask)
        for connectivity, neighbours in ((4, 1), (8, 2)):
            labels, count = measure.label(mask, connectivity=neighbours, return_num=True)
            assert count < 256
            store("regions", name, labels, "u1", connectivity=connectivity, count=count)
            for size in (1, 3, 12):
                # Background is connected the other way round than the foreground.
                holes = morphology.remove_small_holes(mask, max_size=size, connectivity=3 - neighbours)
                store("holes", name, holes, "u1", connectivity=connectivity, size=size)
                objects = morphology.remove_small_objects(mask, max_size=size - 1, connectivity=neighbours)
                store("objects", name, objects, "u1", connectivity=connectivity, size=size)

    for name, raw in images.items():
        # The single-precision image exactly: a value on the edge of two histogram bins falls into the one or the other by its last bit.
        image = (raw.astype(np.float32) / np.float32(255)).astype(np.float64)
        cases["otsu"].append(dict(input=name, offset=0, threshold=float(filters.threshold_otsu(image))))

    versions = dict(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__, skimage=skimage.__version__)
    lines = [f'"versions":{json.dumps(versions)}', f'"inputs":{json.dumps(inputs)}']
    for kind, rows in cases.items():
        lines.append(f'"{kind}":[\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    (OUT / "pixels.bin").write_bytes(blob)
    (OUT / "cases.json").write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()

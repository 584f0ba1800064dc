"""Writes what scikit-image says of objects: Tests/MetricsTests/Fixtures/objects.* and Tests/ImagingTests/Fixtures/watershed.*.

    python3 Tests/Oracles/object_oracles.py

Needs numpy, scipy and scikit-image (their versions are recorded).
objects.bin holds, for each case of objects.json, the labels and then the intensities, one byte a pixel;
watershed.bin the mask, its squared distances (32-bit little-endian) and the objects, one byte a pixel.
"""

import json
import pathlib
import platform

import numpy as np
import scipy
import scipy.ndimage as ndi
import skimage
from skimage.feature import peak_local_max
from skimage.measure import label, regionprops
from skimage.segmentation import watershed

TESTS = pathlib.Path(__file__).parent.parent
VERSIONS = dict(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__, skimage=skimage.__version__)


def disks(rng, height, width, count, radius):
    image = np.zeros((height, width), bool)
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(count):
        cy, cx, a, b, angle = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(*radius), rng.uniform(*radius), rng.uniform(0, np.pi)
        u, v = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle), (x - cx) * np.cos(angle) - (y - cy) * np.sin(angle)
        image |= (u / a) ** 2 + (v / b) ** 2 < 1
    return image


def shapes():
    """One pixel, lines, a ring, an L and a cross; then random blobs and noise, whose objects have holes and ragged borders."""
    single = np.zeros((3, 4), bool)
    single[1, 2] = True
    yield single
    yield np.ones((1, 1), bool)
    yield np.ones((1, 9), bool)
    yield np.ones((6, 5), bool)
    yield np.eye(9, dtype=bool)
    ring = np.ones((9, 11), bool)
    ring[3:6, 3:8] = False
    yield np.pad(ring, 2)
    ell = np.zeros((10, 12), bool)
    ell[1:9, 1:3] = ell[7:9, 1:11] = True
    yield ell
    cross = np.zeros((11, 11), bool)
    cross[5, :] = cross[:, 5] = True
    yield cross
    for seed in range(12):
        rng = np.random.default_rng(seed)
        yield disks(rng, int(rng.integers(16, 40)), int(rng.integers(16, 40)), 5, (1.5, 9))
    for seed in range(4):
        yield np.random.default_rng(100 + seed).random((20, 24)) < 0.45


def objects():
    data, cases = bytearray(), []
    for index, mask in enumerate(shapes()):
        labels = label(mask, connectivity=2)
        image = np.random.default_rng(1000 + index).integers(0, 256, mask.shape)
        found = [
            dict(
                label=int(r.label), centroid=[float(v) for v in r.centroid], box=[int(v) for v in r.bbox], area=int(r.area),
                perimeter=float(r.perimeter), eccentricity=float(r.eccentricity), solidity=float(r.solidity),
                meanIntensity=float(r.intensity_mean), integratedIntensity=float(r.intensity_mean * r.area),
            )
            for r in regionprops(labels, intensity_image=image)
        ]
        cases.append(dict(height=mask.shape[0], width=mask.shape[1], offset=len(data), objects=found))
        data += labels.astype(np.uint8).tobytes() + image.astype(np.uint8).tobytes()
    folder = TESTS / "MetricsTests" / "Fixtures"
    (folder / "objects.bin").write_bytes(data)
    (folder / "objects.json").write_text(json.dumps(dict(versions=VERSIONS, cases=cases)) + "\n")


def split(mask, spacing, connectivity):
    regions = label(mask, connectivity=1 if connectivity == 4 else 2)
    distance = ndi.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=spacing, exclude_border=False, labels=regions)
    markers = np.zeros(mask.shape, int)
    for number, (y, x) in enumerate(peaks, 1):
        markers[y, x] = number
    for region in range(1, regions.max() + 1):  # a plateau has no peak: it stays one object
        if not markers[regions == region].any():
            markers[tuple(np.argwhere(regions == region)[0])] = markers.max() + 1
    return watershed(-distance, markers, mask=mask, connectivity=1 if connectivity == 4 else 2)


def splits():
    data, cases = bytearray(), []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mask = disks(rng, 40, 44, 8, (4, 10))
        spacing, connectivity = [3, 4, 5, 7][seed % 4], 8
        squared = np.rint(ndi.distance_transform_edt(mask) ** 2).astype("<i4")
        result = split(mask, spacing, connectivity)
        cases.append(dict(height=40, width=44, offset=len(data), spacing=spacing, connectivity=connectivity, count=int(result.max())))
        data += mask.astype(np.uint8).tobytes() + squared.tobytes() + result.astype(np.uint8).tobytes()
    folder = TESTS / "ImagingTests" / "Fixtures"
    (folder / "watershed.bin").write_bytes(data)
    (folder / "watershed.json").write_text(json.dumps(dict(versions=VERSIONS, cases=cases)) + "\n")


objects()
splits()

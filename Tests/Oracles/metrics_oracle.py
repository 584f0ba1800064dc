"""Writes Tests/MetricsTests/Fixtures: 300 random pairs of label images and their scores.

    python3 Tests/Oracles/metrics_oracle.py

Needs numpy (its version is recorded). The scores are worked out here object by object, from the definitions of the paper (Long, BMC
Bioinformatics 21:8, 2020) and of the 2018 Data Science Bowl, in exact fractions; nothing is shared with the Swift program.
labels.bin holds, for each case of scores.json, the truth and then the prediction, one byte a pixel.
"""

import json
import pathlib
import platform
from fractions import Fraction

import numpy as np

OUT = pathlib.Path(__file__).parent.parent / "MetricsTests" / "Fixtures"
THRESHOLDS = [Fraction(50 + 5 * k, 100) for k in range(10)]


def iou(a, b):
    both, either = int(np.logical_and(a, b).sum()), int(np.logical_or(a, b).sum())
    return Fraction(both, either)


def scores(truth, prediction):
    g = [truth == label for label in np.unique(truth) if label]
    p = [prediction == label for label in np.unique(prediction) if label]
    table = [[iou(a, b) for b in p] for a in g]
    best_of_truth = [max(row, default=Fraction(0)) for row in table]
    best_of_prediction = [max((row[j] for row in table), default=Fraction(0)) for j in range(len(p))]
    ious, precisions, contest = [], [], []
    for t in THRESHOLDS:
        hits = [x for x in best_of_truth if x > t]
        missed = len(g) - len(hits)
        nowhere = sum(x == 0 for x in best_of_prediction)
        unmatched = sum(x <= t for x in best_of_prediction)
        ious.append(sum(hits, Fraction(0)) / len(g) if g else Fraction(0))
        whole = len(hits) + missed + nowhere
        precisions.append(Fraction(len(hits), whole) if whole else Fraction(0))
        whole = len(hits) + missed + unmatched
        contest.append(Fraction(len(hits), whole) if whole else Fraction(0))
    return dict(
        truthObjects=len(g),
        predictedObjects=len(p),
        averageIoU=float(sum(ious) / 10),
        iouAt050=float(ious[0]),
        averagePrecision=float(sum(precisions) / 10),
        contestScore=float(sum(contest) / 10),
    )


def blobs(rng, height, width, count, labels):
    image = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    for label in labels[:count]:
        cy, cx = rng.integers(0, height), rng.integers(0, width)
        if rng.random() < 0.5:
            image[np.hypot(y - cy, x - cx) < rng.uniform(1, 5)] = label
        else:  # rectangles make fractions that meet a threshold exactly
            image[cy : cy + rng.integers(1, 7), cx : cx + rng.integers(1, 7)] = label
    return image


def case(rng, index):
    height, width = rng.integers(1, 25, 2) if index % 10 == 0 else rng.integers(8, 25, 2)
    truth = blobs(rng, height, width, rng.integers(0, 9), rng.permutation(np.arange(1, 256)))
    kind = index % 6
    if kind == 0:  # unrelated
        prediction = blobs(rng, height, width, rng.integers(0, 9), rng.permutation(np.arange(1, 256)))
    elif kind == 1:  # shifted
        prediction = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
    elif kind == 2:  # pixels lost
        prediction = np.where(rng.random(truth.shape) < rng.uniform(0, 0.5), 0, truth)
    elif kind == 3:  # neighbours merged, something added
        prediction = ((truth + 1) // 2).astype(np.uint8)
        extra = blobs(rng, height, width, 2, [200, 201])
        prediction = np.where(prediction == 0, extra, prediction)
    elif kind == 4:  # split in halves, renamed
        prediction = np.where(np.arange(width) % 8 < rng.integers(3, 9), truth, np.where(truth > 0, 255 - truth, 0))
    else:  # the same, under other names
        names = np.concatenate([[0], rng.permutation(np.arange(1, 256))])
        prediction = names[truth]
    if index % 50 == 7:
        truth = np.zeros_like(truth)
    if index % 50 in (8, 57):
        prediction = np.zeros_like(truth)
    if index in (100, 200):
        truth, prediction = np.zeros_like(truth), np.zeros_like(truth)
    return truth, prediction.astype(np.uint8)


def main():
    rng = np.random.default_rng(300)
    OUT.mkdir(parents=True, exist_ok=True)
    blob, rows = bytearray(), []
    for index in range(300):
        truth, prediction = case(rng, index)
        rows.append(dict(height=truth.shape[0], width=truth.shape[1], offset=len(blob), **scores(truth, prediction)))
        blob += truth.tobytes() + prediction.tobytes()
    (OUT / "labels.bin").write_bytes(blob)
    versions = dict(python=platform.python_version(), numpy=np.__version__)
    text = ",\n".join(json.dumps(row, default=int) for row in rows)
    (OUT / "scores.json").write_text(f'{{"versions":{json.dumps(versions)},\n"cases":[\n{text}\n]}}\n')


if __name__ == "__main__":
    main()

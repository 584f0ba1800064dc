#!/usr/bin/env python3
"""Reads the event files of a run back with TensorBoard's own EventAccumulator, the run killed and started again on its way.

    Tests/Reliability/tensorboard.py RUNNER [--kills 10] [--seed 1] [--venv DIR] [--out results/reliability]

RUNNER is the built program. TensorBoard is installed from PyPI into --venv (kept; default: a temporary folder). A small sweep is run,
killed with SIGKILL at random moments and once more stopped with SIGINT, until it ends by itself. Each trial's file must then give every
epoch of losses.csv exactly once and in order, with its values. Writes tensorboard.csv; exits 1 if not, or if fewer than half of the kills met a
run at work.
"""
import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile

from runs import write_csv

REQUIREMENTS = ["tensorboard==2.21.0", "setuptools<81"]
SPEC = """\
name: curves
data: {source: synthetic, synthetic: {train: 8, test: 2, side: 128, seed: 7}}
model: {base_filters: 4, depth: 3}
patches.size: 64
train: {epochs: 12, batch: 8, learning_rate: 1e-3}
evaluate.timing_passes: 1
trials:
  - {name: U-Net,  model.architecture: unet, model.l2: 1e-4, train.fine_tune: {epochs: 4, learning_rate: 1e-4}}
  - {name: U-Net+, model.architecture: unet+}
"""
# Inside the venv: every scalar of every folder given, as CSV.
READ = """\
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
for folder in sys.argv[1:]:
    events = EventAccumulator(folder, size_guidance={"scalars": 0})
    events.Reload()
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            print(folder, tag, event.step, repr(event.value), event.wall_time, sep=";")
"""
COLUMNS = {"loss/train": "train_loss", "loss/validation": "val_loss", "penalty": "penalty", "learning_rate": "learning_rate"}


def interrupted_run(runner, spec, out, kills, draw):
    """Runs to the end, through `kills` SIGKILLs and one SIGINT; how often it was really cut off."""
    cut = 0
    for attempt in range(kills + 2):
        process = subprocess.Popen([runner, "run", spec, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            code = process.wait(timeout=draw.uniform(0.05, 1.2) if attempt <= kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT if attempt == kills // 2 else signal.SIGKILL)
            process.wait()
            cut += 1
            continue
        if code != 0:
            sys.exit(f"the run ended with exit {code}: {process.stderr.read().decode()}")
        return cut
    return cut


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venv")
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tensorboard-") as place:
        venv = options.venv or os.path.join(place, "venv")
        python = os.path.join(venv, "bin", "python")
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS], check=True)
        spec, out = os.path.join(place, "curves.yaml"), os.path.join(place, "out")
        open(spec, "w").write(SPEC)
        cut = interrupted_run(os.path.abspath(options.runner), spec, out, options.kills, random.Random(options.seed))
        folders = {}
        for name in sorted(os.listdir(os.path.join(out, "trials"))):
            folder = os.path.join(out, "trials", name)
            with open(os.path.join(folder, "record.json")) as file:
                folders[folder] = json.load(file)["trial"]
        read = subprocess.run([python, "-c", READ, *folders], check=True, capture_output=True, text=True).stdout
        expected = []
        with open(os.path.join(out, "losses.csv"), newline="") as file:
            for row in csv.DictReader(file):
                expected += [(row["trial"], tag, int(row["epoch"]), float(row[column])) for tag, column in COLUMNS.items()]
        found = []
        for line in read.splitlines():
            folder, tag, step, value, _ = line.split(";")
            found.append((folders[folder], tag, int(step), float(value)))
    order = lambda row: (row[0], row[1])  # a stable sort: steps stay as they were read
    expected.sort(key=order)
    found.sort(key=order)
    faults = []
    if cut < options.kills // 2:  # a run that nothing happened to tells nothing
        faults.append(f"cut off only {cut} times")
    if [row[:3] for row in expected] != [row[:3] for row in found]:
        faults.append(f"steps differ: {len(found)} values read, {len(expected)} expected")
    faults += [f"{e}: read {f[3]}" for e, f in zip(expected, found) if abs(e[3] - f[3]) > 1e-6 * max(1e-6, abs(e[3]))]
    write_csv(os.path.join(options.out, "tensorboard.csv"), ["tensorboard", "cut_off", "values_expected", "values_read", "survived"], [
        {"tensorboard": REQUIREMENTS[0].split("==")[1], "cut_off": cut, "values_expected": len(expected), "values_read": len(found), "survived": "no" if faults else "yes"}])
    print(f"{cut} times cut off; {len(found)} values of {len(expected)} read by TensorBoard, {len(faults)} faults")
    for fault in faults[:20]:
        print(fault)
    sys.exit(1 if faults else 0)


main()

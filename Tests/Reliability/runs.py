"""What the reliability scripts share: a small sweep, starting the runner on it, and what a results folder must hold in the end."""
import csv
import os
import subprocess

# Two networks, one with a second phase, on nuclei that are made up: some tenths of a second.
SPEC = """\
name: tiny
title: A small sweep to be disturbed
data: {source: synthetic, synthetic: {train: 4, test: 2, side: 64, seed: 3}}
model: {base_filters: 2, depth: 2}
preprocess: {tv_iterations: 5}
patches.size: 32
train: {epochs: 2, batch: 8, learning_rate: 1e-3}
evaluate: {minimum_object: 4, timing_passes: 1}
trials:
  - {name: U-Net,  model.architecture: unet, train.fine_tune: {epochs: 1, learning_rate: 1e-4}}
  - {name: U-Net+, model.architecture: unet+}
"""
# A longer one, some tenths of a second more, for what comes at random moments.
LONGER_SPEC = """\
name: kills
title: A small sweep to be killed
data: {source: synthetic, synthetic: {train: 8, test: 3, side: 128, seed: 7}}
model: {base_filters: 4, depth: 3}
patches.size: 64
train: {epochs: 5, batch: 8, learning_rate: 1e-3}
evaluate.timing_passes: 1
trials:
  - {name: U-Net,  model.architecture: unet, train.fine_tune: {epochs: 2, learning_rate: 1e-4}}
  - {name: U-Net+, model.architecture: unet+}
"""
# Events carry the time of each value: tensorboard.py reads them back.
OF_THE_CLOCK = {"timings.csv", "provenance.json", "log.jsonl", "events.tfevents"}


def contents(folder):
    """What the contract says must not depend on what happened on the way: path → bytes."""
    found = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "cache"]
        for name in files:
            # A PNG beside its SVG is rsvg-convert's copy, there or not as the machine has it; the others the runner draws itself.
            if name in OF_THE_CLOCK or (name.endswith(".png") and name[:-3] + "svg" in files):
                continue
            full = os.path.join(path, name)
            data = open(full, "rb").read()
            if name == "report.md":
                data = b"\n".join(line for line in data.split(b"\n") if b"<!-- clock -->" not in line)
            found[os.path.relpath(full, folder)] = data
    return found


def differences(expected, found):
    """One line for each file that is not as expected."""
    return [f"{path} {'is missing' if path not in found else 'should not be there' if path not in expected else 'differs'}"
            for path in sorted(expected.keys() | found.keys()) if expected.get(path) != found.get(path)]


def run(runner, spec, out, *options, environment=None, timeout=120):
    """Runs to the end; exit code (negative: the signal that killed it; None: it hung) and what it said on standard error.

    Without a PATH, where rsvg-convert might be: it would copy the figures as PNG, with file calls that are not the runner's own."""
    process = subprocess.Popen([runner, "run", spec, "--out", out, "--jobs", "1", "--threads", "1", *options], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, errors="replace", env={**os.environ, "PATH": "/nowhere", **(environment or {})})
    try:
        _, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, ""
    return process.returncode, errors


def write_csv(path, columns, rows):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

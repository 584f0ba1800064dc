#!/usr/bin/env python3
"""Kills runs at random moments with SIGKILL, starts them again, and compares what they leave with a run never interrupted.

    Tests/Reliability/kills.py RUNNER [--kills 100] [--seed 1] [--out results/reliability]

RUNNER is the built program. A small sweep on synthetic nuclei (two networks, one with a fine-tuning phase) is run once whole. Then it
is run again and again in fresh folders; each process is killed after a random time, and the same command is given again
until it ends by itself. What must be the same bytes: every CSV but timings.csv, the resolved spec, the records, the masks, the
weights, the figures, and report.md but for the lines marked <!-- clock -->. Writes kills.csv and kills.md; exits 1 if anything differs.
"""
import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SPEC = """\
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
OF_THE_CLOCK = {"timings.csv", "provenance.json", "log.jsonl", "events.tfevents"}


def contents(folder):
    """What the contract says must not depend on interruptions: path → bytes."""
    found = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "cache"]
        for name in files:
            if name in OF_THE_CLOCK or name.endswith(".png"):
                continue
            full = os.path.join(path, name)
            data = open(full, "rb").read()
            if name == "report.md":
                data = b"\n".join(line for line in data.split(b"\n") if b"<!-- clock -->" not in line)
            found[os.path.relpath(full, folder)] = data
    return found


def start(runner, spec, out):
    return subprocess.Popen([runner, "run", spec, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def stage(folder):
    """Where the run stood, from what it left."""
    if os.path.exists(os.path.join(folder, "report.md")):
        return "after the report"
    trials = os.path.join(folder, "trials")
    names = os.listdir(trials) if os.path.isdir(trials) else []
    done = sum(os.path.exists(os.path.join(trials, name, "record.json")) for name in names)
    if not names:
        return "before the first trial"
    open_trials = [name for name in names if not os.path.exists(os.path.join(trials, name, "record.json"))]
    if not open_trials:
        return f"{done} trials done"
    files = os.listdir(os.path.join(trials, open_trials[0]))
    kind = "evaluating" if "best.safetensors" in files else "training, with a checkpoint" if any("checkpoint" in f for f in files) else "before a first checkpoint"
    return f"{done} trials done, {kind}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, draw = os.path.abspath(options.runner), random.Random(options.seed)
    rows, runs, faults = [], 0, []
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        spec = os.path.join(place, "kills.yaml")
        open(spec, "w").write(SPEC)
        began = time.monotonic()
        whole = start(runner, spec, os.path.join(place, "whole"))
        if whole.wait() != 0:
            sys.exit(f"the uninterrupted run failed: {whole.stderr.read().decode()}")
        length = time.monotonic() - began
        expected = contents(os.path.join(place, "whole"))
        print(f"uninterrupted: {length:.2f} s, {len(expected)} files compared", flush=True)
        while len(rows) < options.kills:
            runs += 1
            out = os.path.join(place, f"run{runs}")
            while True:
                process = start(runner, spec, out)
                moment = draw.uniform(0.01, length)
                try:
                    code = process.wait(timeout=moment if len(rows) < options.kills else None)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    rows.append({"kill": len(rows) + 1, "run": runs, "after_s": round(moment, 3), "stage": stage(out)})
                    continue
                if code != 0:
                    faults.append(f"run {runs} ended with exit {code}: {process.stderr.read().decode().strip()}")
                break
            found = contents(out)
            for path in sorted(expected.keys() | found.keys()):
                if expected.get(path) != found.get(path):
                    faults.append(f"run {runs}: {path} {'is missing' if path not in found else 'should not be there' if path not in expected else 'differs'}")
            print(f"run {runs}: {sum(row['run'] == runs for row in rows)} kills survived, {len(faults)} faults so far", flush=True)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "kills.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, ["kill", "run", "after_s", "stage"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    stages = {}
    for row in rows:
        stages[row["stage"]] = stages.get(row["stage"], 0) + 1
    with open(os.path.join(options.out, "kills.md"), "w") as file:
        file.write(f"# Killed and started again\n\n{len(rows)} kills (SIGKILL) at random moments over {runs} runs of a sweep that takes {length:.1f} s when left alone; "
                   f"{len(expected)} files of each compared byte for byte with the uninterrupted run's: {len(faults)} differences.\n\n"
                   "| where the run stood | kills |\n|---|---:|\n" + "".join(f"| {name} | {count} |\n" for name, count in sorted(stages.items())))
        file.write("".join(f"\n- {fault}" for fault in faults))
    print(f"{len(rows)} kills, {runs} runs, {len(faults)} faults")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains one trial of a committed results folder again, from a clean clone, and compares the rows of its CSV files.

    Tests/Reliability/repeat.py [--experiment table2] [--trial U-Net] [--seed 2] [--threads 1] [--commit HEAD] [--place ~/.cache/runner/repeat] [--out results/reliability]

Clones this repository at the commit, builds it, runs `experiments/EXPERIMENT.yaml` for the one trial into a folder beside the clone, and holds every row of
this trial in trials.csv, images.csv and losses.csv, and every mask, against what is committed. The images are found as in every run
($RUNNER_DATA). It takes as long as the training; what is broken off goes on in the same place. Writes repeat.csv, where other trials' rows stay; exits 1 if
a row differs. Rows can be the same only on the instruction set that they were made with, which stands in the results' provenance.json.
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import time

from runs import write_csv

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
COMPARED = ["trials.csv", "images.csv", "losses.csv"]
COLUMNS = ["experiment", "trial", "seed", "made_with", "repeated_with", "processor", "commit", "date", "minutes", *COMPARED, "masks", "differ"]


def git(*words):
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout.strip()


def step(*command, at=None):
    """Runs it; where it fails it has said why, and its exit code is ours."""
    code = subprocess.run(command, cwd=at).returncode
    if code:
        sys.exit(code)


def rows(folder, name, trial, seed):
    with open(os.path.join(folder, name), newline="") as file:
        return [row for row in csv.reader(file) if row[:2] == [trial, str(seed)]]


def masks(folder, trial, seed):
    """The trial's run-length masks, a line an image: its fingerprint names the folder."""
    with open(os.path.join(folder, "trials.csv"), newline="") as file:
        found = [row["fingerprint"] for row in csv.DictReader(file) if (row["trial"], row["seed"]) == (trial, str(seed))]
    path = os.path.join(folder, "trials", found[0], "masks.csv")
    return open(path).read().splitlines()[1:]


def provenance(folder, key):
    with open(os.path.join(folder, "provenance.json")) as file:
        return json.load(file)[key]


def minutes(folder):
    """Of the training, through all interruptions."""
    with open(os.path.join(folder, "timings.csv"), newline="") as file:
        return round(float(next(csv.DictReader(file))["train_seconds"]) / 60, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="table2")
    parser.add_argument("--trial", default="U-Net")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--place", default=os.path.expanduser("~/.cache/runner/repeat"))
    parser.add_argument("--out", default=os.path.join(ROOT, "results", "reliability"))
    options = parser.parse_args()
    commit = git("rev-parse", "--short", options.commit)
    place = os.path.join(options.place, commit)
    clone, again = os.path.join(place, "clone"), os.path.join(place, f"{options.experiment}-{options.trial}-{options.seed}".replace(" ", "-"))
    if not os.path.exists(clone):
        step("git", "clone", "--quiet", ROOT, clone)
        step("git", "-C", clone, "checkout", "--quiet", commit)
    step("swift", "build", "-c", "release", "--product", "runner", at=clone)
    step(os.path.join(clone, ".build", "release", "runner"), "run", f"experiments/{options.experiment}.yaml", "--only", options.trial,
         "--set", f"seed={options.seed}", "--jobs", "1", "--threads", str(options.threads), "--out", again, at=clone)

    committed = os.path.join(clone, "results", options.experiment)
    result = {"experiment": options.experiment, "trial": options.trial, "seed": options.seed, "made_with": provenance(committed, "instruction_set"),
              "repeated_with": provenance(again, "instruction_set"), "processor": provenance(again, "processor"), "commit": commit, "date": time.strftime("%Y-%m-%d"), "minutes": minutes(again)}
    different = 0
    for name in [*COMPARED, "masks"]:
        old, new = [masks(each, options.trial, options.seed) if name == "masks" else rows(each, name, options.trial, options.seed) for each in (committed, again)]
        if not old:
            sys.exit(f"{committed}/{name}: no row of {options.trial}, seed {options.seed}")
        result[name] = len(old)
        different += sum(one != other for one, other in zip(old, new)) + abs(len(old) - len(new))
    result["differ"] = different

    path = os.path.join(options.out, "repeat.csv")
    others = [row for row in csv.DictReader(open(path, newline=""))] if os.path.exists(path) else []
    same = lambda row: (row["experiment"], row["trial"], str(row["seed"])) == (options.experiment, options.trial, str(options.seed))
    write_csv(path, COLUMNS, [*[row for row in others if not same(row)], result])
    print(f"{options.trial}, seed {options.seed}: {sum(result[name] for name in [*COMPARED, 'masks'])} rows compared, {different} differ")
    sys.exit(1 if different else 0)


main()

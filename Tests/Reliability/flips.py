#!/usr/bin/env python3
"""Flips bytes and cuts files of a results folder, and checks that each is found, said, and survived.

    Tests/Reliability/flips.py RUNNER [--each 5] [--seed 1] [--out results/reliability]

RUNNER is the built program. For each kind of file a tiny sweep leaves (checkpoints, newest and both; best weights; patches; records; logs; masks)
a folder that needs it is made: cut off in the middle of a training, or done and then asked for what is missing. A random bit of a random
byte is flipped, or the file is cut at a random place, and the same command is given again. Checked: a warning on standard error names the file;
exit 0; and the bytes are those of a run that nothing happened to. Writes flips.csv; exits 1 if anything was wrong.
"""
import argparse
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

from runs import SPEC, contents, differences, run, write_csv


def interrupt(runner, spec, out):
    """A folder whose second training was stopped within an epoch, with two checkpoints: one batch, one checkpoint."""
    process = subprocess.Popen([runner, "run", spec, "--out", out, "--jobs", "1", "--threads", "1", "--checkpoint-every", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if line.startswith("U-Net+: train epoch 1/"):
            process.send_signal(signal.SIGTERM)
            break
    process.stdout.read()
    if process.wait() != 143 or len(glob.glob(f"{out}/trials/*/checkpoint*")) != 2:
        sys.exit("a training could not be stopped with two checkpoints")


def remove(pattern):
    def change(out):
        for path in glob.glob(f"{out}/{pattern}"):
            os.unlink(path)
    return change


# Kind of file: whether the folder is that of a stopped training, which files are damaged, what else is taken away so that they are needed.
# The lock and what the report is made into anew are left out: nothing is read from them.
KINDS = {
    "checkpoint, newest": (True, "trials/*/checkpoint", lambda out: None),
    "checkpoint, both": (True, "trials/*/checkpoint*", lambda out: None),
    "best weights": (False, "trials/*/best.safetensors", remove("trials/*/record.json")),
    "training patches": (True, "cache/training-*.patches", lambda out: None),
    "test patches": (False, "cache/test-*.patches", remove("trials/*/record.json")),
    "record": (False, "trials/*/record.json", lambda out: None),
    "log": (False, "trials/*/log.jsonl", lambda out: None),
    "masks": (False, "trials/*/masks.csv", lambda out: None),
}


def damage(path, draw, cut):
    data = bytearray(open(path, "rb").read())
    place = draw.randrange(len(data))
    if cut:
        del data[place:]
    else:
        data[place] ^= 1 << draw.randrange(8)
    # A new file: the old one may have a second name elsewhere.
    os.unlink(path)
    open(path, "wb").write(data)
    return place


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--each", type=int, default=5, help="flips, and as many cuts, of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, draw, rows, faults = os.path.abspath(options.runner), random.Random(options.seed), [], []
    with tempfile.TemporaryDirectory(prefix="flips-") as place:
        spec, whole, stopped, out = (os.path.join(place, name) for name in ("tiny.yaml", "whole", "stopped", "run"))
        open(spec, "w").write(SPEC)
        code, errors = run(runner, spec, whole)
        if code != 0:
            sys.exit(f"the run that nothing happens to failed: {errors}")
        interrupt(runner, spec, stopped)
        expected = contents(whole)
        for kind, (is_stopped, pattern, prepare) in KINDS.items():
            for number in range(2 * options.each):
                cut = number % 2 == 1
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(stopped if is_stopped else whole, out)
                prepare(out)
                found = sorted(glob.glob(f"{out}/{pattern}"))
                chosen = found if "both" in kind else [draw.choice(found)]
                places = [damage(path, draw, cut) for path in chosen]
                code, said = run(runner, spec, out)
                wrong = [] if code == 0 else ["it hung" if code is None else f"exit {code}"]
                wrong += [f"{os.path.relpath(path, out)} is not named in a warning" for path in chosen if not
                          any("warning: " in line and path in line for line in said.splitlines())]
                # Damaged masks are worth a warning, not a training.
                wrong += [line for line in differences(expected, contents(out)) if kind != "masks" or "masks.csv" not in line]
                rows.append({"kind": kind, "damage": "cut" if cut else "flip", "at": places[0], "exit": code, "found and survived": "no" if wrong else "yes"})
                faults += [f"{kind}, {'cut' if cut else 'flipped'} at {places}: {line}" for line in wrong]
            print(f"{kind}: {2 * options.each} times damaged, {len(faults)} wrong so far", flush=True)
    write_csv(os.path.join(options.out, "flips.csv"), ["kind", "damage", "at", "exit", "found and survived"], rows)
    print(f"{len(rows)} damaged files, {len(faults)} wrong")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


main()

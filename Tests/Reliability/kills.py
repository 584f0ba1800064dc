#!/usr/bin/env python3
"""Kills runs at random moments with SIGKILL, starts them again, and compares what they leave with a run never interrupted.

    Tests/Reliability/kills.py RUNNER [--kills 100] [--seed 1] [--out results/reliability]

RUNNER is the built program. A small sweep on synthetic nuclei (two networks, one with a fine-tuning phase) is run once whole. Then it
is run again and again in fresh folders; each process is killed at a random moment of a stage drawn from those that lie before it (so that
short ones are met as often as long ones) or left alone, and the same command is given again until it ends by itself. What must be
the same bytes: every CSV but timings.csv, the resolved spec, the records, the masks, the weights, the figures, and report.md but for
the lines marked <!-- clock -->. Writes kills.csv; exits 1 if anything differs.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from runs import LONGER_SPEC, contents, differences, write_csv

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


def stages(process, folder):
    """The stages that a run goes through while it is watched, and how long each lasts, in seconds."""
    seen, began = {}, time.monotonic()
    while process.poll() is None:
        now, here = time.monotonic(), stage(folder)
        if seen:
            seen[last] += now - began
        seen.setdefault(here, 0)
        began, last = now, here
        time.sleep(0.002)
    return seen


def await_stage(process, folder, wanted):
    """Whether the run came to a stage, or beyond it while nobody looked, before it ended."""
    while process.poll() is None:
        if stage(folder) in wanted:
            return True
        time.sleep(0.002)
    return False


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
        open(spec, "w").write(LONGER_SPEC)
        whole = start(runner, spec, os.path.join(place, "whole"))
        lengths = stages(whole, os.path.join(place, "whole"))
        if whole.wait() != 0:
            sys.exit(f"the uninterrupted run failed: {whole.stderr.read().decode()}")
        order = list(lengths)
        expected = contents(os.path.join(place, "whole"))
        print(f"uninterrupted: {sum(lengths.values()):.2f} s, {len(expected)} files compared; {lengths}", flush=True)
        while len(rows) < options.kills:
            runs, wrong = runs + 1, []
            out = os.path.join(place, f"run{runs}")
            while True:
                here = stage(out)
                ahead = order[order.index(here) if here in order else 0:]
                drawn = draw.randint(0, len(ahead))  # the last of these: to its end
                began, process = time.monotonic(), start(runner, spec, out)
                if len(rows) < options.kills and await_stage(process, out, ahead[drawn:]):
                    time.sleep(draw.uniform(0, lengths[ahead[drawn]]))
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                        process.wait()
                        rows.append({"kill": len(rows) + 1, "run": runs, "after_s": round(time.monotonic() - began, 3), "stage": stage(out)})
                        continue
                code = process.wait()
                if code != 0:
                    wrong.append(f"exit {code}: {process.stderr.read().decode().strip()}")
                break
            wrong += differences(expected, contents(out))
            faults += [f"run {runs}: {line}" for line in wrong]
            for row in rows:
                if row["run"] == runs:
                    row["survived"] = "no" if wrong else "yes"
            print(f"run {runs}: {sum(row['run'] == runs for row in rows)} kills survived, {len(faults)} faults so far", flush=True)
    write_csv(os.path.join(options.out, "kills.csv"), ["kill", "run", "after_s", "stage", "survived"], rows)
    print(f"{len(rows)} kills, {runs} runs, {len(faults)} faults")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


main()

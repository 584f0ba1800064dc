#!/usr/bin/env python3
"""Makes one trial of three fail, by a loss that is not a number and by memory that is refused, and checks that the others know nothing of it.

    Tests/Reliability/isolation.py RUNNER [--out results/reliability]

RUNNER is the built program. Checked: exit 1; the failed trial's record names the reason; report.md says "2 of 3 trials" and trials.csv shows the trial
as failed without a number; the other rows are those of a sweep without it; `--only-failed` runs that trial alone. Writes isolation.csv; exits 1 if
anything was wrong. (A damaged image is in FaultTests and DamageTests: it takes a hand in the middle of a run.)
"""
import argparse
import csv
import glob
import json
import os
import resource
import subprocess
import sys
import tempfile

from runs import SPEC, write_csv

# Name: what fails, what its reason says, megabytes of address space the runner may have.
CASES = {
    "a loss that is not a number": ("train.learning_rate: 1e30", "not a finite number", None),
    "memory that is refused": ("model.base_filters: 256, model.depth: 6, patches.size: 512", "memory", 4000),
}


def run(runner, spec, out, megabytes, *options):
    limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2)) if megabytes else None
    return subprocess.run([runner, "run", spec, "--out", out, "--jobs", "1", "--threads", "1", *options], capture_output=True, text=True, preexec_fn=limit)


def rows(out):
    with open(os.path.join(out, "trials.csv"), newline="") as file:
        return {row["trial"]: row for row in csv.DictReader(file)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, results, faults = os.path.abspath(options.runner), [], []
    with tempfile.TemporaryDirectory(prefix="isolation-") as place:
        sound, alone = os.path.join(place, "sound.yaml"), os.path.join(place, "alone")
        open(sound, "w").write(SPEC)
        run(runner, sound, alone, None)
        expected = rows(alone)
        for case, (settings, reason, megabytes) in CASES.items():
            spec, out, wrong = os.path.join(place, "broken.yaml"), os.path.join(place, case.split()[0]), []
            open(spec, "w").write(SPEC.replace("trials:\n", f"trials:\n  - {{name: broken, model.architecture: unet, {settings}}}\n"))
            done = run(runner, spec, out, megabytes)
            if done.returncode != 1:
                wrong.append(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
            failures = [record["failure"] for record in map(json.load, map(open, glob.glob(f"{out}/trials/*/record.json"))) if record.get("failure")]
            if len(failures) != 1 or reason not in failures[0]:
                wrong.append(f"the records' failures are {failures}")
            if not wrong:
                found = rows(out)
                if "2 of 3 trials" not in open(f"{out}/report.md").read():
                    wrong.append("report.md does not say 2 of 3 trials")
                if found.pop("broken")["average_iou"] != "" or found != expected:
                    wrong.append("trials.csv: the failed trial has a number, or the others' differ")
                again = run(runner, spec, out, megabytes, "--only-failed")
                if again.returncode != 1 or "U-Net: train" in again.stdout:
                    wrong.append(f"--only-failed: exit {again.returncode}")
            results.append({"what fails": case, "exit": done.returncode, "reason": failures[0] if failures else "", "as it should be": "no" if wrong else "yes"})
            faults += [f"{case}: {line}" for line in wrong]
    write_csv(os.path.join(options.out, "isolation.csv"), ["what fails", "exit", "reason", "as it should be"], results)
    print(f"{len(results)} failures, {len(faults)} wrong")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


main()

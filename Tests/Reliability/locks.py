#!/usr/bin/env python3
"""One writer a results folder, with real processes: a second run, a waiting one, kills of the holder and of those that wait.

    Tests/Reliability/locks.py RUNNER [--rounds 20] [--out results/reliability]

Each round starts a run and, while it works, a second one, which must exit 4 and name it, and a third that waits; then the first is killed with
SIGKILL at a random moment (in every second round the waiting one too, and another goes on). Whoever waits must go on without anything being
cleaned up, and what stands at the end must be the bytes of a run left alone. Writes locks.csv; exits 1 if anything differs.
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


def start(runner, spec, out, *options):
    return subprocess.Popen([runner, "run", spec, "--out", out, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, draw, rows = os.path.abspath(options.runner), random.Random(options.seed), []
    with tempfile.TemporaryDirectory(prefix="locks-") as place:
        spec = os.path.join(place, "kills.yaml")
        open(spec, "w").write(LONGER_SPEC)
        whole = os.path.join(place, "whole")
        began = time.monotonic()
        if start(runner, spec, whole).wait() != 0:
            sys.exit("the uninterrupted run failed")
        length, expected = time.monotonic() - began, contents(whole)
        for number in range(1, options.rounds + 1):
            out, faults = os.path.join(place, f"round{number}"), []
            first = start(runner, spec, out)
            while not os.path.isdir(os.path.join(out, "trials")) and first.poll() is None:
                time.sleep(0.01)
            second = start(runner, spec, out)
            said = second.communicate()[0]
            if first.poll() is None and (second.returncode != 4 or f"process {first.pid} on " not in said or f"{os.path.basename(runner)} run" not in said):
                faults.append(f"the second run: exit {second.returncode}: {said.strip()}")
            waiting = [start(runner, spec, out, "--wait")]
            time.sleep(draw.uniform(0, length / 2))
            if number % 2 == 0:
                waiting[0].send_signal(signal.SIGKILL)
                waiting[0].wait()
                waiting.append(start(runner, spec, out, "--wait"))
            was_at_work = first.poll() is None
            first.kill()
            first.wait()
            said = waiting[-1].communicate()[0]
            if waiting[-1].returncode != 0 or said.count("waiting for it to end") > 1:
                faults.append(f"the waiting run: exit {waiting[-1].returncode}: {said.strip()[-300:]}")
            faults += differences(expected, contents(out))
            rows.append({"round": number, "holder_killed_at_work": "yes" if was_at_work else "no",
                         "waiter_killed_too": "yes" if number % 2 == 0 else "no", "survived": "no" if faults else "yes"})
            print(f"round {number}: {'fine' if not faults else faults}", flush=True)
    write_csv(os.path.join(options.out, "locks.csv"), list(rows[0]), rows)
    sys.exit(1 if any(row["survived"] == "no" for row in rows) else 0)


main()

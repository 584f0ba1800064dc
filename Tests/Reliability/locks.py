#!/usr/bin/env python3
"""One writer a results folder, with real processes: a second run, a waiting one, kills of the holder and of those that wait.

    Tests/Reliability/locks.py RUNNER [--rounds 20] [--out results/reliability]

Each round starts a run and, while it works, a second one, which must exit 4 and name it, and a third that waits and says so once; then the first
is killed with SIGKILL at a random moment (in every second round the waiting one too, and another goes on). Whoever waits must go on without
anything being cleaned up, and what stands at the end must be the bytes of a run left alone. Writes locks.csv; exits 1 if anything differs, or if the
second run met the first at work in fewer than half of the rounds.
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


WAITING = "waiting for it to end"


def start(runner, spec, out, *options):
    return subprocess.Popen([runner, "run", spec, "--out", out, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start_waiting(runner, spec, out):
    """A run that waits, and what it said up to that; the whole of it where there was nothing to wait for."""
    process, said = start(runner, spec, out, "--wait"), ""
    for line in process.stdout:
        said += line
        if WAITING in line:
            break
    return process, said


def second_run_faults(runner, first, code, said):
    """It must be refused and told by whom; where the first one ended in the meantime, it must have found all done."""
    if code == 4:
        named = f"process {first.pid} on " in said and f"{os.path.basename(runner)} run" in said
    else:
        named = code == 0 and "nothing to do" in said and first.poll() is not None
    return [] if named else [f"the second run: exit {code}: {said.strip()}"]


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
            faults += second_run_faults(runner, first, second.returncode, said)
            waiting, said = start_waiting(runner, spec, out)
            time.sleep(draw.uniform(0, length / 2))
            if number % 2 == 0:
                waiting.send_signal(signal.SIGKILL)
                waiting.communicate()
                waiting, said = start_waiting(runner, spec, out)
            was_at_work = first.poll() is None
            first.kill()
            first.communicate()
            said += waiting.communicate()[0]
            if waiting.returncode != 0 or said.count(WAITING) > 1 or (was_at_work and WAITING not in said):
                faults.append(f"the waiting run: exit {waiting.returncode}: {said.strip()[-300:]}")
            faults += differences(expected, contents(out))
            rows.append({"round": number, "second_exit": second.returncode, "holder_killed_at_work": "yes" if was_at_work else "no",
                         "waiter_killed_too": "yes" if number % 2 == 0 else "no", "survived": "no" if faults else "yes"})
            print(f"round {number}: {'fine' if not faults else faults}", flush=True)
    write_csv(os.path.join(options.out, "locks.csv"), list(rows[0]), rows)
    met = sum(row["second_exit"] == 4 for row in rows)
    print(f"{met} of {len(rows)} rounds met the lock")
    sys.exit(1 if any(row["survived"] == "no" for row in rows) or 2 * met < len(rows) else 0)


main()

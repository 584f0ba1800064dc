#!/usr/bin/env python3
"""Sends signals to runs in each of their phases and checks how they end and what the next run makes of it.

    Tests/Reliability/signals.py RUNNER [--each 3] [--out results/reliability]

RUNNER is the built program. The first SIGINT or SIGTERM stops a run at the next batch, image or pass with exit 130 or 143, and it says that the same
command goes on; a second ends it at once, so that it says nothing more; SIGUSR1 in the middle of an epoch makes a checkpoint, from which a run that is then killed goes on. After each, the same command ends with
exit 0 and the bytes of a run that was left alone. Writes signals.csv; exits 1 if anything was wrong.
"""
import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from runs import contents, differences, run, write_csv

# Every phase lasts long enough to be met: an epoch and the evaluation some tenths of a second, the times for ever.
SPEC = """\
name: signals
title: A run to be interrupted
data: {source: synthetic, synthetic: {train: 24, test: 24, side: 128, seed: 3}}
model: {base_filters: 4, depth: 3}
patches.size: 64
train: {epochs: 2, batch: 4, learning_rate: 1e-3}
evaluate.timing_passes: 20
trials: [{name: U-Net, model.architecture: unet}]
"""


def there(out, pattern):
    return glob.glob(os.path.join(out, pattern))


def events(out):
    return [json.loads(line)["event"] for path in there(out, "trials/*/log.jsonl") for line in open(path)]


def logged(out, kind):
    return any(kind in event for event in events(out))


# What is sent at one moment, and the exit codes that are right. A second one is another signal: of two of a kind the kernel may keep one.
SIGNALS = {
    "SIGINT": ([signal.SIGINT], {130}),
    "SIGTERM": ([signal.SIGTERM], {143}),
    "SIGINT and SIGTERM": ([signal.SIGINT, signal.SIGTERM], {130, 143}),
}
GOES_ON = "goes on where this one ended"


def send(process, signals):
    """All at one moment: the process is held meanwhile, or it could have stopped by itself before the second comes."""
    for each in [signal.SIGSTOP, *signals, signal.SIGCONT] if len(signals) > 1 else signals:
        process.send_signal(each)


# Phase: whether it has begun.
PHASES = {
    "preparing patches": lambda out: there(out, "trials/*/log.jsonl") and not there(out, "cache/training-*.patches"),
    "training": lambda out: there(out, "cache/training-*.patches"),
    "validating or training again": lambda out: logged(out, "epoch"),
    "preparing test patches": lambda out: there(out, "trials/*/best.safetensors"),
    "evaluating": lambda out: there(out, "cache/test-*.patches"),
    "taking times": lambda out: there(out, "trials/*/record.json"),
}


def await_phase(process, begun, out):
    while process.poll() is None:
        try:
            if begun(out):
                return True
        except (OSError, ValueError):  # a line that is being written
            pass
        time.sleep(0.002)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, rows, faults = os.path.abspath(options.runner), [], []
    with tempfile.TemporaryDirectory(prefix="signals-") as place:
        spec, whole, out = (os.path.join(place, name) for name in ("signals.yaml", "whole", "run"))
        open(spec, "w").write(SPEC)
        code, errors = run(runner, spec, whole)
        if code != 0:
            sys.exit(f"the run that was left alone failed: {errors}")
        expected = contents(whole)

        def start():
            shutil.rmtree(out, ignore_errors=True)
            return subprocess.Popen([runner, "run", spec, "--out", out, "--jobs", "1", "--threads", "1", "--checkpoint-every", "1000"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def finish(case, phase, code, wanted, seconds, wrong):
            if code not in wanted:
                wrong.append(f"exit {code}")
            again, errors = run(runner, spec, out)
            if again != 0 or "damaged" in errors:
                wrong.append(f"the next run: exit {again}, {errors.strip()[:200]}")
            wrong += differences(expected, contents(out))
            rows.append({"signal": case, "phase": phase, "exit": code, "seconds": round(seconds, 3), "survived": "no" if wrong else "yes"})
            faults.extend(f"{case}, {phase}: {line}" for line in wrong)

        for phase, begun in PHASES.items():
            for number in range(options.each):
                for case, (signals, wanted) in SIGNALS.items():
                    process = start()
                    wrong = [] if await_phase(process, begun, out) else ["the phase was not met"]
                    time.sleep(0.02 * number)
                    sent = time.monotonic()
                    send(process, signals)
                    said = process.communicate()[1]
                    seconds = time.monotonic() - sent
                    if said.count(GOES_ON) != (1 if len(signals) == 1 else 0):
                        wrong.append(f"it said: {said.strip()[-200:]}")
                    finish(case, phase, process.returncode, wanted, seconds, wrong)
            print(f"{phase}: {len(rows)} signals sent, {len(faults)} wrong so far", flush=True)

        for number in range(options.each):
            # Where the epoch ended before the checkpoint was there, nothing was tested, and another run is started and asked earlier.
            for attempt in range(5):
                process, wrong = start(), []
                await_phase(process, PHASES["training"], out)
                time.sleep((0.1 + 0.02 * number) / (1 + attempt))
                sent = time.monotonic()
                process.send_signal(signal.SIGUSR1)
                if not await_phase(process, lambda out: there(out, "trials/*/checkpoint"), out):
                    wrong.append("no checkpoint")
                elif logged(out, "epoch"):
                    wrong.append("no checkpoint within the epoch")
                if wrong != ["no checkpoint within the epoch"]:
                    break
                if attempt < 4:
                    process.kill()
                    process.communicate()
            seconds = time.monotonic() - sent
            process.kill()
            process.communicate()
            code = process.returncode
            run(runner, spec, out)
            if not any(event.get("resumed", {}).get("batch", 0) > 0 for event in events(out)):
                wrong.append("the next run did not go on from within the epoch")
            finish("SIGUSR1, then SIGKILL", "training", code, {-signal.SIGKILL}, seconds, wrong)

            process = start()
            await_phase(process, PHASES["training"], out)
            process.send_signal(signal.SIGUSR1)
            process.communicate()
            finish("SIGUSR1", "training", process.returncode, {0}, 0, [])
    write_csv(os.path.join(options.out, "signals.csv"), ["signal", "phase", "exit", "seconds", "survived"], rows)
    print(f"{len(rows)} signals, {len(faults)} wrong")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


main()

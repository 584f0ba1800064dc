#!/usr/bin/env python3
"""Makes every file call of a run fail in turn, once and for good, and checks what is left, what is said and how it ends after the next run.

    Tests/Reliability/faults.py RUNNER [--every N] [--out results/reliability]

RUNNER is the built program. A tiny sweep is run once whole while faults.c, preloaded, counts its calls on files below the results folder (create,
open, write, fsync, truncate, rename, link, mkdir, unlink). Then the sweep is run again in fresh folders, with the n-th call failing: with no room left
(ENOSPC, half the bytes written first), with an input/output error (EIO), or with half a write done (SHORT); that call alone, or all from there
on. Checked: the exit code is 0, 1 or 5; with 1 or 5 an error line says why; what stands afterwards is whole; and the same command without
faults ends with exit 0 and the same bytes as the whole run. `--every N` takes each N-th call. Writes faults.csv; exits 1 if anything was wrong.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from runs import SPEC, contents, differences, run, write_csv

HERE = os.path.dirname(os.path.abspath(__file__))
# Half a write is only done to writes; a full disk refuses only what needs room.
KINDS = {"ENOSPC": {"create", "write", "mkdir", "link"}, "EIO": None, "SHORT": {"write"}}
MUST_SUCCEED = {"SHORT"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--out", default="results/reliability")
    options = parser.parse_args()
    runner, rows, faults = os.path.abspath(options.runner), [], []
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        library, spec, log = (os.path.join(place, name) for name in ("faults.so", "tiny.yaml", "calls"))
        compiler = shutil.which("cc") or shutil.which("clang") or sys.exit("no C compiler: cc or clang is needed to make faults.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "faults.c"), "-ldl"], check=True)
        open(spec, "w").write(SPEC)

        def disturbed(out, **settings):
            return run(runner, spec, out, environment={"LD_PRELOAD": library, "FAULT_BELOW": out, **settings})

        whole = os.path.join(place, "whole")
        code, errors = disturbed(whole, FAULT_LOG=log)
        if code != 0:
            sys.exit(f"the undisturbed run failed: {errors}")
        expected = contents(whole)
        calls = [line.split(" ", 2) for line in open(log).read().splitlines()]
        print(f"undisturbed: {len(calls)} calls, {len(expected)} files compared", flush=True)
        for number, call, path in calls[::options.every]:
            for kind, concerned in KINDS.items():
                if concerned is not None and call not in concerned:
                    continue
                for lasting in (False, True):
                    out = os.path.join(place, "run")
                    shutil.rmtree(out, ignore_errors=True)
                    code, said = disturbed(out, FAULT_AT=number, FAULT_KIND=kind, FAULT_LASTING="1" if lasting else "0")
                    wrong = []
                    if code not in (0, 1, 5) or kind in MUST_SUCCEED and code != 0:
                        wrong.append("it hung" if code is None else f"exit {code}")
                    if code in (1, 5) and "error: " not in said:
                        wrong.append("no error line")
                    if code == 0:
                        wrong += differences(expected, contents(out))
                    again, errors = run(runner, spec, out)
                    if again != 0:
                        wrong.append(f"the next run ended with exit {again}: {errors.strip()[:200]}")
                    if "damaged" in errors:
                        wrong.append(f"something was left damaged: {errors.strip()[:200]}")
                    wrong += differences(expected, contents(out))
                    rows.append({"call": call, "number": number, "path": path.split("/")[-1].split(".")[0] if path else "", "fault": kind,
                                 "lasting": "yes" if lasting else "no", "exit": code, "survived": "no" if wrong else "yes"})
                    for line in wrong:
                        faults.append(f"call {number} ({call} {path}), {kind}{', lasting' if lasting else ''}: {line}")
                        print(faults[-1], flush=True)
            if len(rows) % 100 < 8:
                print(f"{len(rows)} faults injected, {len(faults)} wrong", flush=True)
    write_csv(os.path.join(options.out, "faults.csv"), ["call", "number", "path", "fault", "lasting", "exit", "survived"], rows)
    print(f"{len(rows)} faults injected, {len(faults)} wrong")
    sys.exit(1 if faults else 0)


main()

#!/usr/bin/env python3
"""Runs every reliability script in turn, and writes what they saw as one report.

    Tests/Reliability/run.py [RUNNER] [--parts kills,faults] [--fuzz-seconds 300] [--out results/reliability]
    Tests/Reliability/run.py --report-only [--out results/reliability]

RUNNER is the built program (fuzz and repeat build their own). Each script writes its CSV into --out; report.md and parts.csv are made from these alone, with the commit, the machine and the
seconds of each part. `--parts` runs some and keeps what the others left; `repeat`, which trains for an hour on the real images, runs only where it is named.
Exits 1 if any part found something wrong.
"""
import argparse
import csv
import os
import platform
import subprocess
import sys
import time

import report
from runs import write_csv

HERE = os.path.dirname(os.path.abspath(__file__))


def commit():
    """The checkout's commit, with a plus where something the program is built of is changed."""
    ask = lambda *words: subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True).stdout.strip()
    changed = ask("status", "--porcelain", "--", ":/Sources", ":/Package.swift")
    return ask("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def processor():
    try:
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner", nargs="?")
    parser.add_argument("--parts", default=",".join(part for part in report.PARTS if part != "repeat"))
    parser.add_argument("--fuzz-seconds", type=int, default=300, help="of each target")
    parser.add_argument("--out", default="results/reliability")
    parser.add_argument("--built-from", metavar="COMMIT", help="what RUNNER was built from, and what repeat repeats, where that is not this checkout as it stands")
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    parts = [] if options.report_only else options.parts.split(",")
    unknown = [part for part in parts if part not in report.PARTS]
    if unknown:
        parser.error(f"--parts {','.join(unknown)}: accepted: {', '.join(report.PARTS)}")
    own = {"fuzz": ["--seconds", str(options.fuzz_seconds)], "repeat": ["--commit", options.built_from or "HEAD"]}  # of those that build what they run
    if not options.runner and not own.keys() >= set(parts):
        parser.error("RUNNER is missing: the built program")
    path = os.path.join(options.out, "parts.csv")
    past = {row["part"]: row for row in csv.DictReader(open(path, newline=""))} if os.path.exists(path) else {}
    for part in parts:
        arguments = own[part] if part in own else [os.path.abspath(options.runner)]
        print(f"== {part}", flush=True)
        began, built_from = time.monotonic(), options.built_from or commit()  # before: others may commit meanwhile
        code = subprocess.run([sys.executable, os.path.join(HERE, part + ".py"), *arguments, "--out", os.path.abspath(options.out)]).returncode
        past[part] = {"part": part, "commit": built_from, "date": time.strftime("%Y-%m-%d"), "processor": processor(), "cores": len(os.sched_getaffinity(0)),
                      "seconds": round(time.monotonic() - began), "exit": code}
        write_csv(path, list(past[part]), [past[name] for name in report.PARTS if name in past])
    report.write(options.out)
    sys.exit(1 if any(row["exit"] not in (0, "0") for row in past.values()) else 0)


main()

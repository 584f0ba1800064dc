#!/usr/bin/env python3
"""The benchmark: ours beside the peers, how cost grows, every layer; into results/benchmarks/. Call it as scripts/bench.

Standard library only.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import sys

import campaign
import machine
import prerequisites
import report
import works
from contenders import Contenders

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="ours and one peer a row, speed and memory of U-Net, two rounds: under five minutes")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn (default: 3; quick: 2)")
    parser.add_argument("--seconds", type=float, help="how long a measurement goes on, three steps at least (default: 3; quick: 1.5)")
    parser.add_argument("--growth-rounds", type=int, default=2, help="rounds of the growth and layers parts (default: 2)")
    parser.add_argument("--parts", default=",".join(campaign.PARTS), help="of %(default)s; what is left out keeps its earlier numbers")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the comparison, and of it the rows whose title has this in it")
    parser.add_argument("--peers", type=pathlib.Path, metavar="DIR",
                        help="use the virtual environments v/ and vtf/ that are there, installing nothing (default: install into the user's cache)")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", help="default: results/benchmarks; with --quick or --only: results/benchmarks/quick")
    parser.add_argument("--report-only", action="store_true", help="write report and figures again from the CSV files")
    parser.add_argument("--runner", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.seconds = options.seconds if options.seconds is not None else (1.5 if options.quick else 3.0)
    in_part = options.quick or options.only
    options.out = options.out or ROOT / "results" / "benchmarks" / ("quick" if in_part else "")
    options.parts = ["comparison"] if in_part else options.parts.split(",")
    if unknown := set(options.parts) - set(campaign.PARTS):
        parser.error(f"--parts {', '.join(unknown)}: accepted: {', '.join(campaign.PARTS)}")
    if options.rounds < 1 or options.growth_rounds < 1 or options.seconds < 0:
        parser.error("--rounds and --growth-rounds: 1 or more; --seconds: 0 or more")
    return options


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [row for row in works.ROWS if options.only in row.title and (row.quick or not options.quick)]
    if not options.report_only:
        measure_all(options, rows)
    verdicts = report.write(options.out, works.ROWS if not (options.quick or options.only) else rows)
    for v in verdicts:
        against = f"{v.ratio:.2f} of {report.judge.short(v.best.name)} (at most {v.row.bound:g}): " if v.ratio else ""
        print(f"{v.row.title}: {against}{v.text}")
    print(f"report: {os.path.relpath(options.out / 'report.md')}")


def measure_all(options, rows):
    build = ROOT / ".build" / "benchmarks"
    ceilings = prerequisites.ceilings(build)
    folder = options.peers or prerequisites.default_folder()
    contenders = Contenders(options.runner, folder.absolute(), build)
    if "comparison" in options.parts:
        # OpenVINO reads what PyTorch exports: too much to install for a quick run, which takes it where it is there.
        named = {name for row in rows for name in row.peers}
        if not options.peers:
            prerequisites.peers(folder, {"tensorflow"} if options.quick else named)
        from_onnx = {row.work for row in rows if {"openvino", "onnxruntime"} & set(row.peers)}
        if contenders.there("openvino"):
            prerequisites.models(contenders, {works.with_(work, threads=1, precision="f32") for work in from_onnx})
        if options.quick:
            rows = [dataclasses.replace(row, peers=tuple(filter(contenders.there, row.peers))[:1]) for row in rows]
    note_machine(options)
    begin = datetime.datetime.now()
    if "comparison" in options.parts:
        campaign.Campaign(contenders, ceilings, options.out, options.rounds, options.seconds).comparison(rows)
    slow = campaign.Campaign(contenders, ceilings, options.out, options.growth_rounds, min(options.seconds, 1.0))
    if "growth" in options.parts:
        slow.growth()
    if "layers" in options.parts:
        slow.by_layer()
    print(f"measured for {(datetime.datetime.now() - begin).seconds / 60:.1f} minutes", file=sys.stderr)


def note_machine(options):
    """machine.json. A part that is not measured now keeps its numbers, and the program that they are of."""
    file = options.out / "machine.json"
    earlier = json.loads(file.read_text()) if file.exists() else {}
    facts = machine.facts(ROOT)
    program = facts.pop("program")
    for part in campaign.PARTS:
        said = program if part in options.parts else earlier.get(f"program, {part}")
        facts |= {f"program, {part}": said} if said else {}
    file.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    try:
        main()
    except prerequisites.SetupError as error:
        sys.exit(f"scripts/bench: error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

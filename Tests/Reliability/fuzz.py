#!/usr/bin/env python3
"""Fuzzes everything that reads what others wrote, with libFuzzer, and writes fuzz.csv.

    Tests/Reliability/fuzz.py [--seconds 300] [--targets spec,png] [--out results/reliability] [--scratch DIR]

Builds Tests/Reliability/Fuzz (libFuzzer's runtime comes with the Swift toolchain) and runs each target for so many seconds, from the
program's own files, this repository's specs, images and records, and the inputs found before. An input may be read or refused; it is
found if it crashes the reader, takes more than 10 s, or more memory than stated. What is found is kept in
Tests/HardInputTests/Fixtures/<target>, where every test run reads it again. `--targets` fuzzes some and keeps the rows of the others.
Exits 1 if anything was found, in this run or before it.
"""
import argparse
import csv
import ctypes
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from runs import write_csv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOUND = os.path.join(ROOT, "Tests", "HardInputTests", "Fixtures")
SECONDS_AN_INPUT = 10
# A PNG or TIFF may claim 2^28 pixels of four 16-bit samples, 2 GiB; a table of masks 2^30 pixels, written and read again; nothing else needs
# a fraction of 512 MB.
MEGABYTES = {"png": 2304, "tiff": 2304, "masks": 2304}
MEGABYTES_ELSE = 512
# Any of these (`CLibTIFF.c`); without one, every input of the target tiff is refused before it is looked at.
LIBTIFF = ["libtiff.so.6", "libtiff.so.5", "libtiff.6.dylib", "libtiff.dylib"]
# What libFuzzer calls what it ended with, and where that is counted; anything else is a crash.
KINDS = {"timeout": "hangs", "out-of-memory": "out_of_memory"}
# Files of this repository that the targets read, in smaller parts where they are long.
REAL = {
    "spec": ["experiments/**/*.yaml", "Tests/ExperimentSpecTests/Fixtures/**/*.yaml"],
    "png": ["Tests/ImagingTests/Fixtures/**/*.png"],
    "tiff": ["Tests/ImagingTests/Fixtures/tiff/*.tif"],
    "masks": ["results/*/trials/*/masks.csv"],
    "log": ["results/*/trials/*/log.jsonl"],
    "record": ["results/*/trials/*/record.json"],
}
# What a mutation would seldom hit upon.
WORDS = {
    "spec": ["name", "title", "extends", "model", "trials", "sweep", "grid", "zip", "exclude", "include", "expect", "seed", "report", "<<", "&a", "*a", "!!str", "|", ">", "? ", "- ", "1e999"],
    "record": ["9223372036854775807", "-9223372036854775808", "1e308", "-1", "null", "\\\"trial\\\"", "\\\"losses\\\"", "[]", "{}"],
    "safetensors": ["__metadata__", "dtype", "F32", "shape", "data_offsets", "9223372036854775807", "4611686018427387904"],
}
WORDS["log"] = WORDS["record"]
WORDS["checkpoint"] = WORDS["safetensors"] + ["place", "best/", "adam.m"]


def build(scratch):
    info = json.loads(subprocess.run(["swiftc", "-print-target-info"], check=True, capture_output=True, text=True).stdout)
    resources, machine = info["paths"]["runtimeResourcePath"], info["target"]["triple"].split("-")[0]
    runtime = glob.glob(os.path.join(resources, "..", "clang", "**", f"libclang_rt.fuzzer_no_main-{machine}.a"), recursive=True)
    runtime += glob.glob(os.path.join(resources, "clang", "**", f"libclang_rt.fuzzer_no_main-{machine}.a"), recursive=True)
    if not runtime:
        sys.exit(f"this Swift toolchain has no libFuzzer: no libclang_rt.fuzzer_no_main-{machine}.a below {resources}")
    # libFuzzer is C++: its standard library comes from the C compiler that Swift links with.
    command = ["swift", "build", "--package-path", os.path.join(HERE, "Fuzz"), "--scratch-path", scratch, "-Xlinker", os.path.realpath(runtime[0]), "-Xlinker", "-lstdc++"]
    subprocess.run(command, check=True)
    return os.path.join(scratch, "debug", "fuzz")


def seed(target, corpus):
    for pattern in REAL.get(target, []):
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            shutil.copy(path, os.path.join(corpus, hashlib.sha1(path.encode()).hexdigest()[:12]))
    for path in glob.glob(os.path.join(FOUND, target, "*")):
        shutil.copy(path, os.path.join(corpus, "found-" + os.path.basename(path)))


def can_load(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def contents(folder):
    """Path → bytes of the files in it."""
    return {path: open(path, "rb").read() for path in glob.glob(os.path.join(folder, "*"))}


def keep(target, artifacts):
    """Keeps what was found, and returns how many of the inputs kept before are none of it: those are mended."""
    folder = os.path.join(FOUND, target)
    known, found = contents(folder), contents(artifacts)
    for path, data in found.items():
        if data not in known.values():
            os.makedirs(folder, exist_ok=True)
            shutil.copy(path, os.path.join(folder, os.path.basename(path)[:20]))
    return sum(data not in found.values() for data in known.values())


def fuzz(program, target, seconds, scratch):
    corpus = os.path.join(scratch, "corpus", target)
    os.makedirs(corpus, exist_ok=True)
    seed(target, corpus)
    # Of this run alone: an input found again has the name of the first time.
    artifacts = tempfile.mkdtemp(prefix=f"{target}-artifacts-", dir=scratch)
    dictionary, words = os.path.join(scratch, f"{target}.dict"), WORDS.get(target, [])
    with open(dictionary, "w") as file:
        file.writelines(f'"{word}"\n' for word in words)
    limit = MEGABYTES.get(target, MEGABYTES_ELSE)
    command = [program, target, f"-max_total_time={seconds}", f"-timeout={SECONDS_AN_INPUT}", "-report_slow_units=1000", f"-malloc_limit_mb={limit}", f"-rss_limit_mb={limit + 768}",
               f"-artifact_prefix={artifacts}/", *([f"-dict={dictionary}"] if words else []), "-max_len=65536", "-print_final_stats=1", "-use_value_profile=1", corpus]
    began = time.monotonic()
    with open(os.path.join(scratch, f"{target}.log"), "w") as log:
        # Swift's own backtraces would keep the signals from libFuzzer, which writes the input down.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})
    text = open(os.path.join(scratch, f"{target}.log"), errors="replace").read()
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    if done.returncode != 0 or not executed:
        print(f"{target}: exit {done.returncode}:\n{text[-2000:]}", flush=True)
    covered = re.findall(r"cov: (\d+)", text)
    row = {
        "target": target, "seconds": round(time.monotonic() - began), "inputs": int(executed.group(1)) if executed else 0,
        "edges": int(covered[-1]) if covered else 0, "crashes": 0, "hangs": 0, "out_of_memory": 0, "found_and_fixed": keep(target, artifacts),
    }
    # It ends with the first input that it finds, new or known; not one input read is no success either.
    if done.returncode != 0 or not executed:
        said = re.search(r"ERROR: libFuzzer: ([a-z-]+)", text)
        row[KINDS.get(said.group(1), "crashes") if said else "crashes"] = 1
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--targets")
    parser.add_argument("--out", default=os.path.join(ROOT, "results", "reliability"))
    parser.add_argument("--scratch", default=os.path.join(ROOT, ".build-fuzz"))
    options = parser.parse_args()
    scratch = os.path.abspath(options.scratch)
    program = build(scratch)
    subprocess.run([program, "--seeds", os.path.join(scratch, "corpus")], check=True)
    all_targets = subprocess.run([program, "--targets"], check=True, capture_output=True, text=True).stdout.split()
    targets = options.targets.split(",") if options.targets else all_targets
    unknown = [target for target in targets if target not in all_targets]
    if unknown:
        parser.error(f"--targets {','.join(unknown)}: accepted: {', '.join(all_targets)}")
    if "tiff" in targets and not any(map(can_load, LIBTIFF)):
        sys.exit("tiff: libtiff is not installed, so that nothing would be fuzzed; install it (libtiff6, libtiff5), or leave the target out with --targets")
    path = os.path.join(options.out, "fuzz.csv")
    # Rows of before stay, but those of targets that are no more.
    rows = {row["target"]: row for row in csv.DictReader(open(path, newline=""))} if os.path.exists(path) else {}
    for target in targets:
        rows[target] = fuzz(program, target, options.seconds, scratch)
        print(rows[target], flush=True)
    rows = [rows[target] for target in all_targets if target in rows]
    write_csv(path, list(rows[0]), rows)
    sys.exit(1 if any(int(row["crashes"]) + int(row["hangs"]) + int(row["out_of_memory"]) for row in rows) else 0)


main()

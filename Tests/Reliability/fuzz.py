#!/usr/bin/env python3
"""Fuzzes everything that reads what others wrote, with libFuzzer, and writes fuzz.csv.

    Tests/Reliability/fuzz.py [--seconds 300] [--targets spec,png] [--out results/reliability] [--scratch DIR]

Builds Tests/Reliability/Fuzz (libFuzzer's runtime comes with the Swift toolchain) and runs each target for so many seconds, from the
program's own files, this repository's specs, images and records, and the inputs found before. An input may be read or refused; it is
found if it crashes the reader, takes more than 10 s, or more memory than stated. What is found is kept in
Tests/HardInputTests/Fixtures/<target>, where every test run reads it again. Exits 1 if anything was found.
"""
import argparse
import csv
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOUND = os.path.join(ROOT, "Tests", "HardInputTests", "Fixtures")
SECONDS_AN_INPUT = 10
# A PNG or TIFF may claim 2^28 pixels of four 16-bit samples, 2 GiB; a table of masks 2^30 pixels, written and read again; nothing else needs
# a fraction of 512 MB.
MEGABYTES = {"png": 2304, "tiff": 2304, "masks": 2304}
MEGABYTES_ELSE = 512
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


def fuzz(program, target, seconds, scratch):
    corpus, artifacts = os.path.join(scratch, "corpus", target), os.path.join(scratch, "artifacts", target)
    for folder in (corpus, artifacts):
        os.makedirs(folder, exist_ok=True)
    seed(target, corpus)
    dictionary, words = os.path.join(scratch, f"{target}.dict"), WORDS.get(target, [])
    with open(dictionary, "w") as file:
        file.writelines(f'"{word}"\n' for word in words)
    before, limit = set(os.listdir(artifacts)), MEGABYTES.get(target, MEGABYTES_ELSE)
    command = [program, target, f"-max_total_time={seconds}", f"-timeout={SECONDS_AN_INPUT}", "-report_slow_units=1000", f"-malloc_limit_mb={limit}", f"-rss_limit_mb={limit + 768}",
               f"-artifact_prefix={artifacts}/", *([f"-dict={dictionary}"] if words else []), "-max_len=65536", "-print_final_stats=1", "-use_value_profile=1", corpus]
    began = time.monotonic()
    with open(os.path.join(scratch, f"{target}.log"), "w") as log:
        # Swift's own backtraces would keep the signals from libFuzzer, which writes the input down.
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})
    text = open(os.path.join(scratch, f"{target}.log"), errors="replace").read()
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    if not executed:  # not one input read: nothing was fuzzed
        sys.exit(f"{target}: libFuzzer did not run:\n{text[-2000:]}")
    covered = re.findall(r"cov: (\d+)", text)
    new = sorted(set(os.listdir(artifacts)) - before)
    os.makedirs(os.path.join(FOUND, target), exist_ok=True) if new else None
    for name in new:
        shutil.copy(os.path.join(artifacts, name), os.path.join(FOUND, target, name[:20]))
    kinds = [name.split("-")[0] for name in new]
    known = glob.glob(os.path.join(FOUND, target, "*"))
    return {
        "target": target, "seconds": round(time.monotonic() - began), "inputs": int(executed.group(1)),
        "edges": int(covered[-1]) if covered else 0, "crashes": kinds.count("crash"), "hangs": kinds.count("timeout"),
        "out_of_memory": kinds.count("oom"), "found_and_fixed": len(known) - len(new),
    }


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
    targets = options.targets.split(",") if options.targets else subprocess.run([program, "--targets"], check=True, capture_output=True, text=True).stdout.split()
    rows = []
    for target in targets:
        rows.append(fuzz(program, target, options.seconds, scratch))
        print(rows[-1], flush=True)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "fuzz.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.exit(1 if any(row["crashes"] + row["hangs"] + row["out_of_memory"] for row in rows) else 0)


main()

"""Runs measurements, each in a process of its own, and keeps every one of them as a line of a CSV file."""
import csv
import json
import subprocess
import time

COLUMNS = ("subject", "round", "contender", "version", "architecture", "upsampling", "base_filters", "depth", "mode", "batch",
           "threads", "precision", "side", "ms_per_patch", "ms_per_patch_min", "steps", "gflops", "peak_rss_mb", "planned_mb",
           "startup_ms", "isa", "failure")
CEILING_COLUMNS = ("round", "threads", "isa", "fma_gflops", "triad_gbs", "l2_gbs")
LAYER_COLUMNS = ("subject", "round", "architecture", "upsampling", "base_filters", "mode", "threads", "place", "layer", "kind", "direction",
                 "milliseconds", "multiply_adds", "bytes")
TIMEOUT = 900  # seconds: no measurement takes nearly as long


class Table:
    """A CSV file that grows by a line at a time, so that what was measured is there whatever comes after."""

    def __init__(self, path, columns):
        self.path, self.columns = path, columns

    def start(self):
        with open(self.path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(self.columns)

    def add(self, **values):
        with open(self.path, "a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([values.get(column, "") for column in self.columns])

    def rows(self):
        if not self.path.exists():
            return []
        with open(self.path, newline="") as file:
            return list(csv.DictReader(file))


def run(command, environment):
    """The JSON a measurement printed, `startup_ms` counted from the start of its process; or {"failure": why}."""
    begin = time.time()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return {"failure": f"no end within {TIMEOUT} s"}
    except OSError as error:
        return {"failure": str(error)}
    start = done.stdout.find("{")
    if done.returncode != 0 or start < 0:
        said = [line for line in (done.stderr or done.stdout).strip().splitlines() if "error:" in line.lower()]
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        return {"failure": (said[:1] or last or [f"exit code {done.returncode}"])[0].strip()[:200]}
    try:
        result = json.JSONDecoder().raw_decode(done.stdout[start:])[0]
    except ValueError as error:
        return {"failure": f"not JSON: {error}"}
    if "first_call_at" in result:
        result["startup_ms"] = round((result["first_call_at"] - begin) * 1e3, 1)
    return result


def numbers(result):
    """A measurement's columns, of what ours or a peer printed."""
    def shortened(key):
        return round(float(result[key]), 3) if key in result else ""
    return {
        "version": result.get("peer", ""), "isa": result.get("isa", ""), "failure": result.get("failure", ""),
        "ms_per_patch": shortened("ms_per_patch_median"), "ms_per_patch_min": shortened("ms_per_patch_min"),
        "steps": result.get("steps", ""), "gflops": shortened("gflops"), "peak_rss_mb": shortened("peak_rss_mb"),
        "planned_mb": shortened("planned_mb"), "startup_ms": shortened("startup_ms")}


def rotated(items, by):
    """The same items, starting `by` places later: nobody always goes first."""
    by %= len(items)
    return [*items[by:], *items[:by]]

#!/usr/bin/env python3
"""Runs a sweep as jobs of a real Slurm on this machine, disturbs it, and compares what it leaves with a local run, byte for byte.

    Tests/Reliability/slurm.py RUNNER [--out results/reliability]

RUNNER is the built program. slurm-wlm and munge are installed from the distribution where they are missed; slurmctld and slurmd are started
on loopback in a temporary folder, without accounting and cgroups, and stopped at the end. What must be the same bytes is what kills.py compares.
Writes slurm.csv; exits 1 if anything differs.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import slurm_cluster
from runs import contents, differences, write_csv

SPEC = """\
name: cluster
title: A small sweep for a cluster
data: {{source: synthetic, synthetic: {{train: 8, test: 3, side: 128, seed: 7}}}}
model: {{base_filters: 4, depth: 3}}
patches.size: 64
train: {{epochs: {epochs}, batch: 8, learning_rate: 1e-3}}
evaluate.timing_passes: 1
trials:
  - {{name: U-Net,  model.architecture: unet}}
  - {{name: tuned,  model.architecture: unet, train.fine_tune: {{epochs: 2, learning_rate: 1e-4}}}}
  - {{name: U-Net+, model.architecture: unet+}}
{more}
slurm: {{cpus: 1, time: 1, grace: 20}}
"""


class Run:
    """A run of the program, its output kept."""
    started = []

    def __init__(self, runner, spec, out, *options, environment=None):
        self.log = out + ".log"
        self.process = subprocess.Popen([runner, "run", spec, "--out", out, *options], stdout=open(self.log, "a"), stderr=subprocess.STDOUT, env=environment)
        Run.started.append(self.process)

    def wait(self, seconds=600):
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None

    def said(self):
        return open(self.log).read()


def until(holds, seconds=120):
    """The first true answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = holds()
        if answer:
            return answer
        time.sleep(0.1)
    raise SystemExit("what was waited for did not come")


def tasks_at_work(out, kind):
    """Processes of tasks of `kind` that write below `out`."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{name}/cmdline", "rb").read().decode().split("\0")
        except OSError:
            continue
        if out in words and "--only-job" in words and words[words.index("--only-job") + 1].startswith(kind + "-"):
            found.append(int(name))
    return found


def has_checkpoint(out):
    return any("checkpoint" in files for _, _, files in os.walk(os.path.join(out, "trials")))


class Trials:
    """The disturbances. Each returns what it saw, and leaves a finished results folder."""

    def __init__(self, runner, place):
        self.runner, self.place = runner, place
        self.short, self.long = self.spec("short", 5), self.spec("long", 150)

    def spec(self, name, epochs, more=""):
        path = os.path.join(self.place, name + ".yaml")
        open(path, "w").write(SPEC.format(epochs=epochs, more=more))
        return path

    def submit(self, spec, out, *options):
        return Run(self.runner, spec, out, "--executor", "slurm", *options)

    def undisturbed(self, out):
        run = self.submit(self.short, out)
        return self.short, run.wait(), 0, "all jobs as arrays"

    def failing_trial(self, out):
        spec = self.spec("failing", 5, "  - {name: broken, model.architecture: unet, train.learning_rate: 1e30}\n")
        run = self.submit(spec, out)
        code = run.wait()
        return spec, code, 1, "a trial with a loss that is not finite; its scores and times were never started"

    def killed_tasks(self, out):
        run, left = self.submit(self.long, out), {"train": 2, "fine-tune": 1, "evaluate": 1}
        killed, known = [], set()
        while run.process.poll() is None:
            for kind in left:
                process = next((task for task in tasks_at_work(out, kind) if task not in known), None)
                if left[kind] and process:
                    known.add(process)
                    if kind != "evaluate":
                        time.sleep(1)
                    try:
                        os.kill(process, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    left[kind] -= 1
                    killed.append(kind)
            time.sleep(0.02)
        code = run.wait() if killed.count("train") == 2 else f"killed only {killed}"
        return self.long, code, 0, f"tasks killed with SIGKILL: {', '.join(killed)}; {run.said().count('submitted again')} times submitted again"

    def time_limit(self, out):
        run = self.submit(self.spec("longer", 700), out)
        code = run.wait(1500)
        requeued = sum(text.count("to be queued again") for text in logs(out))
        return self.spec("longer", 700), code if requeued else "no task was requeued", 0, f"{requeued} requeues before the limit of a minute"

    def interrupted(self, out):
        run = self.submit(self.long, out)
        until(lambda: has_checkpoint(out))
        run.process.send_signal(signal.SIGINT)
        code = run.wait()
        left = slurm_cluster.ask("squeue", "--noheader").strip()
        again = self.submit(self.long, out)
        resumed = again.wait()
        if code != 130 or left:
            return self.long, f"exit {code}, still queued: {left}", 0, ""
        return self.long, resumed, 0, "Ctrl-C: tasks cancelled with checkpoints, exit 130; the same command went on"

    def submitter_killed(self, out):
        run = self.submit(self.long, out)
        until(lambda: has_checkpoint(out))
        run.process.kill()
        run.wait()
        local = Run(self.runner, self.long, out).wait()
        again = self.submit(self.long, out)
        code = again.wait()
        if local != 4 or "Slurm is at work already" not in again.said():
            return self.long, f"a local run meanwhile: exit {local}", 0, ""
        return self.long, code, 0, "the submitter killed: a local run meanwhile exits 4, the same command found the tasks at work"

    def without_slurm(self, out):
        environment = dict(os.environ, PATH="/nowhere")
        run = Run(self.runner, self.short, out, "--executor", "slurm", environment=environment)
        code = run.wait()
        said = run.said().strip().splitlines()
        fine = code == 5 and ("sbatch is not to be found" in said[0] or "squeue is not to be found" in said[0])
        # Nothing to compare but what a local run makes of the folder.
        local = Run(self.runner, self.short, out).wait()
        return self.short, local if fine else f"exit {code}: {said}", 0, f"exit 5: {said[0]}"


def logs(out):
    folder = os.path.join(out, "cache/slurm")
    return [open(os.path.join(folder, name)).read() for name in os.listdir(folder) if name.endswith(".log")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--out", default="results/reliability")
    parser.add_argument("--only", help="one scenario")
    options = parser.parse_args()
    slurm_cluster.install()
    # However this script is stopped, the daemons stop with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))
    rows = []
    with tempfile.TemporaryDirectory(prefix="slurm-") as place:
        cluster = slurm_cluster.Cluster(place)
        try:
            cluster.start()
            version = slurm_cluster.version()
            trials, expected = Trials(os.path.abspath(options.runner), place), {}
            names = [name for name in vars(Trials) if not name.startswith("_") and name not in ("spec", "submit")]
            for name in [options.only] if options.only else names:
                out, began = os.path.join(place, name), time.monotonic()
                spec, code, wanted, what = getattr(trials, name)(out)
                seconds = time.monotonic() - began
                if spec not in expected:
                    local = os.path.join(place, "local-" + os.path.basename(spec)[:-5])
                    if Run(trials.runner, spec, local).wait() != wanted:
                        sys.exit(f"the local run failed: {open(local + '.log').read()}")
                    expected[spec] = contents(local)
                wrong = differences(expected[spec], contents(out))
                verdict = "same bytes" if code == wanted and not wrong else f"exit {code}; {', '.join(wrong) or 'same bytes'}"
                rows.append({"scenario": name.replace("_", " "), "what": what, "files": len(expected[spec]), "seconds": round(seconds, 1), "slurm": version, "verdict": verdict})
                print(f"{name}: {what}: {verdict} ({seconds:.0f} s)", flush=True)
                if verdict != "same bytes":
                    print(open(out + ".log").read()[-3000:], *[text[-600:] for text in logs(out)], sep="\n---\n", flush=True)
        finally:
            for process in Run.started:
                if process.poll() is None:
                    process.kill()
            cluster.stop()
    good = all(row["verdict"] == "same bytes" for row in rows)
    if not options.only:
        write_csv(os.path.join(options.out, "slurm.csv"), list(rows[0]), rows)
    sys.exit(0 if good else 1)


main()

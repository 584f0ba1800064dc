"""results/reliability/report.md from the CSV files beside it."""
import collections
import csv
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def table(columns, rows):
    """Markdown; numbers to the right."""
    right = [all(isinstance(row[index], (int, float)) for row in rows) for index in range(len(columns))]
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join("---:" if each else "---" for each in right) + "|"]
    lines += ["| " + " | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def wrong(rows, column="survived", good="yes"):
    return sum(row[column] != good for row in rows)


def counted(rows, *keys):
    """How often each combination of `keys` occurs, and how often it did not survive."""
    total, lost = collections.Counter(), collections.Counter()
    for row in rows:
        key = tuple(row[each] for each in keys)
        total[key] += 1
        lost[key] += row["survived"] != "yes"
    return [(*key, total[key], lost[key]) for key in sorted(total)]


def kills(rows):
    runs = len({row["run"] for row in rows})
    late = sum(row["stage"] == "after the report" for row in rows)
    said = (f"{len(rows)} kills over {runs} runs of a sweep, {late} of them when report.md was there already, each run started again until it ended by itself; then every CSV, record, mask, weight file, figure and the report "
            "were compared byte for byte with those of a run never interrupted (`timings.csv`, `provenance.json`, logs and lines marked `<!-- clock -->` apart).")
    return len(rows), wrong(rows), said, table(["where the run stood", "kills", "lost"], counted(rows, "stage"))


def faults(rows):
    said = ("The calls on files below the results folder were made to fail in turn (all, or each n-th: the numbers in faults.csv), once and from there on: no room left (half the bytes written first), an input/output error, "
            "half a write done. After each, the exit code and the message were checked, then the same command without faults had to end with the bytes of an undisturbed run.")
    exits = collections.Counter(row["exit"] for row in rows)
    said += " Exit codes: " + ", ".join(f"{code} {count} times" for code, count in sorted(exits.items())) + "."
    return len(rows), wrong(rows), said, table(["fault", "call", "lasting", "injected", "lost"], counted(rows, "fault", "call", "lasting"))


def flips(rows):
    renamed = [{**row, "survived": row["found and survived"]} for row in rows]
    said = ("A random bit was flipped, or the file cut at a random place, in each kind of file that a run reads back. Each had to be named in a warning, the run had to end with "
            "exit 0, and its bytes had to be those of a run that nothing happened to.")
    return len(rows), wrong(renamed), said, table(["file", "damage", "times", "not found or lost"], counted(renamed, "kind", "damage"))


def locks(rows):
    rows = [{"second_exit": "–", **row} for row in rows]  # runs of before did not write it down
    said = ("While one run worked, a second had to exit 4 and name it, a third waited (`--wait`) and said so; the first was then killed, in every second round the waiting one too. "
            "Whoever waited went on without anything being cleaned up, to the bytes of a run left alone.")
    columns = ["second run's exit", "holder killed at work", "waiting one killed too", "rounds", "lost"]
    return len(rows), wrong(rows), said, table(columns, counted(rows, "second_exit", "holder_killed_at_work", "waiter_killed_too"))


def signals(rows):
    said = ("SIGINT and SIGTERM in every phase (exit 130 and 143, what was done is kept, and it says that the same command goes on), a second one (ends at once, without a word), SIGUSR1 (a checkpoint within the epoch, from which a killed "
            f"run went on). The longest answer took {max(float(row['seconds']) for row in rows):.2f} s.")
    return len(rows), wrong(rows), said, table(["signal", "phase", "sent", "lost"], counted(rows, "signal", "phase"))


def isolation(rows):
    said = "One trial of three was made to fail; the report says 2 of 3 trials, shows the third without a number, and the others' rows are those of a sweep without it."
    listed = [(row["what fails"], int(row["exit"]), row["reason"], row["as it should be"]) for row in rows]
    return len(rows), wrong(rows, "as it should be"), said, table(["what fails", "exit", "its reason in the record", "as it should be"], listed)


def slurm(rows):
    said = (f"{rows[0]['slurm']} on one node (slurmctld, slurmd and munge on loopback, no accounting, no cgroups). "
            "What each scenario left was compared byte for byte with a local run of the same spec.")
    listed = [(row["scenario"], row["what"], int(row["files"]), float(row["seconds"]), row["verdict"]) for row in rows]
    return len(rows), wrong(rows, "verdict", "same bytes"), said, table(["scenario", "what happened", "files compared", "seconds", "verdict"], listed)


def tensorboard(rows):
    row = rows[0]
    said = (f"TensorBoard {row['tensorboard']} read the event files of a sweep that was cut off {row['cut_off']} times: {row['values_read']} values where "
            f"`losses.csv` has {row['values_expected']}, each epoch once and in order.")
    return int(row["cut_off"]), wrong(rows), said, ""


def fuzz_targets():
    """Those there are today: a row of another is of a reader that is no more."""
    with open(os.path.join(HERE, "..", "HardInputTests", "Targets.swift")) as file:
        return re.findall(r'Target\(name: "([^"]+)"\)', file.read())


def fuzz(rows):
    rows = [row for row in rows if row["target"] in fuzz_targets()]
    missing = [target for target in fuzz_targets() if target not in {row["target"] for row in rows}]
    found = sum(int(row[kind]) for row in rows for kind in ("crashes", "hangs", "out_of_memory"))
    said = ("libFuzzer on readers of what others wrote, those that fuzz.csv names; an input may be read or refused, and is found if it crashes the reader, takes more than 10 s or more memory than stated. "
            "What was found before is mended, kept in `Tests/HardInputTests/Fixtures`, and read again in every test run." + (f" Not run yet: {', '.join(missing)}." if missing else ""))
    listed = [(row["target"], *(int(row[each]) for each in ("seconds", "inputs", "edges", "crashes", "hangs", "out_of_memory", "found_and_fixed"))) for row in rows]
    return sum(int(row["inputs"]) for row in rows), found, said, table(["reader", "seconds", "inputs", "edges covered", "crashes", "hangs", "out of memory", "found before, mended"], listed)


def repeat(rows):
    compared = ["trials.csv", "images.csv", "losses.csv", "masks"]
    said = ("A clone of the commit was built, and one trial trained in it on the real images, from nothing (one that goes on from another's training: from that one's repeat); then every row of that trial in the CSV files, and every mask, "
            "were compared with the committed ones. It takes as long as the training, so `run.py` does it only when asked to (`--parts repeat`).\n\n"
            "On 1 December 2026 it found a fault: U-Net's seed 1 of Table 2 no longer came out as committed, from the sixth epoch on. Since 27 November (424f30c) drop-out that follows a convolution took its factor "
            "behind the kernels instead of before them; the same bits, until products fall below the least normal float, as they do where ReLUs have died. It is mended in 7619779: what was trained before 424f30c comes out "
            "again, and tests hold the two orders and the bits of small trainings together.")
    listed = [(f"{row['trial']}, seed {row['seed']}, of [{row['experiment']}](../{row['experiment']}/report.md)", row["commit"], row["repeated_with"], row.get("processor") or "–", float(row["minutes"]),
               *(int(row[each]) for each in compared), int(row["differ"])) for row in rows]
    lost = sum(int(row["differ"]) for row in rows)
    return sum(int(row[each]) for row in rows for each in compared), lost, said, table(["trial", "commit", "instruction set", "processor", "minutes", *compared, "differ"], listed)


# What the test suite holds to in every run of it, without a script of its own: promise, where.
TESTED = [
    ("grid, zip, include, exclude, when, ranges, references and expect; unequal lists, exclusions that match nothing and equal names are errors with their place",
     "ExperimentSpecTests/ResolutionTests, ExperimentSpecTests/DiagnosticGoldenTests, ExperimentSpecTests/ExplanationTests"),
    ("what a plan says is exactly what the run does; it writes nothing", "RunnerTests/PlanExactnessTests, ScheduleTests/PlanTests"),
    ("order, comments, place and wording of a spec run nothing again; one trial's λ runs exactly its jobs", "ScheduleTests/KeyClassificationTests, ScheduleTests/FingerprintTests"),
    ("the same bytes for any number of jobs and threads; memory admission; times taken alone", "RunnerTests/SharingTests, ScheduleTests/SharingTests"),
    ("a damaged image: exit 6 before a run, one failed trial within it; a damaged record or weight file is named and made again, exit 6 where a record's data is away or a report has no other", "RunnerTests/FaultTests, RunnerTests/DamageTests"),
    ("trials of one seed share split, augmentation and patches whatever the network; no spread over seeds where there is one", "ScheduleTests/FingerprintTests, ReportTests/GoldenTests"),
    ("time left within 25 %, and a hundredth of the whole, from a fifth of the way on, on a simulated clock", "ScheduleTests/TimeEstimateTests"),
    ("every reader on the inputs that fuzzing found, and on changed ones, the same each time", "HardInputTests/HardInputTests"),
]

# Script: heading, what is counted, its reader.
PARTS = {
    "kills": ("Killed with SIGKILL at a random moment, and started again", "kills", kills),
    "faults": ("Calls on files failing in turn", "faults injected", faults),
    "flips": ("Flipped bits and cut files", "files damaged", flips),
    "locks": ("Two writers", "rounds", locks),
    "signals": ("Signals", "signals sent", signals),
    "isolation": ("A failing trial beside sound ones", "failures", isolation),
    "slurm": ("As jobs of a cluster", "scenarios", slurm),
    "tensorboard": ("Event files read back by TensorBoard", "interruptions", tensorboard),
    "fuzz": ("Hard input", "inputs", fuzz),
    "repeat": ("A committed trial, trained again from a clean clone", "rows compared", repeat),
}


def read(out, name):
    path = os.path.join(out, name + ".csv")
    return list(csv.DictReader(open(path, newline=""))) if os.path.exists(path) else []


def write(out):
    """Writes report.md; a part that has not run is said to be missing."""
    runs = {row["part"]: row for row in read(out, "parts")}
    summary, sections = [], []
    for part, (heading, unit, reader) in PARTS.items():
        rows = read(out, part)
        if not rows or part not in runs:
            summary.append((heading, "not run", "", f"`{part}.py`", "", ""))
            continue
        count, lost, said, details = reader(rows)
        run = runs[part]
        if part == "repeat":  # through all interruptions
            run["seconds"] = round(60 * sum(float(row["minutes"]) for row in rows))
        summary.append((heading, f"{count:,} {unit}", f"**{lost}**" + ("" if run["exit"] == "0" else f" (exit {run['exit']})"), f"[`{part}.py`](../../Tests/Reliability/{part}.py)",
                        run["commit"], run["seconds"]))
        sections.append(f"## {heading}\n\n{said} Each one: [{part}.csv]({part}.csv).\n\n{details}")
    machines = sorted({f"{run['processor']}, {run['cores']} cores, {run['date']}" for run in runs.values()})
    with open(os.path.join(out, "report.md"), "w") as file:
        file.write("# What a run survives\n\nMade by [`Tests/Reliability/run.py`](../../Tests/Reliability/run.py), which anyone can run; every number is counted in the CSV files beside this "
                   f"page. On {'; '.join(machines)}.\n\n"
                   + table(["what was done", "how often", "lost or wrong", "by", "commit", "seconds"], summary) + "\n" + "\n".join(sections).rstrip("\n") + "\n\n## What the test suite holds to\n\n"
                   + table(["promise", "tests"], [(promise, ", ".join(f"[{name.split('/')[1]}](../../Tests/{name}.swift)" for name in names.split(", "))) for promise, names in TESTED]))

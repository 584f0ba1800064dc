"""Writes report.md, table.csv and the figures from the CSV files of a campaign, and from nothing else."""
import json
import statistics

import figures
import judge
import measure
import works


WORDS = ("work", "contender", "best peer", "verdict", "unit", "layer", "during")  # columns that hold no numbers


def write(out, rows):
    """`out`: the folder that holds the CSV files. Returns the verdicts."""
    def read(name):
        return measure.Table(out / name, ()).rows()
    runs, growth, layers = read("runs.csv"), read("growth.csv"), read("layers.csv")
    ceilings = {part: figures.ceilings_of(read(f"ceilings-{part}.csv")) for part in ("comparison", "growth", "layers")}
    machine = json.loads((out / "machine.json").read_text())
    verdicts = [judge.judge(row, runs) for row in rows]
    judge.write_table(verdicts, out / "table.csv")
    isa = next((run["isa"] for run in runs + growth if run["isa"]), "")
    text = ["# Speed and memory beside other frameworks", "", *_machine(machine, runs), *_comparison(verdicts), *_contenders(verdicts),
            *_ceilings(ceilings)]
    if growth and ceilings["growth"]:
        text += _growth(out, growth, ceilings["growth"])
    if layers and ceilings["layers"]:
        text += _layers(out, figures.layers_of(layers), ceilings["layers"], isa)
    tables = [f"`{name}`" for name in ("runs.csv", "growth.csv", "layers.csv") if (out / name).exists()] + ["`ceilings-*.csv`"]
    text += ["## Again", "", "`scripts/bench` makes the whole comparison again, `scripts/bench --quick` a short version in `results/benchmarks/quick/`;",
             f"every single measurement of this one is in {', '.join(tables[:-1])} and {tables[-1]}.", ""]
    (out / "report.md").write_text("\n".join(text))
    return verdicts


def _table(head, lines):
    """A Markdown table; columns of numbers stand to the right."""
    marks = ["---" if name in WORDS else "---:" for name in head]
    return ["| " + " | ".join(cells) + " |" for cells in (head, marks, *lines)] + [""]


def _number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _machine(machine, runs):
    versions = "; ".join(sorted({run["version"] for run in runs if run["version"]}))
    facts = {**machine, **({"peers": versions} if versions else {})}
    return [*(f"- {label}: {text} <!-- clock -->" for label, text in facts.items()), ""]


def _comparison(verdicts):
    rounds = max((len(v.ours.values) for v in verdicts if v.ours), default=0)
    lines = []
    for v in verdicts:
        limits = [f"{v.row.bound:g}", f"{v.row.aim:g}"]
        if v.ratio is None:
            ours = f"{_number(v.ours.median)} {v.row.unit}" if v.ours else "–"
            lines.append([v.row.title, ours, "–", "–", "–", *limits, v.text])
            continue
        by_round = v.ratios_by_round
        lines.append([v.row.title, f"{_number(v.ours.median)} {v.row.unit}", f"{judge.short(v.best.name)} {_number(v.best.median)}",
                      f"**{v.ratio:.2f}**", f"{min(by_round):.2f}–{max(by_round):.2f}", *limits, v.text])
    return ["## The comparison", "",
            f"256 × 256 patches. Every measurement is a process of its own; all take turns, round by round ({rounds} rounds), in a rotated",
            "order. A round's value is the median over that process's steps; the table has the medians over the rounds, and the ratio is ours",
            "over that of the fastest peer (below 1: ours is faster, or smaller).", "",
            *_table(["work", "ours", "best peer", "ratio", "by round", "must be at most", "aim", "verdict"], lines)]


def _contenders(verdicts):
    lines, missing = [], {}
    for v in verdicts:
        for score in filter(None, (v.ours, *v.peers)):
            ratio = f"{v.ours.median / score.median:.2f}" if v.ours and score is not v.ours else ""
            lines.append([v.row.title, judge.short(score.name), _number(score.median), _number(score.least), v.row.unit, ratio])
        for name, why in v.missing:
            missing.setdefault(f"{judge.short(name)}: {why}", []).append(v.row.title)
    text = ["### Every contender", "", *_table(["work", "contender", "median", "least", "unit", "ours / it"], lines)]
    text += ["PyTorch is tuned: channels last, malloc told to keep memory, denormals flushed. Start-up counts from the start of the process",
             "(Python's interpreter, imports, compilation) to the end of the first prediction.", ""]
    return text + (["Without a number:", "", *(f"- {what} ({'; '.join(titles)})" for what, titles in missing.items()), ""] if missing else [])


def _ceilings(ceilings):
    lines = []
    for part, found in ceilings.items():
        for threads, (fma, triad, l2) in found.items():
            lines.append([f"{part}, {threads} thread{'s' if threads > 1 else ''}", _number(fma), _number(triad), _number(l2)])
    return ["## The machine's ceilings", "", "Measured between the other measurements (`Benchmarks/ceilings.c`); medians.", "",
            *_table(["during", "multiply–adds, GFLOP/s", "memory (triad), GB/s", "L2 reads, GB/s"], lines)]


def _growth(out, runs, ceilings):
    """Time a patch along one axis at a time, and what of the ceiling that is."""
    found = {}
    for run in runs:
        if not run["failure"]:
            found.setdefault(run["subject"], []).append(run)
    rates, lines = {}, {}
    for axis, value, work in works.growth():
        own = found.get(work.title)
        if not own:
            continue
        milliseconds, rate = (statistics.median(float(run[key]) for run in own) for key in ("ms_per_patch", "gflops"))
        rates.setdefault((axis, work.mode, work.threads), []).append((value, rate))
        share = rate / ceilings[work.threads][0]
        lines.setdefault((axis, value), {})[work.mode, work.threads] = f"{_number(milliseconds)} ({rate:.0f}, {share:.0%})"
    figures.growth(out / "growth", rates, ceilings)
    columns = [("infer", 1), ("infer", 2), ("train", 1), ("train", 2)]
    names = {"infer": "inference", "train": "training"}
    head = ["U-Net, f32", *(f"{names[mode]}, {threads} thread{'s' if threads > 1 else ''}" for mode, threads in columns)]
    table = [[f"{axis} = {value}", *(cells.get(column, "–") for column in columns)] for (axis, value), cells in lines.items()]
    return ["## How cost grows", "",
            "Milliseconds a patch (GFLOP/s, share of the multiply–add ceiling), one axis at a time from B = 16, N = 5, 256 × 256 patches, batch 1",
            "in inference and 16 in training. Along the side a training step keeps its number of pixels (64 patches of 128, 4 of 512, 1 of 1024).",
            "GFLOP/s count the direct algorithm's arithmetic, a training step as three forward passes; Winograd needs less, so a share above",
            "100 % is possible.", "", *_table(head, table), "![GFLOP/s along B, N, batch and side](growth.svg)", ""]


def _layers(out, entries, ceilings, isa):
    figures.roofline(out / "roofline", entries, ceilings, isa)
    text = ["## Every layer", "",
            "Each layer timed alone, beside the machine's roofline: the lesser of its multiply–adds and of what its memory traffic (feature maps",
            "and weights, once each) lets through. Names stand at the six layers of each side that lose most time against it.", "",
            "![Roofline](roofline.svg)", ""]
    for subject in dict.fromkeys(entry["subject"] for entry in entries):
        own = [entry for entry in entries if entry["subject"] == subject]
        whole = sum(entry["milliseconds"] for entry in own)
        lines = []
        for entry in sorted(own, key=lambda e: e["milliseconds"], reverse=True)[:8]:
            roof = f"{entry['gflops'] / figures.attainable(entry, ceilings):.0%}" if entry["flops"] else "–"
            lines.append([f"{entry['layer'] or '–'} {entry['kind']}, {entry['direction']}", f"{entry['milliseconds']:.3f}",
                          f"{entry['milliseconds'] / whole:.1%}",
                          f"{entry['gflops']:.0f}" if entry["flops"] else "–", f"{entry['intensity']:.1f}", roof])
        text += [f"### {subject}", "", *_table(["layer", "ms", "of the time", "GFLOP/s", "FLOP a byte", "of its roof"], lines)]
    return text

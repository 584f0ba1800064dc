"""From the measurements to the comparison: medians, ratios, verdicts."""
import csv
import dataclasses
import statistics

import contenders
import works


@dataclasses.dataclass(frozen=True)
class Score:
    """What one contender reached over all rounds of a row."""
    name: str
    values: tuple  # one a round: that process's median
    least: float   # of single steps, where the row measures time a patch

    @property
    def median(self):
        return statistics.median(self.values)


@dataclasses.dataclass(frozen=True)
class Verdict:
    row: works.Row
    ours: Score | None
    peers: tuple      # of Score, fastest first
    missing: tuple    # (peer, why)
    reason: str = ""  # why there is no ratio

    @property
    def best(self):
        return self.peers[0] if self.peers else None

    @property
    def ratio(self):
        return self.ours.median / self.best.median if self.ours and self.best else None

    @property
    def ratios_by_round(self):
        """Ours over the best peer, round by round: how far the ratio moves with the machine."""
        return [a / b for a, b in zip(self.ours.values, self.best.values)]

    @property
    def text(self):
        if self.ratio is None:
            return f"not measured: {self.reason}"
        if self.ratio <= self.row.aim:
            return "reaches the aim"
        return "within the bound" if self.ratio <= self.row.bound else "**over the bound**"


def score(runs, name, row):
    """`runs`: lines of runs.csv for the row's work."""
    lines = [run for run in runs if run["contender"] == name and not run["failure"] and run[row.measure]]
    if not lines:
        return None
    least = "ms_per_patch_min" if row.measure == "ms_per_patch" else row.measure
    return Score(name, tuple(float(run[row.measure]) for run in lines), min(float(run[least]) for run in lines))


def failure(runs, name):
    said = [run["failure"] for run in runs if run["contender"] == name and run["failure"]]
    return said[-1] if said else ""


def judge(row, all_runs):
    runs = [run for run in all_runs if run["subject"] == row.work.title]
    ours = score(runs, "ours", row)
    found = {name: score(runs, name, row) for name in row.peers}
    peers = tuple(sorted((s for s in found.values() if s), key=lambda s: s.median))
    missing = tuple((name, failure(runs, name)) for name, s in found.items() if not s and failure(runs, name))
    reason = ""
    if not ours:
        said = failure(runs, "ours")
        reason = "not part of this run" if not said else f"no {row.work.precision} path yet" if row.work.precision != "f32" else said
    elif not peers:
        reason = "no peer ran"
    return Verdict(row, ours, peers, missing, reason)


def write_table(verdicts, path):
    """One line a row and contender; `ratio` is ours over that contender."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("work", "measure", "unit", "contender", "median", "min", "rounds", "ratio", "best_peer", "must_be_at_most", "aim", "verdict"))
        for v in verdicts:
            common = (v.row.bound, v.row.aim)
            if not v.ours:
                out.writerow((v.row.title, v.row.measure, v.row.unit, "ours", "", "", 0, "", "", *common, v.text))
                continue
            best = v.best.name if v.best else ""
            ratio = f"{v.ratio:.3f}" if v.ratio else ""
            out.writerow((v.row.title, v.row.measure, v.row.unit, "ours", f"{v.ours.median:.3f}", f"{v.ours.least:.3f}", len(v.ours.values),
                          ratio, best, *common, v.text.strip("*")))
            for s in v.peers:
                out.writerow((v.row.title, v.row.measure, v.row.unit, s.name, f"{s.median:.3f}", f"{s.least:.3f}", len(s.values),
                              f"{v.ours.median / s.median:.3f}", "yes" if s.name == best else "", *common, ""))


def short(name):
    return contenders.SHORT[name]

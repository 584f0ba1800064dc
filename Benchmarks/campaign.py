"""The three parts of a benchmark: the comparison with the peers, how cost grows, and every layer by itself."""
import dataclasses
import json
import subprocess
import sys

import measure
import works

PARTS = ("comparison", "growth", "layers")


class Campaign:
    """Measures round by round: every measurement once, then all again, so that a slow minute of the machine is shared by all."""

    def __init__(self, contenders, ceilings, out, rounds, seconds):
        self.contenders, self.ceilings_program = contenders, ceilings
        self.rounds, self.seconds = rounds, seconds
        self.runs = {part: measure.Table(out / name, measure.COLUMNS)
                     for part, name in (("comparison", "runs.csv"), ("growth", "growth.csv"))}
        self.ceilings = {part: measure.Table(out / f"ceilings-{part}.csv", measure.CEILING_COLUMNS) for part in PARTS}
        self.layers = measure.Table(out / "layers.csv", measure.LAYER_COLUMNS)

    def comparison(self, rows):
        """Works that several rows look at (speed, memory, start-up) are measured once a round."""
        subjects = {}
        for row in rows:
            names = subjects.setdefault(row.work, ["ours"])
            names += [peer for peer in row.peers if peer not in names]
        self._start("comparison", self.runs["comparison"])
        out_of_reach = set()  # what ours or a peer cannot do is tried once
        for work, names in subjects.items():
            for name in names:
                if not self.contenders.there(name):
                    out_of_reach.add((work, name))
                    self._keep(self.runs["comparison"], 0, name, work, {"failure": "not installed"})
        for round_ in range(self.rounds):
            for work, names in subjects.items():
                self._ceilings("comparison", round_)
                for name in measure.rotated(names, round_):
                    if (work, name) in out_of_reach or (work, "ours") in out_of_reach:
                        continue
                    result = self._run(self.runs["comparison"], round_, name, work)
                    if result.get("failure"):
                        out_of_reach.add((work, name))

    def growth(self):
        self._start("growth", self.runs["growth"])
        subjects = list(dict.fromkeys(work for _, _, work in works.growth()))
        for round_ in range(self.rounds):
            for index, work in enumerate(measure.rotated(subjects, round_ * len(subjects) // 2)):
                if index % 8 == 0:
                    self._ceilings("growth", round_)
                self._run(self.runs["growth"], round_, "ours", work)

    def by_layer(self):
        self._start("layers", self.layers)
        for round_ in range(self.rounds):
            for work in works.by_layer():
                self._ceilings("layers", round_)
                self._say(round_, work.title + ", by layer")
                command, extra = self.contenders.command("ours", work, 0, layers=True)
                result = measure.run(command, self.contenders.environment(extra))
                self._say_result(result)
                for place, layer in enumerate(result.get("layers", ())):
                    self.layers.add(
                        subject=work.title, round=round_ + 1, architecture=work.architecture, upsampling=work.upsampling,
                        base_filters=work.base_filters, mode=work.mode, threads=work.threads, place=place, layer=layer["name"], kind=layer["kind"],
                        direction="backward" if layer["backward"] else "forward", milliseconds=round(layer["ms"], 4),
                        multiply_adds=layer["multiply_adds"], bytes=layer["bytes"])

    def _start(self, part, table):
        table.start()
        self.ceilings[part].start()

    def _run(self, table, round_, name, work):
        self._say(round_, f"{work.title}: {name}")
        command, extra = self.contenders.command(name, work, self.seconds)
        result = measure.run(command, self.contenders.environment(extra))
        self._say_result(result)
        self._keep(table, round_, name, work, result)
        return result

    @staticmethod
    def _keep(table, round_, name, work, result):
        table.add(subject=work.title, round=round_ + 1, contender=name, **dataclasses.asdict(work), **measure.numbers(result))

    def _ceilings(self, part, round_):
        done = subprocess.run([str(self.ceilings_program), "1", "2"], capture_output=True, text=True, check=True)
        for reached in json.loads(done.stdout):
            self.ceilings[part].add(round=round_ + 1, **reached)

    def _say(self, round_, what):
        print(f"[{round_ + 1}/{self.rounds}] {what} … ", end="", file=sys.stderr, flush=True)

    @staticmethod
    def _say_result(result):
        said = result.get("failure") or f"{result['ms_per_patch_median']:.2f} ms a patch (min {result['ms_per_patch_min']:.2f})"
        print(said, file=sys.stderr, flush=True)

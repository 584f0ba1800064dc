#!/usr/bin/env python3
"""Exported networks in onnxruntime, OpenVINO, bioimageio.core, Keras and PyTorch, beside `runner predict`.

    python3 Tests/Oracles/export_check.py --runner .build/debug/runner [--out results/export] [--data DIR] [--weights FILE…]

Makes a virtual environment of the versions pinned below in the user's cache (a minute or two the first time; with --with-torch
another one, of several gigabytes), and checks

  ONNX          every architecture × up-sampling × B = 8, 16, at B = 8 with and without batch norm, folded or kept, fixed or open
                sides: probabilities of real patches, in both runtimes, within 1e-4 of runner's own and 1e-5 of its plain loops
                (--isa reference)
  bioimage.io   each package passes `bioimageio test`
  Keras         weights of Keras models imported: the same probabilities; exported: the same bits
  PyTorch       (--with-torch) a state_dict saved by PyTorch imported: the same probabilities; exported and loaded again: the same bits

Weights are drawn so that no number is trivially 0 or 1, and brought in by `runner import`; networks of --weights, or the
quickstart's after two epochs, are checked beside them. The patches are from the 2018 Data Science Bowl's test images, found in
--data, $RUNNER_DATA or the user's cache; without them, synthetic nuclei (the report says which).

Writes report.md and differences.csv to --out; exits 1 where a bound is not held.
"""
import argparse
import csv
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import venv

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "runner"
RUNTIMES = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0", "openvino==2026.4.1", "bioimageio.core==0.11.0",
            "bioimageio.spec==0.5.12.0",
            "pydantic==2.11.10",  # bioimageio.spec 0.5.12.0 cannot write its own descriptions with 2.14
            "safetensors==0.8.0", "pillow==13.0.0", "tensorflow-cpu==2.21.0", "keras==3.15.1"]
TORCH = ["numpy==2.4.6", "safetensors==0.8.0", "torch==2.15.0"]
CLOSE, CLOSE_TO_REFERENCE = 1e-4, 1e-5


def environment(name, requirements):
    """The Python of a virtual environment with exactly these packages; made once."""
    folder = CACHE / "venvs" / name
    done, wanted, python = folder / "complete", "\n".join(requirements), folder / "bin" / "python"
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder}", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True)
        done.write_text(wanted)
    return python


def run(python, script, job):
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([python, HERE / script, job], check=True, env=quiet)


def table(header, rows):
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def judged(value, bound):
    return f"{value:.1e}" + ("" if value <= bound else " **above the bound**")


def report(facts, torch, out):
    """Writes the report; what does not hold."""
    faults = []

    def check(holds, what):
        if not holds:
            faults.append(what)

    networks = list(dict.fromkeys(row["network"] for row in facts["onnx"]))
    rows = []
    for network in networks:
        mine = [row for row in facts["onnx"] if row["network"] == network]
        worst = lambda runtime, key: max(row[key] or 0 for row in mine if row["runtime"] == runtime)
        cells = []
        for runtime in ("onnxruntime", "OpenVINO"):
            for key, bound in (("difference", CLOSE), ("difference_reference", CLOSE_TO_REFERENCE)):
                value = worst(runtime, key)
                check(value <= bound, f"{network}, {runtime}: {value:.1e} > {bound:g} ({key})")
                cells.append(judged(value, bound))
        rows.append([network, str(len(mine)), *cells])
    parts = [
        "# Exported networks in other runtimes\n",
        "Made by `Tests/Oracles/export_check.py`; each number is the largest absolute difference of a probability.\n",
        f"{facts['data']}. " + ", ".join(f"{name} {version}" for name, version in (facts["versions"] | torch.get("versions", {})).items())
        + f"; {facts['processor']}, runner's fastest kernels there: {facts['isa']}.\n",
        "## ONNX\n",
        "Over all patches and all files of a network: batch norm folded and kept (where there is any), sides open (with patches of two sizes, in a batch) and fixed. "
        f"Bounds: {CLOSE:g} beside the fastest kernels, {CLOSE_TO_REFERENCE:g} beside plain loops (patches of 128 × 128). Both runtimes work in float32. "
        "“Drawn” weights are random; “trained” ones saw synthetic nuclei for some epochs.\n",
        table(["network", "comparisons", "onnxruntime", "onnxruntime, `--isa reference`", "OpenVINO", "OpenVINO, `--isa reference`"], rows),
        "## bioimage.io\n",
        table(["network", "`bioimageio test`"], [[row["network"], row["status"]] for row in facts["bioimageio"]]),
        "## Weights to and from other frameworks\n",
        "Imported: weights of the framework's own model, its probabilities beside those of `runner predict`. Exported: the file's weights beside that model's.\n",
    ]
    for row in facts["bioimageio"]:
        check(row["status"] == "passed", f"{row['network']}: bioimageio test {row['status']}")
    exchanged = facts["keras"] + torch.get("rows", [])
    for row in exchanged:
        check(row["difference_reference"] <= CLOSE_TO_REFERENCE and row["same_bits"], f"{row['framework']}, {row['network']}: {row}")
    parts.append(table(["framework", "network", "imported, `--isa reference`", "exported"],
                       [[row["framework"], row["network"], judged(row["difference_reference"], CLOSE_TO_REFERENCE),
                         "the same bits" if row["same_bits"] else "**other bits**"] for row in exchanged]))
    parts.append("Everything holds.\n" if not faults else "Does not hold:\n\n" + "".join(f"- {fault}\n" for fault in faults))
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text("\n".join(parts))
    with open(out / "differences.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(facts["onnx"][0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {key: f"{row[key]:.3e}" if row[key] is not None else "" for key in row if key.startswith("difference")} for row in facts["onnx"])
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", default=".build/debug/runner")
    parser.add_argument("--out", default="results/export", type=pathlib.Path)
    parser.add_argument("--data", default=os.environ.get("RUNNER_DATA") or str(CACHE / "dsb2018"))
    parser.add_argument("--weights", nargs="*", default=[], help="trained weights to check instead of the quickstart's")
    parser.add_argument("--with-torch", action="store_true", help="check PyTorch, too; its wheel brings gigabytes of CUDA")
    parser.add_argument("--patches", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        job = pathlib.Path(work, "job.json")
        job.write_text(json.dumps({
            "runner": str(pathlib.Path(options.runner).resolve()), "data": options.data, "patches": options.patches, "work": work,
            "weights": [str(pathlib.Path(path).resolve()) for path in options.weights]}))
        run(environment("export", RUNTIMES), "export_runtimes.py", job)
        if options.with_torch:
            run(environment("export-torch", TORCH), "export_torch.py", job)
        facts, torch = (json.loads(path.read_text()) if path.exists() else {} for path in (pathlib.Path(work, name) for name in ("runtimes.json", "torch.json")))
    faults = report(facts, torch, options.out)
    print(f"{options.out}/report.md: " + (f"{len(faults)} bounds are not held" if faults else "everything holds"))
    for fault in faults:
        print("  " + fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

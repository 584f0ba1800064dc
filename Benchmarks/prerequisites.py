"""Puts in place what the measurements need: the peers' virtual environments, their ONNX models, the ceilings program."""
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
TORCH_WITHOUT_CUDA = "https://download.pytorch.org/whl/cpu"  # PyPI's wheel brings gigabytes of CUDA that a CPU has no use for


class SetupError(Exception):
    pass


def default_folder():
    """Outside the tree: a gigabyte or more, and good for every clone."""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "runner" / "peers"


def say(text):
    print(f"scripts/bench: {text}", file=sys.stderr, flush=True)


def environment(folder, requirements):
    """A virtual environment with exactly what is asked for; made once."""
    done = folder / f"complete-{requirements.stem}"
    wanted = requirements.read_text()
    if done.exists() and done.read_text() == wanted:
        return
    say(f"installing {', '.join(wanted.split())} into {folder}")
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    torch = [word for word in wanted.split() if word.startswith("torch==")]
    if torch and subprocess.run([*pip, "--index-url", TORCH_WITHOUT_CUDA, *torch], capture_output=True).returncode != 0:
        say("PyTorch without CUDA is not to be had here; taking PyPI's (several gigabytes)")
    if subprocess.run([*pip, "-r", str(requirements)]).returncode != 0:
        raise SetupError(f"pip could not install {requirements.name}; the peers it holds are left out")
    done.write_text(wanted)


def peers(folder, names):
    """Installs the environments that the peers `names` need; one that cannot be had is left out, saying so."""
    with_keras = {"tensorflow", "scikit-image"}
    wanted = {"vtf": "requirements-keras.txt"} if with_keras & set(names) else {}
    if set(names) - with_keras:
        wanted["v"] = "requirements-torch.txt"
    for part, requirements in wanted.items():
        try:
            environment(folder / part, HERE / "peers" / requirements)
        except (SetupError, OSError, subprocess.CalledProcessError) as error:
            say(str(error))


def models(contenders, works):
    """Writes the ONNX models that inference peers read, from the PyTorch networks."""
    contenders.models.mkdir(parents=True, exist_ok=True)
    script = HERE / "peers" / "torch_unet.py"
    for work in works:
        path = contenders.model(work)
        if path.exists() and path.stat().st_mtime > script.stat().st_mtime:
            continue
        say(f"writing {path.name}")
        options = work.options("mode", "batch", "threads", "precision")
        done = subprocess.run([str(contenders.torch_python), str(script), *options, "--onnx", str(path)], capture_output=True, text=True)
        if done.returncode != 0:
            path.unlink(missing_ok=True)
            say(f"{path.name} could not be written: {done.stderr.strip().splitlines()[-1:]}")


def ceilings(folder):
    """Compiles the program that measures what the machine can do at most."""
    source, program = HERE / "ceilings.c", folder / "ceilings"
    folder.mkdir(parents=True, exist_ok=True)
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    swift = shutil.which("swift")
    beside_swift = pathlib.Path(swift).resolve().parent / "clang" if swift else None
    compiler = next((str(c) for c in (beside_swift, shutil.which("clang"), shutil.which("cc")) if c and os.path.exists(c)), None)
    if compiler is None:
        raise SetupError("no C compiler: neither clang beside swift nor cc")
    subprocess.run([compiler, "-O3", "-ffp-contract=fast", "-Wno-psabi", str(source), "-lpthread", "-o", str(program)], check=True)
    return program

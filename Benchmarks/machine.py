"""What the measurements ran on: processor, instruction sets, memory, versions."""
import datetime
import os
import pathlib
import platform
import subprocess

WORTH_NAMING = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "bf16", "sve")


def _said(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpuinfo(*keys):
    path = pathlib.Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() in keys:
            return value.strip()
    return ""


def facts(root):
    """Label → text; `root` is the clone."""
    swift = _said("swift", "--version").splitlines()[:1]
    flags = set(_cpuinfo("flags", "Features").split())
    caches = {}
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (kind := (index / "type").read_text().strip()) != "Instruction":
            caches[f"L{(index / 'level').read_text().strip()}{'d' if kind == 'Data' else ''}"] = (index / "size").read_text().strip()
    memory = next((line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")), "0")
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{_cpuinfo('model name') or platform.machine()} (family {_cpuinfo('cpu family')}, model {_cpuinfo('model')})",
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "instruction sets": ", ".join(flag for flag in WORTH_NAMING if flag in flags) or platform.machine(),
        "caches": ", ".join(f"{level} {size}" for level, size in caches.items()),
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "program": ", ".join(filter(None, (f"commit {_said('git', '-C', str(root), 'rev-parse', '--short', 'HEAD')}", *swift))),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }

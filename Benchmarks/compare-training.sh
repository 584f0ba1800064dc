#!/usr/bin/env bash
# Benchmarks/compare-training.sh [ROUNDS] [BENCH OPTION…]: a training step of ours beside PyTorch's as it comes, in turn.
#
# Machines change speed within seconds, so only turns taken side by side mean anything: each round runs both, each in a
# process of its own. Prints every run, then for each side the median and the least over the rounds, and the ratio of
# the medians (ours / PyTorch: below 1, ours is faster). Options go to both sides, for example --architecture unet+ or
# --base-filters 8; the later of two wins. Needs a python3 with torch: PEER_PYTHON names it (python3 by default).
# RUNNER names the program, otherwise it is built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rounds=5
if [[ ${1-} =~ ^[0-9]+$ ]]; then rounds=$1; shift; fi
python=${PEER_PYTHON:-python3}

declare -A chosen=([--architecture]=unet [--base-filters]=16 [--mode]=train [--batch]=16 [--threads]=2 [--precision]=f32)
while (($#)); do
  [[ $1 == --* && $# -ge 2 ]] || { printf 'options come in pairs, --name value: %s\n' "$*" >&2; exit 2; }
  chosen[$1]=$2
  shift 2
done
options=()
for name in "${!chosen[@]}"; do options+=("$name" "${chosen[$name]}"); done

"$python" -c 'import torch; print("torch", torch.__version__)' \
  || { printf '%s has no torch: set PEER_PYTHON\n' "$python" >&2; exit 2; }
if [[ -z ${RUNNER-} ]]; then
  swift build --package-path "$here" --product runner >&2
  RUNNER=$(swift build --package-path "$here" --show-bin-path)/runner
fi

runs=$(mktemp)
trap 'rm -f "$runs"' EXIT
for ((round = 1; round <= rounds; round++)); do
  printf 'ours\t%s\n' "$("$RUNNER" bench "${options[@]}" --json | tr -d '\n')" >>"$runs"
  tail -n 1 "$runs"
  printf 'torch\t%s\n' "$("$python" "$here/Benchmarks/peers/torch_unet.py" "${options[@]}")" >>"$runs"
  tail -n 1 "$runs"
done

"$python" - "$runs" <<'PYTHON'
import json, statistics, sys

milliseconds = {"ours": [], "torch": []}
for line in open(sys.argv[1]):
    side, run = line.split("\t")
    milliseconds[side].append(json.loads(run)["ms_per_patch_median"])
for side, times in milliseconds.items():
    print(f"{side:5s}  median {statistics.median(times):8.2f} ms a patch, least {min(times):8.2f}, {len(times)} rounds")
ours, torch = (statistics.median(times) for times in milliseconds.values())
print(f"ours / torch {ours / torch:.2f}")
PYTHON

#!/bin/sh
# Resolve every dependency in a clean environment and write requirements.lock.
#
# Only names and exact versions are written: where a package comes from is decided by the machine
# that installs it. torch is pinned by hand, because its newest build may bring gigabytes of GPU
# libraries.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" - > "$work/wanted.txt" <<'PY'
import pathlib
import tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
print("torch==2.13.0")
print(*project["dependencies"], *project["optional-dependencies"]["dev"], sep="\n")
PY
"$work/venv/bin/python" -m pip install -q -r "$work/wanted.txt" > "$work/log" 2>&1 ||
    { tail -n 40 "$work/log" >&2; exit 1; }
{
    echo "# Exact versions of everything: run time, tests, lint. Written by \`make lock\`."
    "$work/venv/bin/python" -m pip freeze --all 2> /dev/null | grep -v '^pip==' | sed 's/+cpu$//'
    cat << 'LOCK'
# Needed by newer Pythons only.
audioop-lts==0.2.2; python_version >= '3.13'
standard-aifc==3.13.0; python_version >= '3.13'
standard-chunk==3.13.0; python_version >= '3.13'
standard-sunau==3.13.0; python_version >= '3.13'
whenever==0.10.5; python_version >= '3.13'
LOCK
} > "$work/lock"
mv "$work/lock" requirements.lock

"""Whether two versions of the program make the same codes and the same sound.

    python tests/contracts/same_bytes.py jukeflow > before.json
    python tests/contracts/same_bytes.py --compare before.json jukeflow

Runs the command that is given in a temporary folder: scores, conversions and ten requests. It may
be several words: with `PYTHONPATH=TREE` before the line, `python -m flows` runs another tree.
Prints a digest of each level's codes and of the samples in each audio file; tags, dates and names
are left out. With `--compare` it names what differs and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

AUDIO = (".wav", ".flac", ".mp3")
WAITING = 3  # exit code of a run that waits for a choice
TINY = "--model tiny --seconds 0.6"
NANO = "--model nano --genre 'piano minor' --formats wav"

REQUESTS = {
    "takes": f"{TINY} --takes 3 --seed 5 --max-batch 2,2,2 --temperature 0.9,1,1.1",
    "all": f"{TINY} --takes 2 --choose all --top-p 0.9 --window-hop 16,32,8",
    "lyrics": f"{TINY} --artist bach --lyrics 'Sing, sing a new song!' --top-k 9",
    "best": f"{NANO} --seconds 4.2 --takes 2 --choose best --artist bach",
    "primed": f"{NANO} --seconds 4.2 --primer render.wav --primer-seconds 2",
    "composed": f"{NANO} --seconds 6 --primer-compose 'A minor' --temperature 0.95",
}
CONVERSATION = (
    f"compose {TINY} --takes 2 --seed 9 --run talk",
    "choose talk --take 1 --continue 0.3s --artist bach --genre piano --go",
    "choose talk --take 3 --cut 0:00.2-0:00.7",
    "choose talk --take 1 --splice 1@0:00-0:00.4+4@0:00.4-0:00.8",
    "choose talk --take 1 --upsample --copies 2 --go",
    "choose talk --take 1 --redo 0:00.2-0:00.4",
    "upsample talk --take 4",
)
BATCH = """title,model,seconds,seed,takes,choose,genre,primer,primer_seconds
one,tiny,0.5,1,2,first,piano,,
two,tiny,0.5,2,2,all,major,,
three,tiny,0.8,3,1,first,,render.wav,0.3
"""
CONVERSIONS = (
    "convert in.wav plain.flac --bits 16",
    "convert plain.flac lossy.mp3 --bitrate 128",
    "convert in.wav slow.wav --rate 22050",
    "convert in.wav mono.wav --channels 1 --bits 16",
    "convert in.wav loud.wav --loudness -14 --start 0.5s --fade-out 1s",
)
SCORES = (
    "midi compose --seed 1 --seconds 8 -o new.mid",
    "midi compose --seed 2 --harmonise new.mid --top-p 0.9 -o voices.mid",
    "midi render new.mid --engine own -o render.wav",
    "midi render voices.mid --engine own --tempo-scale 2 -o fast.wav",
    "midi tokenise new.mid voices.mid --form events -o events.json",
    "midi tokenise new.mid voices.mid --form grid -o grid.json",
)


def source(path: Path) -> None:
    """Write three seconds of stereo: a sweep on the left, seeded noise on the right."""
    rate, n = 44100, 3 * 44100
    t = np.arange(n) / rate
    sweep = 0.5 * np.sin(2 * np.pi * (100 * t + 900 * t**2))
    noise = 0.2 * np.random.Generator(np.random.PCG64(1)).standard_normal(n).clip(-4, 4)
    soundfile.write(path, np.stack([sweep, noise], axis=1), rate, subtype="PCM_24")


def digest(array: np.ndarray) -> str:
    """Return a digest of an array's type, shape and numbers."""
    head = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def heard(folder: Path, pattern: str) -> dict[str, str]:
    """Return a digest of the samples in each audio file of a folder."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        if path.suffix in AUDIO:
            samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
            found[f"{path.relative_to(folder)} {rate} Hz"] = digest(samples)
    return found


def stored(run: Path) -> dict[str, str]:
    """Return a digest of each finished level in a run's log, in the order of their digests."""
    found: dict[str, list[str]] = {}
    for path in run.glob("log/*.json"):
        body = json.loads(path.read_text())["body"]
        if body["type"] == "level_done":
            name = str(body["blob"]["sha256"])
            array = np.load(io.BytesIO((run / "blobs" / name[:2] / name).read_bytes()))
            takes = ",".join(map(str, body["takes"]))
            found.setdefault(f"codes level {body['level']} rows {takes}", []).append(digest(array))
    return {key: " ".join(sorted(each)) for key, each in found.items()}


class Program:
    """The command under test, in a folder of its own."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        program = Path(command[0])
        first = str(program.absolute()) if program.is_file() else command[0]
        self.command, self.folder = (first, *command[1:]), folder
        self.env = {
            k: v for k, v in os.environ.items() if not k.startswith(("JUKEFLOW", "PREFECT"))
        }
        self.env |= {"JUKEFLOW_CACHE": str(folder / "cache"), "PREFECT_HOME": str(folder / "home")}
        self.env["JUKEFLOW_STORE"] = str(folder / "runs")

    def run(self, *lines: str) -> None:
        """Run lines one after the other; each may end waiting for a choice."""
        for line in lines:
            words = [*self.command, *shlex.split(line)]
            ended = subprocess.run(
                words, cwd=self.folder, env=self.env, capture_output=True, text=True
            )
            if ended.returncode not in (0, WAITING):
                sys.exit(f"{line} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")


def digests(command: Sequence[str], folder: Path) -> dict[str, str]:
    """Return everything that two versions must have in common: name → digest."""
    program = Program(command, folder)
    source(folder / "in.wav")
    (folder / "songs.csv").write_text(BATCH)
    songs = {name: f"generate {words} --run {name}" for name, words in REQUESTS.items()}
    later = ("batch songs.csv", songs.pop("primed"))  # they read what SCORES have rendered
    with ThreadPoolExecutor(2) as pool:
        works = (SCORES, CONVERSATION, CONVERSIONS, *((line,) for line in songs.values()))
        for done in [pool.submit(program.run, *lines) for lines in works]:
            done.result()
        for done in [pool.submit(program.run, line) for line in later]:
            done.result()
    found = {f"file {key}": value for key, value in heard(folder, "*").items()}
    for path in sorted(folder.glob("*.json")):
        found[f"tokens {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    for log in sorted(folder.glob("runs/*/log")):
        name = re.sub("-[0-9a-f]{10}$", "", log.parent.name)  # a batch names songs by digest, too
        found |= {f"run {name} {key}": value for key, value in stored(log.parent).items()}
        found |= {f"run {name} {key}": value for key, value in heard(log.parent, "**/*").items()}
    return found


def main() -> int:
    """Print the digests, or compare them with those of a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", type=Path, metavar="BEFORE.json", help="digests from before")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="such as jukeflow")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        after = digests(asked.command, Path(folder))
    if asked.compare is None:
        sys.stdout.write(json.dumps(after, indent=1, sort_keys=True) + "\n")
        return 0
    before = json.loads(asked.compare.read_text())
    changed = [key for key in sorted(before | after) if before.get(key) != after.get(key)]
    lines = [
        f"{key}: {before.get(key, 'not there')} before, {after.get(key, 'not there')} now\n"
        for key in changed
    ]
    same = len(before | after) - len(changed)
    sys.stdout.writelines([*lines, f"{same} the same, {len(changed)} different\n"])
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())

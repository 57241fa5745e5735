"""What something sounds and looks like; and takes that nobody published, made audible on demand.

A run that chooses by itself publishes no takes. Whoever wants to hear them later decodes them from
their codes, on the CPU, since an accelerator may be busy with the music itself. What was decoded is
kept in the cache folder of this machine under the digest of its codes: it can be made again at any
time, so the store need not have it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from musiccore import audio
from musiccore.audio.faults import find_faults
from musiccore.audio.measures import loudness_lufs
from musiccore.audio.sound import Audio
from musiccore.delivery.song_audio import found_audio
from musiccore.errors import CheckpointError
from musiccore.journal.journal import Journal
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.pages import figures
from musiccore.runs.levels import CodeArray, codes_sha256
from musiccore.runs.open_run import OpenRun
from musiccore.runs.run_codes import RunCodes
from musiccore.storage.sealed import Json, sha256
from musiccore.storage.store import Store
from musiccore.takes.takes import Round

PEAKS: Final = 240
"""Columns of the small waveform that travels in the record."""

MOST_BYTES: Final = 512 * 1024 * 1024
"""What may lie in the cache folder; the longest unused goes first."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is said of something audible.

    Attributes:
        facts: seconds, loudness, peaks.
        files: preview (MP3), waveform and spectrogram (PNG) as far as they could be drawn.
    """

    facts: Mapping[str, Json]
    files: Mapping[str, bytes]


class Extra(Protocol):
    """Makes what goes with the music and may fail: `OpenRun.extra`."""

    def __call__(self, what: str, make: Callable[[], bytes]) -> bytes | None:
        """Return what `make` makes; None where it cannot be made."""
        ...


def hear(sound: Audio, extra: Extra) -> Heard:
    """Return everything that a person hears and sees of a sound.

    Args:
        sound: what is heard.
        extra: makes the pictures, as far as they can be drawn here.
    """
    lufs = loudness_lufs(sound.samples, sound.sample_rate)
    return Heard(
        facts={
            "seconds": round(sound.seconds, 4),
            "lufs": round(lufs, 2) if np.isfinite(lufs) else None,
            "peak": round(sound.peak, 4),
            "peaks": list(peaks(sound)),
        },
        files={"preview": audio.write_preview(sound), **_drawn(sound, extra)},
    )


def _drawn(sound: Audio, extra: Extra) -> dict[str, bytes]:
    """Return the pictures of a sound that can be drawn here."""
    wanted = {"waveform": figures.waveform, "spectrogram": figures.spectrogram}
    found = {name: extra(f"a {name}", partial(draw, sound)) for name, draw in wanted.items()}
    return {name: picture for name, picture in found.items() if picture is not None}


def peaks(sound: Audio, columns: int = PEAKS) -> list[int]:
    """Return the largest level of each column, 0 to 100."""
    samples = np.abs(audio.to_mono(sound).samples[0])
    edges = np.linspace(0, len(samples), min(columns, len(samples)) + 1).astype(np.int64)
    return [round(100 * float(level)) for level in np.maximum.reduceat(samples, edges[:-1])]


def fault_facts(sound: Audio, codes: CodeArray, rate: float) -> list[Json]:
    """Return the probable faults of a take as its record has them.

    Args:
        sound: of the take.
        codes: [n] of its top level.
        rate: of these codes, in 1/s.
    """
    found = find_faults(sound, codes, rate)
    return [{"kind": fault.kind, "start": fault.start, "end": fault.end} for fault in found]


def is_sampled(journal: Journal, one: Round, top: int) -> bool:
    """Return whether the codes of a round's takes are in the store; reads the log alone."""
    rows = [take - 1 for take in one.takes]
    return any(
        event.fields.get("level") == top
        and event.fields.get("takes") == rows
        and "label" not in event.fields
        for event in journal.events_of("level_done")
    )


class Hearing:
    """Takes made audible on this machine, and kept in its cache folder.

    Args:
        store: the root of the runs.
        machine: this one; the device is the CPU whatever it says.
        cache: folder for what can be made again.
    """

    def __init__(self, store: Store, machine: Machine, cache: Path) -> None:
        self._store = store
        self._machine = replace(machine, device="cpu")
        self._folder = cache.expanduser() / "heard"
        self._models: Models | None = None  # of the model that was heard last
        self._memory: dict[str, bytes] = {}  # where the folder cannot be written

    def facts(self, run_id: str, take: int) -> dict[str, Json]:
        """Return what is to be said of a take; decodes it unless that was done before.

        Args:
            run_id: the run.
            take: number of a take whose codes are in the store.

        Returns:
            The fields of a candidate's record; preview, waveform and spectrogram by digest.

        Raises:
            CheckpointError: if the weights that decode it are not on this machine.
            NotFound: if its codes are not there.
            MusicCoreError: if it cannot be decoded for another reason.
        """
        run = self._open(run_id)
        codes = RunCodes(run).take(take)
        network = run.config.vqvae.name
        weights = run.journal.record.models.get(network, network)
        name = f"{sha256(f'{weights} {codes_sha256(codes)}'.encode())}.json"
        kept = self._read_facts(name)
        if kept is not None:
            return kept
        if run.models.digest(run.config.vqvae) != weights:
            raise CheckpointError(
                f"the weights of {network} on this machine are not those that made the take"
            )
        top = run.config.levels - 1
        sound = found_audio(run, top, take - 1, codes)
        heard = hear(sound, run.extra)
        rate = run.config.top.sample_rate / run.config.top.hop_length
        facts = {**heard.facts, "flags": fault_facts(sound, codes, rate)}
        for kind, data in heard.files.items():
            facts[kind] = digest = sha256(data)
            self._write(digest, data)
        self._write(name, json.dumps(facts).encode())
        self._prune()
        return facts

    def level(self, run_id: str, take: int) -> Audio:
        """Return what a take sounds like at the top level, as `facts` does without keeping it.

        Raises:
            CheckpointError, NotFound, MusicCoreError: as for `facts`.
        """
        run = self._open(run_id)
        return found_audio(run, run.config.levels - 1, take - 1, RunCodes(run).take(take))

    def _open(self, run_id: str) -> OpenRun:
        journal = Journal.open(self._store, run_id)
        run = OpenRun(self._store, journal, self._machine, models=self._models)
        if self._models is None or self._models.config != run.config:
            self._models = Models(run.config, self._machine)
            run = OpenRun(self._store, journal, self._machine, models=self._models)
        return run

    def file(self, digest: str) -> bytes | None:
        """Return a sound or picture by its digest; None if it is not kept here any more."""
        data = self._read(digest)
        return data if data is not None and sha256(data) == digest else None

    def _read_facts(self, name: str) -> dict[str, Json] | None:
        data = self._read(name)
        try:
            facts = None if data is None else json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(facts, dict):
            return None
        files = [facts.get(kind) for kind in ("preview", "waveform", "spectrogram")]
        there = all(isinstance(file, str) and self.file(file) is not None for file in files)
        return facts if there else None

    def _read(self, name: str) -> bytes | None:
        try:
            path = self._folder / name
            data = path.read_bytes()
            os.utime(path)  # used lately
        except OSError:
            return self._memory.get(name)
        return data

    def _write(self, name: str, data: bytes) -> None:
        aside = self._folder / f".{name[:80]}-{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside.write_bytes(data)
            aside.replace(self._folder / name)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._folder, error.strerror)
            self._memory[name] = data

    def _prune(self) -> None:
        with contextlib.suppress(OSError):
            files = [(path.stat(), path) for path in self._folder.iterdir()]
            size = sum(stat.st_size for stat, _ in files)
            for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
                if size <= MOST_BYTES:
                    break
                _remove(path)
                size -= stat.st_size


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()

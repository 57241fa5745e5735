"""The queue of a batch in the store: which songs, and in which order.

    batches/<batch>/queue.json    written once

What is done is read from the runs, never from here, so the queue survives any kill as it is. A run
is created when its turn comes. Its name follows from its request, so a song that was made under the
same batch name before is not made again when the file grows or another row of it is mended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError, Corrupt, MusicCoreError
from musiccore.errors.doors import TABLE
from musiccore.journal.journal import Journal
from musiccore.models.config import ModelConfig
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.models.presets import preset
from musiccore.request.recipes import Song, parse_songs, read_songs
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import Primer, check_request, create_run
from musiccore.runs.packs import PackPlace, form_packs
from musiccore.runs.primer_audio import primer_samples
from musiccore.storage.sealed import Json
from musiccore.storage.store import AlreadyExists, Store

FOLDER: Final = "batches"
PASTED: Final = "pasted"
"""What a batch from pasted text is called when it has no other name."""
_MAX_QUEUE_BYTES: Final = 64 << 20
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One song of a batch.

    Attributes:
        row: number of the song in the file, from 1.
        title: what the file calls it.
        run: name of its run; empty if the row is wrong.
        request: what to make; None if the row is wrong.
        places: where its rows lie at each level, level 0 first; empty for a song of its own.
        max_hours: most hours of one session; None without a limit.
        error: what is wrong with the row; empty if nothing is.
    """

    row: int
    title: str
    run: str = ""
    request: GenerationRequest | None = None
    places: tuple[PackPlace, ...] = ()
    max_hours: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A batch.

    Attributes:
        batch: its name, that of its folder.
        entries: the songs in the order of the file.
        packs: rows that are made together, in the order in which they are made.
    """

    batch: str
    entries: tuple[Entry, ...]
    packs: tuple[tuple[int, ...], ...]

    def entry(self, row: int) -> Entry:
        """Return the song of a row."""
        return self.entries[row - 1]


def sung_words(queue: Queue) -> list[str]:
    """Return what becomes of lyrics that models cannot sing as they are, row by row."""
    found = []
    for entry in queue.entries:
        if entry.request is not None:
            sung = entry.request.sung(preset(entry.request.model))
            sentences = () if sung is None else sung.sentences()
            found += [f"row {entry.row}: {words}" for words in sentences]
    return found


def batch_folder(store: Store, batch: str) -> Store:
    """Return the folder of a batch."""
    return store.at(f"{FOLDER}/{batch}")


def queue_of(store: Store, machine: Machine, file: str, recipe: str, name: str) -> Queue:
    """Read the songs of a file or of a pasted text, check all of them, and open their queue.

    Args:
        store: the root of the store.
        machine: that makes them.
        file: path of a file of songs; empty if they are pasted.
        recipe: the songs as text; empty if they are in a file.
        name: what the batch is called; by default the name of the file.

    Raises:
        ConfigError: if there is neither or both, if the whole cannot be read, or if no song can be
            made.
        StorageError: if the store cannot be written.
    """
    name = name or (Path(file).stem if file else PASTED)
    return open_queue(store, songs_of(file, recipe), name, machine)


def songs_of(file: str, recipe: str) -> Sequence[Song]:
    """Return the songs of a file or of a pasted text.

    Raises:
        ConfigError: if there is neither or both, or the whole cannot be read.
    """
    if bool(file) == bool(recipe.strip()):
        raise ConfigError(
            "file: give the path of a file of songs, or their text as recipe; one of both",
            hint="a file is a .toml with [[song]] tables, or a .csv with a header",
        )
    if file:
        return read_songs(Path(file).expanduser())
    return parse_songs(recipe, "toml" if "[[song]]" in recipe else "csv", Path.cwd())


def open_queue(store: Store, songs: Sequence[Song], name: str, machine: Machine) -> Queue:
    """Write the queue of a batch, unless it is there: the same batch goes on.

    All songs are checked before anything is written. A wrong one stays in the queue with its error.

    Args:
        store: the root of the store.
        songs: rows of the file.
        name: what the batch is called; the same songs under the same name are the same batch.
        machine: that makes them.

    Raises:
        ConfigError: if no song can be made.
        StorageError: if the store cannot be written.
    """
    prefix = _slug(name, 24)
    if not prefix:
        raise ConfigError(
            f"name: {name!r} holds no letter or digit", hint="for example --name demo"
        )
    runs = _run_names(prefix, songs)
    checked, primers, errors = _check(store, songs, runs, machine)
    if not checked:
        first = min(errors)
        raise ConfigError(f"file: no song can be made; row {first}: {errors[first]}")
    batch = f"{prefix}-{_digest([_plain(song) for song in songs], 8)}"
    _write_once(store, batch, songs)
    packs = form_packs(checked, primers)
    places = {row: place for pack in packs for row, place in pack.items() if len(pack) > 1}
    entries = tuple(
        Entry(
            row=song.row,
            title=song.title,
            run=runs[song.row] if song.row in checked else "",
            request=song.request if song.row in checked else None,
            places=tuple(places.get(song.row, ())),
            max_hours=song.max_hours,
            error=errors.get(song.row, ""),
        )
        for song in songs
    )
    return Queue(batch=batch, entries=entries, packs=tuple(tuple(pack) for pack in packs))


def create_song(store: Store, entry: Entry, models: Models) -> None:
    """Create the run of a song, unless it is there.

    Raises:
        AudioError: if its primer cannot be read.
        CheckpointError: if weights are missing.
        StorageError: if the store cannot be written.
    """
    assert entry.request is not None
    if not store.exists(f"{entry.run}/run.json"):
        pack: list[Json] = [place.to_json() for place in entry.places]
        create_run(store, entry.request, entry.run, models.config, models, pack=pack or None)


_Checked = dict[int, tuple[GenerationRequest, ModelConfig]]


def _check(
    store: Store, songs: Sequence[Song], runs: Mapping[int, str], machine: Machine
) -> tuple[_Checked, dict[int, int], dict[int, str]]:
    """Look at the songs in the order of the queue.

    Returns:
        Those that can be made, the samples of their primers, and what is wrong elsewhere.
    """
    checked: _Checked = {}
    primers: dict[int, int] = {}
    errors: dict[int, str] = {}
    for song in sorted(songs, key=lambda song: (-song.priority, song.row)):
        if song.request is None:
            errors[song.row] = song.error
            continue
        try:
            _check_unattended(song.request)
            config, n_samples = _check_song(store, song.request, runs[song.row], machine)
            checked[song.row] = (song.request, config)
            primers[song.row] = n_samples
        except MusicCoreError as error:
            errors[song.row] = error.sentence_at(TABLE)
    return checked, primers, errors


def _check_song(
    store: Store, request: GenerationRequest, run: str, machine: Machine
) -> tuple[ModelConfig, int]:
    """Return the model of a song and the samples of its primer; a run that is there keeps it."""
    if request.primer is not None and store.exists(f"{run}/run.json"):
        config = check_request(request.without_primer(), machine)
        primer = Primer.recorded(Journal.open(store, run).record)
        return config, 0 if primer is None else primer.n_samples
    config = check_request(request, machine)
    return config, primer_samples(request, config, ffmpeg=machine.ffmpeg)


def _check_unattended(request: GenerationRequest) -> None:
    if request.choose == "wait" or request.choose_after_hours:
        raise ConfigError("choose: a batch asks nobody", hint="set {choose} to first, best or all")


def _run_names(prefix: str, songs: Sequence[Song]) -> dict[int, str]:
    names: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for song in sorted(songs, key=lambda song: song.row):
        if song.request is None:
            continue
        words = (prefix, _slug(song.request.title or "", 24), song.request.digest()[:10])
        name = "-".join(word for word in words if word)
        seen[name] += 1
        names[song.row] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return names


def _write_once(store: Store, batch: str, songs: Sequence[Song]) -> None:
    folder, rows = batch_folder(store, batch), [_plain(song) for song in songs]
    if folder.exists("queue.json") and _is_damaged(folder):  # its name tells what it held
        folder.set_aside("queue.json")
    if not folder.exists("queue.json"):
        store.probe()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        body = {"schema": _SCHEMA, "batch": batch, "created": created, "rows": rows}
        with contextlib.suppress(AlreadyExists):  # another process was faster
            folder.create("queue.json", json.dumps(body, ensure_ascii=False, indent=1).encode())
    folder.keep()
    try:
        there = json.loads(folder.get("queue.json", limit=_MAX_QUEUE_BYTES))
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"the queue of batch {batch} is damaged: {error}") from error
    if not isinstance(there, dict) or there.get("rows") != rows:
        raise Corrupt(f"the queue of batch {batch} holds other songs than its name says")


def _is_damaged(folder: Store) -> bool:
    try:
        return not isinstance(json.loads(folder.get("queue.json", limit=_MAX_QUEUE_BYTES)), dict)
    except (ValueError, Corrupt):
        return True


def _plain(song: Song) -> dict[str, Json]:
    return {
        "row": song.row,
        "title": song.title,
        "priority": song.priority,
        "max_hours": song.max_hours,
        "request": None if song.request is None else song.request.model_dump(mode="json"),
        "error": song.error,
    }


def _slug(text: str, length: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")


def _digest(value: object, length: int) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]

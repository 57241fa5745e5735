"""Composed pieces as MIDI files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from musiccore.composer import sizes as config
from musiccore.composer.compose_options import ComposeOptions
from musiccore.errors import ConfigError
from musiccore.scores.midi import SUFFIXES, write_midi
from musiccore.scores.score import AS_PLAYERS_DO, Reading, Score
from musiccore.scores.score_files import open_score
from musiccore.storage.atomic import write_file

MAX_COUNT = 100
_LARGEST_SEED = (1 << 32) - 1


def targets(out: str, seed: int, count: int) -> list[Path]:
    """Return a MIDI file for each piece.

    Args:
        out: a file, a folder, or empty for here; of several pieces each file gets its seed.
        seed: of the first piece; the next ones count on.
        count: pieces.

    Raises:
        ConfigError: if the count is out of range or the file is no MIDI file.
    """
    if not 1 <= count <= MAX_COUNT:
        raise ConfigError(f"count: it is {count}, want 1 to {MAX_COUNT}")
    if not 0 <= seed <= _LARGEST_SEED - count + 1:
        raise ConfigError(f"seed: it is {seed}, want 0 to {_LARGEST_SEED - count + 1}")
    path = Path(out or ".").expanduser()
    seeds = range(seed, seed + count)
    if path.is_dir() or not path.suffix:
        return [path / f"chorale-{n}.mid" for n in seeds]
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"out: {out!r} is no MIDI file", hint="end its name with .mid, or give a folder"
        )
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{n}{path.suffix}") for n in seeds]


def given_score(source: str, reading: Reading = AS_PLAYERS_DO) -> Score | None:
    """Read a score to continue or to harmonise; None if nothing is given."""
    return open_score(source, reading)[0] if source else None


def compose_file(options: ComposeOptions, destination: str, *, force: bool) -> dict[str, object]:
    """Compose one piece and write it as a MIDI file.

    Args:
        options: what to make.
        destination: the MIDI file.
        force: write over a file that exists.

    Returns:
        `file`, `seed`, `key`, `seconds`, `notes`, `cadence` and `sha256` of the file.

    Raises:
        ConfigError: if the file exists, or the request does not fit.
    """
    from musiccore.composer.compose import compose_piece
    from musiccore.composer.to_score import provenance_of

    config.one_thread()
    target = Path(destination)
    if target.exists() and not force:
        raise ConfigError(f"out: {destination!r} exists", hint="use {force} to write over it")
    score = compose_piece(options)
    data = write_midi(score)
    write_file(target, data, force=force)
    facts = provenance_of(score) or {}
    return {
        "file": destination,
        "seed": options.seed,
        "key": facts.get("key"),
        "seconds": round(score.seconds, 3),
        "notes": score.n_notes,
        "cadence": facts.get("cadence"),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def variants(options: ComposeOptions, count: int) -> list[ComposeOptions]:
    """Return the options of several pieces: the seed counts on."""
    return [replace(options, seed=options.seed + n) for n in range(count)]

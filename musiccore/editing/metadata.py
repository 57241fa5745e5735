"""Tags of formats that only ffmpeg knows, and which tags go into a target."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from musiccore.containers import sniff, sniff_foreign
from musiccore.editing.ffmpeg import find_ffmpeg
from musiccore.editing.formats import TARGETS
from musiccore.editing.history import conversion_record
from musiccore.editing.options import ConversionOptions
from musiccore.editing.targets import TargetPlan
from musiccore.errors import AudioError
from musiccore.streams import head_of
from musiccore.tags import copy_tags, read_tags

_NAMES = {
    "title": "title", "artist": "artist", "album": "album", "date": "date", "genre": "genre",
    "track": "track", "comment": "comment", "description": "comment", "copyright": "licence",
    "license": "licence", "lyrics": "lyrics", "year": "date",
}  # fmt: skip
_WRITTEN = ("title", "artist", "album", "date", "genre", "track", "comment", "lyrics")
_LONGEST = 30_000  # characters of one argument of a program
_SECONDS = 20.0

# Formats whose tags `musiccore.tags` reads and writes; for others ffmpeg does what it can.
_OURS = (*(kind for kind, target in TARGETS.items() if not target.foreign), "m4a")


def keep_tags(
    sources: Sequence[Path],
    target: Path,
    plan: TargetPlan,
    options: ConversionOptions,
    more: Mapping[str, object] | None,
) -> tuple[str, ...]:
    """Give a finished target the tags of its first source.

    Args:
        sources: what it was made from.
        target: complete file that nobody reads yet.
        plan: how it was written.
        options: what was asked for.
        more: further tags, as `tags.copy_tags` takes them.

    Returns:
        Warnings: what could not be kept.
    """
    if not sources:
        return ()
    source, extra = sources[0], dict(more or {})
    ours = _is_ours(source)
    if plan.kind not in _OURS and not (ours and _has_provenance(source)):
        return ()  # what players show went into the file with the sound
    if not ours:
        extra = {**foreign_tags(source, options), **_beside(source), **extra}
        source = target  # which has no tags so far
    extra["conversion"] = conversion_record(sources, options, plan.sample_rate, plan.channels)
    return copy_tags(source, target, extra=extra)


def shown_tags(
    sources: Sequence[Path], options: ConversionOptions, more: Mapping[str, object] | None
) -> dict[str, str]:
    """Return what players are to show of a target that ffmpeg writes.

    Args:
        sources: what it is made from.
        options: what is written, and where ffmpeg is.
        more: further tags.

    Returns:
        Text by name; nothing for formats whose tags are written without ffmpeg.
    """
    if options.kind in _OURS:
        return {}
    found: dict[str, object] = {}
    for source in sources[:1]:
        if _is_ours(source):
            with contextlib.suppress(AudioError):
                found.update(read_tags(source))
        else:
            found.update(foreign_tags(source, options))
    found.update(more or {})
    texts = {name: found.get(name) for name in _WRITTEN}
    return {name: text[:_LONGEST] for name, text in texts.items() if isinstance(text, str)}


def foreign_tags(path: Path, options: ConversionOptions) -> dict[str, str]:
    """Read tags with ffmpeg.

    Args:
        path: of a file that `musiccore.tags` cannot read.
        options: where ffmpeg is.

    Returns:
        Text by our name; nothing if there is none, or ffmpeg cannot say.
    """
    program = find_ffmpeg(options.ffmpeg, f"reading {path.name!r}")
    try:
        said = subprocess.run(
            [program, "-v", "quiet", "-nostdin", "-i", f"file:{os.fspath(path)}", "-f",
             "ffmetadata", "pipe:1"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
        ).stdout.decode("utf-8", "replace")  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[str, str] = {}
    # A line ends where the newline has no backslash in front; sections begin with a bracket.
    for line in re.split(r"(?<!\\)\n", said):
        if line.startswith("["):
            break
        key, equal, value = line.partition("=")
        name = _NAMES.get(key.lower().partition("-")[0])
        if equal and name is not None and not line.startswith(";"):
            found.setdefault(name, re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL))
    return {name: text for name, text in found.items() if text.strip()}


def _is_ours(source: Path) -> bool:
    head = head_of(source)
    return sniff(head) is not None or sniff_foreign(head) == "m4a"


def _has_provenance(source: Path) -> bool:
    try:
        return "provenance" in read_tags(source)
    except AudioError:
        return False


def _beside(source: Path) -> dict[str, object]:
    """What `tags.copy_tags` wrote beside a file that cannot hold it."""
    try:
        whole = json.loads(source.with_name(f"{source.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(whole, dict) or not isinstance(whole.get("provenance"), dict):
        return {}
    provenance = whole.pop("provenance")
    return {**provenance, **whole}

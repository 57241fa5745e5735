"""What errors say in the room: there is no command line here, so none is named."""

from __future__ import annotations

import re
from typing import Final

from musiccore.errors import MusicCoreError
from musiccore.errors.doors import ROOM

_COMMAND: Final = re.compile(
    r"\bjukeflow [a-z]|(^|[\s(`])--?[a-z][\w-]+|\b(JUKEFLOW|PREFECT)_[A-Z]+"
)
_HERE: Final = (
    ("bring it back with", "its button under “Dropped” brings it back"),
    ("`jukeflow runs` lists them", "all songs that there are stand on the first page"),
    ("`jukeflow verify", "whoever keeps the store should have it checked"),
    ("`jukeflow resume", "its button Resume continues it"),
    ("JUKEFLOW_MODELS", "whoever runs the room has to say where the weights are"),
)


def in_the_room(error: MusicCoreError) -> tuple[str, str]:
    """Return message and hint of an error as a person in the room can use them."""
    return plain(error.message), plain(error.hint_at(ROOM) or "")


def plain(text: str) -> str:
    """Return a text, or what stands for it in the room if it names a command line."""
    found = next((here for there, here in _HERE if there in text), None)
    if found is not None:
        return found
    if not _COMMAND.search(text):
        return text
    parts = re.split(r"(?<=[.;,]) ", text)
    return " ".join(part for part in parts if not _COMMAND.search(part)).rstrip(" ,;")

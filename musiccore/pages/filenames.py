"""Names of files that people save: after title and take, in any script, on any system."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 120  # letters; with four bytes each and a suffix this fits every file system
_FORBIDDEN: Final = re.compile(
    r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]'
)
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def saved_name(title: str, detail: str = "", *, kind: str) -> str:
    """Return the name under which something is saved: `Evening song (take 2).wav`.

    Args:
        title: of the song; any text.
        detail: which take or file of it; left out if empty.
        kind: suffix without a dot.
    """
    words = f"{title} ({detail})" if detail.strip() else title
    words = unicodedata.normalize("NFC", _FORBIDDEN.sub(" ", words))
    words = words.encode("utf-8", "ignore").decode()  # half a letter is none
    words = " ".join(words.split())[:_LONGEST].strip(" .")
    if not words or _RESERVED.fullmatch(words):
        words = f"song {words}".strip()
    return f"{words}.{kind}"


def disposition(name: str, *, inline: bool = False) -> str:
    """Return the value of `Content-Disposition` for a name in any script.

    Args:
        name: of the file.
        inline: the file is shown, and has this name if it is saved.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = plain.replace("\\", " ").replace('"', " ").replace("%", " ").strip()
    stem, _, suffix = plain.rpartition(".")
    fallback = plain if stem.strip(" ().") else f"song.{suffix}"
    form = "inline" if inline else "attachment"
    return f"{form}; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"

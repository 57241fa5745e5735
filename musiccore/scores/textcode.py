"""In which encoding texts of other people's files are: said, found out, or kept as they are.

MIDI files, and the tags of old audio files, hold bytes and do not say what they mean.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from musiccore.errors import ConfigError

UTF_8: Final = "utf-8"
LATIN_1: Final = "latin-1"
"""What every byte can be read as, and written back from, unchanged."""

AUTO: Final = "auto"

_TOLD_APART = ("cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp1251", "koi8_r")
_WESTERN = ("cp1252", "cp1250", "cp1254")
_FEWEST_BYTES = 6  # beyond ASCII, below which a guess is a gamble


def checked_encoding(name: str, option: str = "encoding") -> str:
    """Return an encoding as Python calls it, or `auto`.

    Args:
        name: such as `shift_jis`, `cp1251`, `gbk`.
        option: named in the error.

    Raises:
        ConfigError: if there is no such encoding.
    """
    if name in ("", AUTO):
        return AUTO
    try:
        found = codecs.lookup(name)
        b"a".decode(found.name)  # not one of bytes to bytes, such as zip
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"{option}: {name!r} is no encoding of text",
            hint="use a name such as shift_jis, gbk, big5, euc_kr, cp1251, latin-1, or auto",
        ) from error
    return found.name


@dataclass(frozen=True, slots=True)
class TextCode:
    """How the texts of one file become letters, and bytes again.

    Attributes:
        name: encoding of what is not UTF-8.
    """

    name: str = UTF_8

    @classmethod
    def of(cls, texts: Iterable[bytes], wanted: str = AUTO) -> TextCode:
        """Find out what the texts of a file are.

        Args:
            texts: all of them.
            wanted: an encoding that a person named, or `auto`.
        """
        if wanted != AUTO:
            return cls(wanted)
        strange = b"\n".join(text for text in texts if not _is(text, UTF_8))
        return cls(_guessed(strange) if strange else UTF_8)

    @property
    def in_words(self) -> str:
        """What was done with texts that are not UTF-8, in one sentence."""
        return (
            f"texts that are not UTF-8 were read as {self.name}; "
            "name their encoding if that is wrong"
        )

    def decode(self, data: bytes) -> str:
        """Return letters; whatever cannot be read so is read as Latin-1."""
        order = (UTF_8,) if self.name == LATIN_1 else (self.name, UTF_8)
        for name in order:
            if _is(data, name):
                return data.decode(name)
        return data.decode(LATIN_1)

    def encode(self, text: str) -> bytes:
        """Return bytes that `decode` reads as this text; those that it came from, if it can."""
        try:
            data = text.encode(self.name)
        except UnicodeEncodeError:
            return text.encode()
        return data if self.decode(data) == text else text.encode()


def _is(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _guessed(data: bytes) -> str:
    """Return the encoding that fits; Latin-1 unless another one fits clearly better."""
    if sum(byte >= 0x80 for byte in data) < _FEWEST_BYTES:
        return LATIN_1
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(data, cp_isolation=[*_TOLD_APART, *_WESTERN])]
    if not found or found[0] not in _TOLD_APART or "cp1252" in found:
        return LATIN_1
    return found[0]

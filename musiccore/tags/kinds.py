"""Which format a file has, by its bytes; tags are found where its format keeps them."""

from __future__ import annotations

from typing import Final

from musiccore.audio.sound import sniff
from musiccore.tags.id3 import front_end
from musiccore.tags.pieces import Source

W64_RIFF: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_BEHIND: Final = (
    (b"fLaC", "flac"), (b"MAC ", "ape"), (b"wvpk", "wavpack"), (b"MPCK", "musepack"),
    (b"MP+", "musepack"), (b"TTA1", "tta"), (b"TTA2", "tta"), (b"OFR ", "optimfrog"),
    (b"DSD ", "dsf"),
)  # fmt: skip


def kind_of(source: Source) -> str | None:
    """Return the format: as `musiccore.audio.sound.sniff` says, or opus, w64, au, m4a; or None.

    An ID3 tag in front of other data makes no MP3 of them.
    """
    head = source.read(0, 64)
    if head[:4] == b"RIFX":  # a WAV with its bytes the other way round
        return None
    if head[:16] == W64_RIFF:
        return "w64"
    if head[:4] in (b".snd", b"dns."):
        return "au"
    if head[4:8] == b"ftyp":
        return "m4a"
    if head[:4] == b"OggS" and b"OpusHead" in head:
        return "opus"
    behind = source.read(front_end(source), 16) if head[:3] == b"ID3" else head
    for start, kind in _BEHIND:
        if behind.startswith(start):
            return kind
    return _mpeg(behind) or sniff(head)


def _mpeg(head: bytes) -> str | None:
    """Return "aac" and "mp2" for frames of sound that say so; None for others."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0 and head[2] & 0x3C < 0x34:
        return "aac"
    layer = head[1] & 0xE6
    return "mp2" if layer in (0xE4, 0xE6) and head[2] >> 4 not in (0, 15) else None

"""Which format a file has, by its bytes; tags are found where its format keeps them."""

from __future__ import annotations

from typing import Final

from musiccore.audio import sniff
from musiccore.tags.id3 import front_end
from musiccore.tags.pieces import Source

W64_RIFF: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


def kind_of(source: Source) -> str | None:
    """Return the format: as `musiccore.audio.sniff` says, and "opus", "w64", "au", "m4a"; or None.

    An ID3 tag in front of FLAC data makes no MP3 of it.
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
    if head[:3] == b"ID3" and source.read(front_end(source), 4) == b"fLaC":
        return "flac"
    return sniff(head)

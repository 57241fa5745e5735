"""What a file of sound is by its first bytes, whatever it is called. Bytes only: no library."""

from __future__ import annotations

DAMAGED_HINT = "the file is cut short, damaged or was written to a pipe; export it again"
HEAD_BYTES = 64  # enough for every question below

_W64_GUID = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_ASF_GUID = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_STARTS = (
    (b"fLaC", "flac"), (b"OggS", "ogg"), (b"caff", "caf"), (b"ID3", "mp3"), (b".snd", "au"),
    (b"dns.", "au"), (_W64_GUID, "w64"),
)  # fmt: skip
_FOREIGN_STARTS = (
    (b"\x1a\x45\xdf\xa3", "webm"), (_ASF_GUID, "wma"), (b"FLV\x01", "flv"), (b"#!AMR", "amr"),
    (b"wvpk", "wavpack"), (b"MAC ", "ape"), (b"TTA1", "tta"), (b"TTA2", "tta"),
    (b"\x00\x00\x01\xba", "mpeg"), (b"DSD ", "dsf"), (b"FRM8", "dff"), (b"MPCK", "musepack"),
    (b"MP+", "musepack"), (b"OFR ", "optimfrog"), (b"ajkg", "shorten"), (b"tBaK", "tak"),
    (b".RMF", "realmedia"), (b".ra\xfd", "realaudio"), (b"\x0b\x77", "ac3"),
    (b"\x7f\xfe\x80\x01", "dts"), (b"\xfe\x7f\x01\x80", "dts"), (b"\xff\x1f\x00\xe8", "dts"),
    (b"\x1f\xff\xe8\x00", "dts"), (b"LA02", "la"), (b"LA03", "la"), (b"LA04", "la"),
    (b"nut/multimedia container", "nut"), (b"STRM", "ast"), (b"RSTM", "brstm"),
)  # fmt: skip
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def sniff(data: bytes) -> str | None:
    """Name the format by the first bytes, of formats that need no other program.

    Args:
        data: the file, or at least its first 64 bytes.

    Returns:
        "wav" (also RF64), "flac", "mp3", "ogg" (Vorbis, Opus, FLAC inside), "aiff", "caf", "au",
        "w64", or None for anything else.
    """
    if data[:4] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for magic, kind in _STARTS:
        if data.startswith(magic):
            return kind
    # An MPEG frame header: 11 sync bits, layer III, neither the free nor the bad bit rate.
    if len(data) > 3 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:
        return "mp3" if data[2] >> 4 not in (0, 15) and data[2] & 0x0C != 0x0C else None
    return None


def sniff_foreign(data: bytes) -> str | None:
    """Name a format that only another program can read.

    Args:
        data: the file, or at least its first 64 bytes.

    Returns:
        "m4a" (and all its relatives, videos included), "aac", "wma", "webm" (and Matroska), "avi"
        and a few more; None for anything else.
    """
    if data[4:8] in _MP4_BOXES:
        return "m4a"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    for magic, kind in _FOREIGN_STARTS:
        if data.startswith(magic):
            return kind
    if data[4:8] in (b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"):
        return "mlp"
    # ADTS: 12 sync bits, layer 0, a sample rate that exists.
    if len(data) > 3 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0 and data[2] & 0x3C < 0x34:
        return "aac"
    return None


def cut_short(head: bytes, size: int, *, grace: int = 1) -> str | None:
    """Say how a file is shorter than its header promises; decoders cut it silently.

    Args:
        head: the first 64 bytes.
        size: of the whole file.
        grace: bytes of a RIFF or an AIFF that may be missing: some writers count a last byte of
            filling and do not write it.

    Returns:
        Words that follow the name of the file; None if nothing is missing, or this format has no
        such promise at its beginning.
    """
    if head[:4] == b"RIFF":
        promised = _length(int.from_bytes(head[4:8], "little")) + 8
    elif head[:4] == b"RF64" and head[12:16] == b"ds64":
        promised = _length(int.from_bytes(head[20:28], "little")) + 8
    elif head[:16] == _W64_GUID:
        promised = _length(int.from_bytes(head[16:24], "little"))
    elif head[:4] == b"FORM":
        promised = _length(int.from_bytes(head[4:8], "big")) + 8
    elif head[:4] == b".snd":
        length = int.from_bytes(head[8:12], "big")
        promised = 0 if length == 0xFFFFFFFF else int.from_bytes(head[4:8], "big") + length
    else:
        return None
    missing = promised - size
    allowed = grace if head[:4] in (b"RIFF", b"FORM", b"RF64") else 0
    return f"promises {promised} bytes and holds {size}" if missing > allowed else None


def _length(said: int) -> int:
    """What a header says, 0 where that means "to the end": writers into pipes use such numbers."""
    unsaid = 0x7FFFF000 <= said < 0x80001000 or 0xFFFFF000 <= said <= 0xFFFFFFFF or said >= 1 << 62
    return 0 if unsaid else said


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 block whose first ten bytes are given, 0 if it is none."""
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)

"""What a decoder written in C says on the error stream of the process, where nobody asked it to.

libmpg123, inside libsndfile, writes there about every odd MP3, and about many sound ones: for the
first frames of files at 24 kHz and below it says "part2_3_length too large", and gives the same
samples as every other decoder. Only what it says about lost frames means anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
_STREAM = 2
_OF_MPG123 = re.compile(
    rb"\s*(\[src/libmpg123/|Note: |Warning: (Xing|Encountered more data|Real sample count)"
    rb"|This was (a|the) )"
)
LOST = (
    b"Illegal Audio-MPEG-Header",
    b"Giving up resync",
    b"missing bits",
    b"dequantization failed",
)
"""What libmpg123 says when sound is lost."""


@contextlib.contextmanager
def overheard() -> Iterator[list[bytes]]:
    """Keep what libmpg123 says from the error stream; what others say there comes a little later.

    One thread at a time: the stream belongs to the whole process.

    Yields:
        Lines of libmpg123, complete after the block.
    """
    lines: list[bytes] = []
    with _LOCK, tempfile.TemporaryFile() as file:
        try:
            saved = os.dup(_STREAM)
        except OSError:  # the process has no such stream
            yield lines
            return
        os.dup2(file.fileno(), _STREAM)
        try:
            yield lines
        finally:
            os.dup2(saved, _STREAM)
            os.close(saved)
            file.seek(0)
            said = file.read(1 << 20).splitlines(keepends=True)
            lines += [line for line in said if _OF_MPG123.match(line)]
            if others := b"".join(line for line in said if not _OF_MPG123.match(line)):
                with contextlib.suppress(OSError):
                    os.write(_STREAM, others)

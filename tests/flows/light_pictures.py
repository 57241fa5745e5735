"""Pictures of a sound in a few bytes, for tests of what is done with pictures.

Drawing real ones is a third of what a song of the test model costs.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.pages import figures


@contextmanager
def light_pictures() -> Iterator[None]:
    """Draw a picture that only names its sound."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("waveform", "spectrogram"):
            patch.setattr(figures, name, lambda sound, name=name: _png(name, sound))
        yield


def _png(name: str, sound: Audio) -> bytes:
    words, buffer = PngInfo(), io.BytesIO()
    words.add_text(name, audio.pcm_sha256(sound))
    Image.new("1", (1, 1)).save(buffer, "PNG", pnginfo=words)
    return buffer.getvalue()

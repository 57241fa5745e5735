"""What is audible already while a song is being upsampled: each new stretch, decoded at once."""

from __future__ import annotations

from collections.abc import Mapping

from musiccore import audio
from musiccore.audio import Audio
from musiccore.tree import Rendition
from tasks.decoding import decode_codes
from tasks.levels import CodeArray, Unit
from tasks.resources import OpenRun

_MARGIN_CODES = 64  # decoded before a stretch and thrown away, so that its beginning is right


class Sounding:
    """Decodes the stretch of each finished window and records it.

    Args:
        run: the claimed run.
        song: that is being upsampled.
        level: that is being sampled.
    """

    def __init__(self, run: OpenRun, song: Rendition, level: int) -> None:
        self._run = run
        self._song = song
        self._level = level
        self._there = {
            event.fields.get("start")
            for event in run.journal.events_of("sounding")
            if (event.fields.get("rendition"), event.fields.get("level")) == (song.number, level)
        }

    def __call__(self, unit: Unit, filled: Mapping[int, CodeArray]) -> None:
        """Record what a window added, unless that has been done."""
        first = unit.window.first_new
        if first in self._there:
            return
        last, begin = first + unit.window.new, max(0, first - _MARGIN_CODES)
        hop = self._run.config.priors[self._level].hop_length
        sound = decode_codes(self._run, self._level, filled[self._song.row][begin:last])
        stretch = Audio(
            samples=sound.samples[:, (first - begin) * hop :], sample_rate=sound.sample_rate
        )
        blob = self._run.journal.put_blob(audio.write(stretch, "flac"))
        self._run.journal.append(
            "sounding",
            rendition=self._song.number,
            level=self._level,
            start=first,
            end=last,
            blob=blob.to_json(),
        )
        self._there.add(first)

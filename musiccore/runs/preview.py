"""What is audible already while a song is being upsampled: stretches, decoded now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.runs.levels import CodeArray, LevelWork, Unit
from musiccore.runs.open_run import OpenRun
from musiccore.takes.takes import Rendition

EVERY_SECONDS: Final = 4.0
"""Decoding after every window would cost a small model a tenth of its time."""

_MARGIN_CODES: Final = 64  # decoded before a stretch for its beginning's sake, and thrown away


class Sounding:
    """Decodes what is new of a level every few seconds, and at its end, and records it.

    Args:
        run: the claimed run.
        song: that is being upsampled.
        level: that is being sampled.
        work: the level.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: OpenRun,
        song: Rendition,
        level: int,
        work: LevelWork,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._song = song
        self._level = level
        self._last = work.units[-1] if work.windows else None
        self._clock = clock
        self._since = clock()
        self._heard = [
            (int(str(event.fields["start"])), int(str(event.fields["end"])))
            for event in run.journal.events_of("sounding")
            if (event.fields.get("rendition"), event.fields.get("level")) == (song.number, level)
        ]
        self._new: list[tuple[int, int]] = []
        if not song.base:  # an audition or a primer; of a song that is redone all can be heard
            self._add(0, len(work.known))
            for start, codes in work.given:
                self._add(start, start + len(codes))

    def __call__(self, unit: Unit, filled: Mapping[int, CodeArray]) -> None:
        """Take note of what a window added; decode it if it is time."""
        first = unit.window.first_new
        self._add(first, first + unit.window.new)
        now = self._clock()
        if unit == self._last or now - self._since >= EVERY_SECONDS:
            for start, end in _merged(self._new):
                self._record(start, end, filled[self._song.row])
            self._new, self._since = [], now

    def _add(self, first: int, last: int) -> None:
        """Note a stretch, less what was recorded before a kill."""
        for start, end in sorted(self._heard):
            if start <= first < end:
                first = end
        if first < last:
            self._new.append((first, last))

    def _record(self, first: int, last: int, codes: CodeArray) -> None:
        begin = max(0, first - _MARGIN_CODES)
        hop = self._run.config.priors[self._level].hop_length
        sound = self._run.decode(self._level, codes[begin:last])
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


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found

"""Simple faults that a listener wants to know of before listening: silence, clipping, stuck loops.

They are hints beside a take, never a reason to throw it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from musiccore.audio.sound import Audio, to_mono

Kind = Literal["silence", "clipping", "loop"]

SILENCE_SECONDS: Final = 1.5
SILENCE_DB: Final = -50.0
LOOP_SECONDS: Final = 2.0
_WORDS: Final[Mapping[Kind, str]] = {
    "silence": "silent",
    "clipping": "clipped",
    "loop": "stuck in a loop",
}
_FRAME_SECONDS: Final = 0.05
_CLIP_LEVEL: Final = 0.999
_CLIP_RUN: Final = 3  # samples in a row at full scale; one alone is no clipping
_CLIP_RUNS: Final = 4
_LOOP_MATCH: Final = 0.95
_LOOP_PERIODS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A stretch that is probably not meant to sound as it does; times in seconds."""

    kind: Kind
    start: float
    end: float

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> Fault:
        """Return a fault of a stored report."""
        kinds = {str(kind): kind for kind in _WORDS}
        start, end = (float(str(found[name])) for name in ("start", "end"))
        return cls(kind=kinds[str(found["kind"])], start=start, end=end)

    def in_words(self) -> str:
        """Return what it is and where."""
        what = _WORDS[self.kind]
        return f"{what} from {self.start:.1f} to {self.end:.1f} s"


def find_faults(audio: Audio, codes: npt.NDArray[np.int64], code_rate: float) -> list[Fault]:
    """Return the faults of a decoded take, by time.

    Args:
        audio: what it sounds like.
        codes: [n] its top-level codes.
        code_rate: codes per second.
    """
    samples = to_mono(audio).samples[0]
    silent = _silences(samples, audio.sample_rate)
    found = [*silent, *_clipping(samples, audio.sample_rate)]
    found += [
        loop
        for loop in _loops(codes, code_rate)
        if not any(s.start < loop.end and loop.start < s.end for s in silent)
    ]
    return sorted(found, key=lambda fault: (fault.start, fault.kind))


def _silences(samples: npt.NDArray[np.float32], rate: int) -> list[Fault]:
    frame = max(1, round(_FRAME_SECONDS * rate))
    n = len(samples) // frame
    power = np.square(samples[: n * frame], dtype=np.float64).reshape(n, frame).mean(axis=1)
    quiet = power < 10 ** (SILENCE_DB / 10)
    return [
        Fault(kind="silence", start=a * frame / rate, end=b * frame / rate)
        for a, b in _stretches(quiet)
        if (b - a) * frame / rate >= SILENCE_SECONDS
    ]


def _clipping(samples: npt.NDArray[np.float32], rate: int) -> list[Fault]:
    runs = [(a, b) for a, b in _stretches(np.abs(samples) >= _CLIP_LEVEL) if b - a >= _CLIP_RUN]
    if len(runs) < _CLIP_RUNS:
        return []
    return [Fault(kind="clipping", start=runs[0][0] / rate, end=runs[-1][1] / rate)]


def _loops(codes: npt.NDArray[np.int64], rate: float) -> list[Fault]:
    """Return stretches in which codes repeat at a fixed distance of up to a second."""
    least = round(LOOP_SECONDS * rate)
    best: Fault | None = None
    for period in range(1, max(2, round(rate)) + 1):
        length = max(least, _LOOP_PERIODS * period)
        if len(codes) < length + period:
            break
        same = (codes[period:] == codes[:-period]).astype(np.float64)
        total = np.concatenate([[0.0], np.cumsum(same)])
        share = (total[length:] - total[:-length]) / length
        hits = np.flatnonzero(share >= _LOOP_MATCH)
        if len(hits):
            start, end = int(hits[0]), int(hits[-1]) + length + period
            if best is None or end - start > (best.end - best.start) * rate:
                best = Fault(kind="loop", start=start / rate, end=end / rate)
    return [] if best is None else [best]


def _stretches(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

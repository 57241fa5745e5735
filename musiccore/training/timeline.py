"""Which piece of which file a training item is.

Paper: none; data handling of the released program. `docs/model.md`, "Training".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from musiccore.errors import CodesError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Files laid end to end and cut into items of equal length.

    Attributes:
        durations: samples per file, each at least `sample_length`.
        sample_length: samples per item; even, or an item at a boundary may end one sample late.
    """

    durations: tuple[int, ...]
    sample_length: int
    ends: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        if self.sample_length < 1 or any(d < self.sample_length for d in self.durations):
            raise CodesError(
                f"items of {self.sample_length} samples do not fit files of {self.durations}"
            )
        object.__setattr__(self, "ends", tuple(accumulate(self.durations)))

    def __len__(self) -> int:
        return sum(self.durations) // self.sample_length

    def locate(self, item: int, *, shift: int = 0) -> tuple[int, int]:
        """Return file and first sample inside it of an item, moved so that one file holds it all.

        Args:
            item: 0 to len - 1.
            shift: samples to move by, within half an item, for augmentation.
        """
        length, half = self.sample_length, self.sample_length // 2
        begin = item * length + shift
        index = min(bisect_left(self.ends, begin + half), len(self.durations) - 1)
        end = self.ends[index]
        start = end - self.durations[index]
        if begin > end - length:
            begin = max(start, begin - half)
        elif begin < start:
            begin = min(end - length, begin + half)
        return index, begin - start

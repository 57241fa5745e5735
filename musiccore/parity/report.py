"""Golden files, what was compared of them, and the report.

Tolerance: integers exactly; floats within `1e-4 * max(1, largest expected magnitude)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from musiccore.errors import CheckpointError
from musiccore.parity.published import Hyper

TOLERANCE = 1e-4
_LISTED = 3  # names that one note lists at most


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One line of the report.

    Attributes:
        case: file, and the part of it where it has several.
        compared: expected values that were compared: tensors, or entries of a table.
        deviation: largest difference, relative to the largest expected magnitude (at least 1).
        note: what failed, or what is special.
    """

    case: str
    compared: int
    deviation: float
    passed: bool
    note: str = ""

    def as_json(self) -> dict[str, str | int | float | bool | None]:
        """Return JSON values; a deviation that is no finite number is None."""
        return {
            "case": self.case,
            "compared": self.compared,
            "deviation": self.deviation if isfinite(self.deviation) else None,
            "passed": self.passed,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """All lines; passed only if each of them did and there is one at least."""

    rows: tuple[CaseResult, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was compared and agrees."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def compared(self) -> int:
        """Expected values compared in all."""
        return sum(row.compared for row in self.rows)


def failure(case: str, note: str) -> CaseResult:
    """Return the line of a case that could not be compared."""
    return CaseResult(case=case, compared=0, deviation=float("nan"), passed=False, note=note)


def deviation(found: Tensor, expected: Tensor) -> float:
    """Return the relative difference of two tensors; inf where shapes or infinities differ.

    Integers count with their full difference: any at all is a failure.
    """
    if found.shape != expected.shape:
        return float("inf")
    a, b = found.detach().cpu().double(), expected.double()
    endless = torch.isinf(b)
    if not torch.equal(a[endless], b[endless]):
        return float("inf")
    a, b = a[~endless], b[~endless]
    if not a.numel():
        return 0.0
    difference = float((a - b).abs().max())
    if difference != difference:  # NaN
        return float("inf")
    if not expected.is_floating_point():
        return difference
    return difference / max(1.0, float(b.abs().max()))


class Rows:
    """Collects comparisons into lines, in the order in which parts first appear."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._parts: dict[str, tuple[int, float, list[str]]] = {}

    def add(self, part: str, count: int, worst: float, failed: Iterable[str] = ()) -> None:
        """Add comparisons to the line of a part."""
        compared, largest, names = self._parts.get(part, (0, 0.0, []))
        self._parts[part] = (compared + count, max(largest, worst), [*names, *failed])

    def results(self) -> list[CaseResult]:
        """Return the lines."""
        return [
            CaseResult(
                case=f"{self.name}: {part}" if part else self.name,
                compared=compared,
                deviation=worst,
                passed=not failed and compared > 0,
                note=_listed("differs: ", failed) if compared else "nothing was compared",
            )
            for part, (compared, worst, failed) in self._parts.items()
        ]


class GoldenFile:
    """One `.safetensors` file: configuration, parameters, inputs, expected outputs.

    Args:
        path: of the file.

    Raises:
        CheckpointError: if it cannot be read or carries no configuration.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                metadata = file.metadata() or {}
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            config = json.loads(metadata["config"])
        except KeyError as error:
            raise CheckpointError("the file carries no entry `config` in its metadata") from error
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"the file cannot be read: {error}") from error
        self.config = Hyper(config, self.name)
        self.expected = [name for name in self.tensors if _is_output(name)]
        self._compared: set[str] = set()
        self._rows = Rows(self.name)

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with a prefix, without it."""
        cut = len(prefix)
        return {n[cut:]: t for n, t in self.tensors.items() if n.startswith(prefix)}

    def given(self, name: str) -> Tensor:
        """Return an input or parameter.

        Raises:
            CheckpointError: if the file lacks it.
        """
        if name not in self.tensors:
            raise CheckpointError(f"the file holds no {name!r}")
        tensor: Tensor = self.tensors[name]
        return tensor

    def maybe(self, name: str) -> Tensor | None:
        """Return an input, None if the file lacks it."""
        return self.tensors.get(name)

    def wants(self, *names: str) -> bool:
        """Return whether one of these outputs is expected."""
        return any(name in self.tensors for name in names)

    def compare(self, name: str, found: Tensor, *, part: str = "") -> None:
        """Compare an output with what the file expects, if it expects it at all."""
        expected = self.tensors.get(name)
        if expected is None:
            return
        worst = deviation(found, expected)
        limit = TOLERANCE if expected.is_floating_point() else 0.0
        new = name not in self._compared
        self._compared.add(name)
        failed = [] if worst <= limit else [name.replace("out/", "")]
        self._rows.add(part, int(new), worst, failed)

    def check(self, name: str, make: Callable[[], Tensor], *, part: str = "") -> None:
        """Compare an output that is computed only if the file expects it."""
        if name in self.tensors:
            self.compare(name, make(), part=part)

    def results(self, error: str = "") -> list[CaseResult]:
        """Return the lines of this file; what was not compared is a failing one.

        Args:
            error: why the comparison ended early.
        """
        rows = self._rows.results()
        left = [name for name in self.expected if name not in self._compared]
        if error or left or not self.expected:
            note = error or ("" if self.expected else "the file expects nothing")
            rows.append(failure(self.name, "; ".join(filter(None, [note, _left(left)]))))
        return rows


def _is_output(name: str) -> bool:
    return name.startswith("out/") or "/out/" in name


def _left(names: list[str]) -> str:
    return _listed(f"{len(names)} not compared: ", names) if names else ""


def _listed(lead: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{lead}{', '.join(names[:_LISTED])}{more}"


class Table(Rows):
    """Comparisons of a JSON table, entry by entry."""

    def entry(self, part: str, label: object, found: object, expected: object) -> None:
        """Compare one value of one entry."""
        same = found == expected
        if isinstance(expected, float) and isinstance(found, int | float):
            same = abs(found - expected) <= TOLERANCE * max(1.0, abs(expected))
        self.add(part, 1, 0.0 if same else float("inf"), [] if same else [str(label)])

"""One measured gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Comparison = Literal[">=", "<="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A measured value, what it must be, and what trivial alternatives score.

    Attributes:
        gate: name.
        value: what was measured.
        comparison, bound: the requirement, such as `>=` 0.5.
        controls: the same measure of alternatives that should fail.
        unit: of the value.
        aim: what a better model of this size should reach; not required.
    """

    gate: str
    value: float
    comparison: Comparison
    bound: float
    controls: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    aim: float | None = None

    @property
    def require(self) -> str:
        """The requirement in words."""
        return f"{self.comparison} {self.bound:g}"

    @property
    def passed(self) -> bool:
        """Whether the value meets the requirement; NaN never does."""
        if self.comparison == ">=":
            return self.value >= self.bound
        return self.value <= self.bound

    def as_json(self) -> dict[str, object]:
        """Return the gate as plain JSON values."""
        return {
            "gate": self.gate,
            "value": round(self.value, 4),
            "unit": self.unit,
            "require": self.require,
            "aim": self.aim,
            "controls": {name: round(value, 4) for name, value in self.controls.items()},
            "passed": self.passed,
        }

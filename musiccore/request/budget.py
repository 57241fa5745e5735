"""What of a plan fits into a budget of time, and what is left: windows and time per level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from musiccore.request.plan import LevelCost, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFit:
    """What of one level fits.

    Attributes:
        windows: all of them.
        fit_low, fit_high: windows done in time, if all goes slowly, and if all goes fast.
    """

    level: int
    windows: int
    fit_low: int
    fit_high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What of a plan fits into a budget.

    Attributes:
        seconds: the budget.
        whole: whether everything fits.
        levels: top level first, as they are made.
        left_low, left_high: seconds that remain for another session.
    """

    seconds: float
    whole: Literal["yes", "maybe", "no"]
    levels: tuple[LevelFit, ...]
    left_low: float
    left_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLeft:
    """What is left of one level.

    Attributes:
        windows: that are left.
        seconds_low, seconds_high: that they should take.
    """

    level: int
    windows: int
    seconds_low: float
    seconds_high: float


def fit_into(plan: Plan, seconds: float) -> Fit:
    """Return what of a plan fits into a budget; levels follow each other from the top down."""
    start_low = plan.seconds_low - sum(cost.seconds_low for cost in plan.levels)
    start_high = plan.seconds_high - sum(cost.seconds_high for cost in plan.levels)
    slow, fast = seconds - start_high, seconds - start_low
    levels = []
    for cost in reversed(plan.levels):
        fit_low, slow = _windows(cost, cost.seconds_high, slow)
        fit_high, fast = _windows(cost, cost.seconds_low, fast)
        levels.append(
            LevelFit(level=cost.level, windows=cost.windows, fit_low=fit_low, fit_high=fit_high)
        )
    whole: Literal["yes", "maybe", "no"] = "yes"
    if plan.seconds_high > seconds:
        whole = "no" if plan.seconds_low > seconds else "maybe"
    return Fit(
        seconds=seconds,
        whole=whole,
        levels=tuple(levels),
        left_low=round(max(0.0, plan.seconds_low - seconds), 2),
        left_high=round(max(0.0, plan.seconds_high - seconds), 2),
    )


def what_is_left(plan: Plan, windows_left: Mapping[int, int]) -> tuple[LevelLeft, ...]:
    """Return how long the windows that are left take, top level first; none for finished levels.

    Args:
        plan: says what a window of each level takes.
        windows_left: level → windows that are not done.
    """
    found = []
    for cost in reversed(plan.levels):
        left = windows_left.get(cost.level, 0)
        if left and cost.windows:
            part = left / cost.windows
            found.append(
                LevelLeft(
                    level=cost.level,
                    windows=left,
                    seconds_low=cost.seconds_low * part,
                    seconds_high=cost.seconds_high * part,
                )
            )
    return tuple(found)


def _windows(cost: LevelCost, seconds: float, budget: float) -> tuple[int, float]:
    """Return how many windows fit, and the budget after them."""
    if cost.windows == 0 or budget <= 0:
        return 0, budget
    each = seconds / cost.windows
    fit = min(cost.windows, int(budget / each)) if each else cost.windows
    return fit, budget - fit * each if fit == cost.windows else 0.0

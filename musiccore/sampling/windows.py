"""Which windows take a level from what is known to what is wanted: pure integers.

Paper: "Sampling", windowed sampling and primed sampling. `docs/model.md`, "Windows".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from musiccore.errors import CodesError


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One context of a prior: codes [start, end) of a level.

    Attributes:
        index: number of the window in the whole plan of its level; resuming does not change it.
        start, end: absolute positions of codes at this level.
        known: codes inside [start, end) that are there already; the prior is primed with them.
        stop: end of the new codes where they end before the window, since what follows is there
            already; None otherwise.
    """

    index: int
    start: int
    end: int
    known: int
    stop: int | None = None

    @property
    def new(self) -> int:
        """Codes that this window adds."""
        return (self.end if self.stop is None else self.stop) - self.start - self.known

    @property
    def first_new(self) -> int:
        """Absolute position of the first code that this window adds."""
        return self.start + self.known


def window_starts(n_codes: int, n_ctx: int, window_hop: int) -> list[int]:
    """Return where the windows of a level start.

    Args:
        n_codes: codes wanted, at least `n_ctx`.
        n_ctx: context length of the prior, in codes.
        window_hop: codes between window starts, 1 to `n_ctx`.

    Returns:
        Starts in sampling order; the last is pulled back so that its window ends at `n_codes`.

    Raises:
        CodesError: if `window_hop` is outside 1 to `n_ctx`, or `n_codes` is below `n_ctx`.

    Paper: "Sampling", windowed sampling.
    """
    if not 1 <= window_hop <= n_ctx:
        raise CodesError(
            f"window_hop is {window_hop}; it must be 1 to {n_ctx}, the context length",
            hint="a smaller hop gives each window more context and takes longer",
        )
    if n_codes < n_ctx:
        raise CodesError(f"n_codes is {n_codes}; a full window holds {n_ctx} codes")
    last = n_codes - n_ctx
    return [min(start, last) for start in range(0, last + window_hop, window_hop)]


def plan_windows(n_codes: int, n_ctx: int, window_hop: int, *, n_known: int = 0) -> list[Window]:
    """Plan the windows that take one level from `n_known` to `n_codes` codes.

    Args:
        n_codes: codes wanted at this level.
        n_ctx: context length of the prior, in codes.
        window_hop: codes between window starts, 1 to `n_ctx`.
        n_known: codes already there, from a primer or an interrupted run.

    Returns:
        Windows in sampling order, the last pulled back to end at `n_codes` (a single shorter one if
        `n_codes < n_ctx`); each position from `n_known` on is new exactly once. Windows without a
        new code are left out, and the others keep their index.

    Raises:
        CodesError: if `window_hop` is outside 1 to `n_ctx`, or a count is negative.

    Paper: "Sampling", windowed sampling. Deviation: a level shorter than one window ends at
    `n_codes` even when it is primed; the released program adds `n_codes` to the primer there.
    """
    if n_codes < 0 or n_known < 0:
        raise CodesError(f"n_codes is {n_codes} and n_known is {n_known}; both must be at least 0")
    if n_codes < n_ctx:
        window_starts(n_ctx, n_ctx, window_hop)  # the hop is checked in every case
        spans = [(0, n_codes)]
    else:
        spans = [(start, start + n_ctx) for start in window_starts(n_codes, n_ctx, window_hop)]
    windows: list[Window] = []
    present = n_known
    for index, (start, end) in enumerate(spans):
        if end > present:
            windows.append(Window(index=index, start=start, end=end, known=present - start))
            present = end
    return windows


def plan_holes(
    n_codes: int, n_ctx: int, window_hop: int, holes: Sequence[tuple[int, int]]
) -> list[Window]:
    """Plan the windows that fill the holes of a level in which everything else is there.

    They are those of `plan_windows`, with the same numbers; where a hole ends inside a window, only
    its codes up to there are new.

    Args:
        n_codes: codes of the level, at least `n_ctx`.
        n_ctx: context length of the prior, in codes.
        window_hop: codes between window starts, 1 to `n_ctx`.
        holes: [start, end) each, ascending and apart.

    Raises:
        CodesError: if the hop does not fit, or a hole lies outside.
    """
    windows: list[Window] = []
    starts = window_starts(n_codes, n_ctx, window_hop)
    for first, last in holes:
        if not 0 <= first <= last <= n_codes:
            raise CodesError(f"codes {first} to {last} are no stretch of {n_codes} codes")
        present = first
        for index, start in enumerate(starts):
            end = start + n_ctx
            if end > present and present < last:
                stop = min(end, last)
                windows.append(
                    Window(
                        index=index,
                        start=start,
                        end=end,
                        known=present - start,
                        stop=stop if stop < end else None,
                    )
                )
                present = stop
    return windows


def island_windows(
    n_codes: int, n_ctx: int, window_hop: int, first: int, last: int
) -> list[Window]:
    """Return the windows of the whole plan that cover a stretch, sampled with nothing before it.

    At the beginning of a level these are its first windows as they are in any case. Further on the
    first window has no context to its left.

    Args:
        n_codes: codes of the level, at least `n_ctx`.
        n_ctx: context length of the prior, in codes.
        window_hop: codes between window starts, 1 to `n_ctx`.
        first, last: the stretch, [first, last).

    Raises:
        CodesError: if the hop does not fit, or the stretch lies outside.
    """
    if not 0 <= first < last <= n_codes:
        raise CodesError(f"codes {first} to {last} are no stretch of {n_codes} codes")
    whole = plan_holes(n_codes, n_ctx, window_hop, [(0, n_codes)])
    under = [window for window in whole if window.first_new < last and window.end > first]
    return [replace(under[0], known=0), *under[1:]]


def partial_window(n_known: int, n_new: int, n_ctx: int) -> Window:
    """Return the window that adds `n_new` codes to the `n_known` present ones.

    It keeps as much context as fits: all of it while `n_known + n_new` is at most `n_ctx`, then the
    last `n_ctx - n_new` codes.

    Args:
        n_known: codes already there at this level.
        n_new: codes to add, 1 to `n_ctx`.
        n_ctx: context length of the prior, in codes.

    Raises:
        CodesError: if `n_new` is outside 1 to `n_ctx`, or `n_known` is negative.

    Paper: the published notebook on co-composition.
    """
    if not 1 <= n_new <= n_ctx or n_known < 0:
        raise CodesError(
            f"{n_new} new codes after {n_known} known ones do not fit a window of {n_ctx}",
            hint=f"add 1 to {n_ctx} codes at a time",
        )
    start = max(0, n_known + n_new - n_ctx)
    return Window(index=0, start=start, end=n_known + n_new, known=n_known - start)


def upper_span(start: int, n_ctx: int, factor: int) -> tuple[int, int]:
    """Return the span of upper codes that condition a window of an upsampler.

    Args:
        start: first code of the window at this level.
        n_ctx: context length of the upsampler, in codes.
        factor: codes of this level per upper code.

    Returns:
        [first, end) in codes of the level above.

    Raises:
        CodesError: if the window does not begin and end on an upper code.

    Paper: "Sampling", upsampling.
    """
    if start % factor or n_ctx % factor:
        raise CodesError(
            f"a window of {n_ctx} codes from code {start} does not fit upper codes of {factor}",
            hint=f"window_hop and n_ctx must be multiples of {factor}",
        )
    return start // factor, (start + n_ctx) // factor


def pieces(total: int, size: int) -> list[int]:
    """Split `total` into pieces of `size`, the last one shorter; batches and priming chunks.

    Raises:
        CodesError: if `size` is below 1.
    """
    if size < 1:
        raise CodesError(f"the size of a piece is {size}; it must be at least 1")
    return [min(size, total - done) for done in range(0, total, size)]

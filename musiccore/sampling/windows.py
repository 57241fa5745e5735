"""Which windows take a level from what is known to what is wanted: pure integers.

Paper: "Sampling", windowed sampling and primed sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.errors import CodesError


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One context of a prior: codes [start, end) of a level.

    Attributes:
        index: number of the window in the whole plan of its level; resuming does not change it.
        start, end: absolute positions of codes at this level.
        known: codes inside [start, end) that are there already; the prior is primed with them.
    """

    index: int
    start: int
    end: int
    known: int

    @property
    def new(self) -> int:
        """Codes that this window adds."""
        return self.end - self.start - self.known

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

"""Progress of songs that are made together, shown as one."""

from __future__ import annotations

from musiccore.work.progress import Reporter, Status


class Ensemble:
    """Adds up what several songs report and shows the sum.

    Args:
        to: shows it.
    """

    def __init__(self, to: Reporter) -> None:
        self._to = to
        self._last: dict[tuple[int, str], Status] = {}

    def song(self, name: str) -> Reporter:
        """Return where one song reports.

        Args:
            name: begins its sentences.
        """
        return _Part(self, name)

    def leave(self, name: str) -> None:
        """Forget what a song has not finished, for it will report no more."""
        for key in [key for key in self._last if key[1] == name]:
            if self._last[key].codes_done < self._last[key].codes:
                del self._last[key]

    def say(self, name: str, text: str) -> None:
        """Show one sentence about a song."""
        self._to.say(f"{name}: {text}")

    def level(self, name: str, status: Status, *, window_done: bool) -> None:
        """Show where all songs that are at work on a level stand."""
        self._last[status.level, name] = status
        parts = [part for (level, _), part in self._last.items() if level == status.level]
        self._to.level(together(parts), window_done=window_done)


def together(parts: list[Status]) -> Status:
    """Return the sum of what several songs report of one level; times are those of the last one."""
    speeds = [part.codes_per_second for part in parts if part.codes_per_second is not None]
    busy = [part for part in parts if part.seconds_low is not None and part.codes_done < part.codes]
    return Status(
        level=parts[0].level,
        window=min(part.window for part in parts),
        windows=max(part.windows for part in parts),
        codes=sum(part.codes for part in parts),
        codes_done=sum(part.codes_done for part in parts),
        codes_per_second=sum(speeds) if speeds else None,
        seconds_low=max((part.seconds_low or 0.0 for part in busy), default=None),
        seconds_high=max((part.seconds_high or 0.0 for part in busy), default=None),
        reason=next((part.reason for part in parts if part.reason), ""),
    )


class _Part:
    """One song of an ensemble."""

    def __init__(self, ensemble: Ensemble, name: str) -> None:
        self._ensemble = ensemble
        self._name = name

    def say(self, text: str) -> None:
        """Show one sentence."""
        self._ensemble.say(self._name, text)

    def level(self, status: Status, *, window_done: bool) -> None:
        """Show where a level stands."""
        self._ensemble.level(self._name, status, window_done=window_done)

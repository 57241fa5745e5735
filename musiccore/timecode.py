"""Times as people write them: `4s`, `0:04`, `1:02.5`, `0:04-0:09`, `3@0:00-0:04+5@0:04-0:09`."""

from __future__ import annotations

import re

from musiccore.errors import ConfigError

_CLOCK = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,3}):)?(\d{1,5}(?:\.\d{1,6})?)\s*s?", re.ASCII)
_HOURS = re.compile(
    r"(?:(?:(\d{1,4}(?:\.\d+)?)\s*h)?\s*(?:(\d{1,5}(?:\.\d+)?)\s*m(?:in)?)?|(\d{1,4}(?:\.\d+)?))",
    re.ASCII,
)
_RANGE = re.compile(r"\s*([^\s-]+)\s*[-–]\s*([^\s-]+)\s*")
_PART = re.compile(r"\s*(?:take\s*)?(\d{1,6})\s*@(.+)", re.ASCII)


def parse_seconds(text: str, field: str) -> float:
    """Return a time or length in seconds.

    Args:
        text: `4`, `4s`, `0:04`, `1:02.5` or `1:00:00`.
        field: its name in the message.

    Raises:
        ConfigError: if it is none of these.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{field} is {text[:60]!r}", hint="write a time as 4s, 0:04 or 1:02.5")
    hours, minutes, seconds = found.groups()
    if (minutes and float(seconds) >= 60) or (hours and int(minutes) >= 60):
        raise ConfigError(
            f"{field} is {text[:60]!r}", hint="after a colon, minutes and seconds go up to 59"
        )
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def parse_hours(text: str, field: str) -> float:
    """Return a time in hours.

    Args:
        text: `12h`, `90m`, `11h40m`, or a plain number of hours.
        field: its name in the message.

    Raises:
        ConfigError: if it is none of these.
    """
    found = _HOURS.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ConfigError(f"{field} is {text[:60]!r}", hint="write a time as 12h, 90m or 11h40m")
    hours, minutes, plain = found.groups()
    return float(plain or hours or 0) + float(minutes or 0) / 60


def parse_range(text: str, field: str) -> tuple[float, float]:
    """Return start and end of a stretch in seconds.

    Raises:
        ConfigError: if it is not a range, or ends before it starts.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ConfigError(f"{field} is {text[:60]!r}", hint="write a range as 0:04-0:09")
    start, end = (parse_seconds(part, field) for part in found.groups())
    if start >= end:
        raise ConfigError(f"{field} is {text[:60]!r}; it ends before it starts")
    return start, end


def parse_parts(text: str, field: str) -> list[dict[str, float]]:
    """Return the stretches of a splice.

    Args:
        text: take and range, joined by `+`: `3@0:00-0:04+5@0:04-0:09`.
        field: its name in the message.

    Raises:
        ConfigError: if it is not written like this.
    """
    parts: list[dict[str, float]] = []
    for piece in text.split("+"):
        found = _PART.fullmatch(piece)
        if found is None:
            raise ConfigError(
                f"{field} is {text[:60]!r}", hint="write it as 3@0:00-0:04+5@0:04-0:09"
            )
        start, end = parse_range(found[2], field)
        parts.append({"take": int(found[1]), "start": start, "end": end})
    return parts


def clock(seconds: float) -> str:
    """Return a time as `m:ss`, with tenths where there are any."""
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}:{rest:05.2f}".removesuffix(".00")


def whole_clock(seconds: float) -> str:
    """Return a time as `m:ss`, without what is left of the last second."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def length(seconds: float) -> str:
    """Return how long something is, as a person says it: `5.0 s`, `1:02`."""
    return f"{seconds:.1f} s" if seconds < 10 else clock(round(seconds))


def span(low: float, high: float) -> str:
    """Return a range of time as a person says it: `5 to 40 s`, `1.5 to 3.0 min`, `2.0 to 3.1 h`.

    Args:
        low: seconds.
        high: seconds.
    """
    if high < 120:
        return f"{low:.0f} to {high:.0f} s"
    unit, one = ("min", 60) if high < 7200 else ("h", 3600)
    return f"{low / one:.1f} to {high / one:.1f} {unit}"

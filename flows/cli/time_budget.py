"""Budgets of time on the command line: `--until`, and the note for the next session."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from flows.cli.output import range_text
from musiccore.errors import ConfigError
from musiccore.models.config import ModelConfig
from musiccore.models.machine import Machine
from musiccore.request.budget import LevelLeft, what_is_left
from musiccore.request.plan import DeviceKind, Plan
from musiccore.request.request import GenerationRequest
from musiccore.runs import primer_audio
from musiccore.runs.calibrate import known_speeds
from musiccore.runs.status import RunStatus
from musiccore.storage.store import Store
from musiccore.takes.takes import Facts
from musiccore.timecode import parse_hours
from musiccore.work.stop import until


def budget_seconds(options: Namespace) -> float | None:
    """Return the budget of `--until` in seconds, None without one.

    Raises:
        ConfigError: if it cannot be read or is no time at all.
    """
    text = getattr(options, "until", None)
    if text is None:
        return None
    seconds = 3600 * parse_hours(text, "--until")
    if seconds <= 0:
        raise ConfigError(f"--until is {text!r}; it must be above 0")
    return seconds


@contextmanager
def session_budget(options: Namespace) -> Iterator[None]:
    """Give everything inside the time that `--until` says; nothing without it.

    Raises:
        ConfigError: if it cannot be read.
    """
    with until(budget_seconds(options), f"--until {getattr(options, 'until', None)}"):
        yield


def plan_of(
    store: Store,
    config: ModelConfig,
    request: GenerationRequest,
    machine: Machine,
    *,
    primer_samples: int | None = None,
) -> Plan:
    """Return the plan of a request on this machine, as it was measured or as its kind is.

    Args:
        store: that knows how fast the machine was.
        config: the model.
        request: that was checked.
        machine: this one.
        primer_samples: length of the primer at the model's rate; by default its file is read.
    """
    device: DeviceKind = "cuda" if machine.device.startswith("cuda") else "cpu"
    if primer_samples is None:
        primer_samples = primer_audio.primer_samples(request, config, ffmpeg=machine.ffmpeg)
    speeds = known_speeds(store, config, machine)
    return Plan.of(config, request, device=device, primer_samples=primer_samples, speeds=speeds)


def time_left(
    store: Store, facts: Facts, status: RunStatus, machine: Machine
) -> tuple[LevelLeft, ...]:
    """Return what is left of a run, top level first."""
    known = facts.primer_codes * facts.config.top.hop_length
    plan = plan_of(store, facts.config, facts.request, machine, primer_samples=known)
    left = {level.level: level.windows - level.windows_done for level in status.levels}
    return what_is_left(plan, left)


def hand_over(left: tuple[LevelLeft, ...]) -> str:
    """Return what the next session has before it, in one line."""
    parts = [
        f"level {part.level}: {part.windows} {'window' if part.windows == 1 else 'windows'}, "
        f"{range_text(part.seconds_low, part.seconds_high)}"
        for part in left
    ]
    return f"left: {'; '.join(parts)}" if parts else "left: only the files to deliver"

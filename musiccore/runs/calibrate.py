"""How fast this machine is with a model: measured in a minute, kept in the store, used by plans.

    speeds/<model>-<machine>.json

The name of the machine is a digest of what decides its speed, so the next rented one of the same
kind need not be measured again, and another kind never uses these numbers.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from musiccore.errors import Corrupt, NotFound, StorageError
from musiccore.models.config import ModelConfig
from musiccore.models.labels import labellers
from musiccore.models.loading import Models, cpu_count
from musiccore.models.machine import Machine
from musiccore.request.speed import LevelSpeed, Speeds, spread_of
from musiccore.sampling.windows import Window
from musiccore.storage.store import Store

if TYPE_CHECKING:
    from musiccore.sampling.sampler import CodeModel

FOLDER: Final = "speeds"
_MAX_BYTES: Final = 1 << 20
_BLOCKS: Final = 8  # parts of a measurement, to see how they differ
_PRIMED: Final = 256  # known codes, and codes to decode, that tell how long more of them take
_LONGEST: Final = 4.0  # seconds of steps; more of them tell nothing new

Clock = Callable[[], float]


def known_speeds(store: Store, config: ModelConfig, machine: Machine) -> Speeds | None:
    """Return what was measured on a machine like this one, None if nothing was."""
    stored = [key for key in store.list(FOLDER) if key.startswith(f"{FOLDER}/{config.name}-")]
    if not stored:
        return None  # without looking for the device, which takes a second
    try:
        data = store.get(_key(config, _name(Models(config, machine))), limit=_MAX_BYTES)
        return Speeds.from_bytes(data)
    except (NotFound, Corrupt):  # what cannot be read is measured again
        return None


def calibrate(
    store: Store,
    config: ModelConfig,
    machine: Machine,
    *,
    seconds: float = 60.0,
    say: Callable[[str], None] = lambda _: None,
    clock: Clock = time.monotonic,
) -> Speeds:
    """Measure this machine with a model, and keep the result.

    Levels are measured from the bottom up, since the bottom takes most of the time. A level whose
    turn does not come within the budget stays unmeasured.

    Args:
        store: where it is kept.
        config: the model; its weights are here.
        machine: this one.
        seconds: budget of time; a level that was begun is finished, loading included.
        say: told what is being measured.
        clock: monotonic seconds.

    Raises:
        CheckpointError, DeviceError: if the model cannot be used here.
    """
    models, end = Models(config, machine), clock() + seconds
    levels: list[LevelSpeed] = []
    for level in range(config.levels):
        left = end - clock()
        if left <= 0:
            break
        say(f"measuring level {level} of {config.levels}")
        share = min(_LONGEST, left / (3 * (config.levels - level)))
        levels.append(_measure(models, level, share, clock))
    models.drop_prior()
    name = _name(models)
    speeds = Speeds(
        model=config.name,
        machine=name,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        levels=tuple(levels),
    )
    try:
        store.put(_key(config, name), speeds.to_bytes())
    except StorageError as error:
        say(f"what was measured is not kept: {error.message}")
    return speeds


def _name(models: Models) -> str:
    """Return what decides the speed, in words."""
    facts = {**models.numerics()}
    if models.device.type == "cpu":
        facts |= {"host": platform.node(), "processors": cpu_count()}
    return ", ".join(f"{name} {value}" for name, value in sorted(facts.items()))


def _key(config: ModelConfig, machine: str) -> str:
    return f"{FOLDER}/{config.name}-{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"


def _measure(models: Models, level: int, seconds: float, clock: Clock) -> LevelSpeed:
    from musiccore.sampling.sampler import open_model

    prior = models.prior(level)
    known = min(prior.config.n_ctx // 2, _PRIMED)
    with open_model(prior, 1, models.dtype) as model:
        _window(models, model, level, 0, 0.0, clock)  # the first one warms up
        start, steps = _window(models, model, level, 0, seconds, clock)
        primed, _ = _window(models, model, level, known, 0.0, clock)
    one = sum(steps) / len(steps)
    more, rows = one, min(4, models.config.max_batch[level])
    if rows > 1:
        with open_model(prior, rows, models.dtype) as model:
            _, together = _window(models, model, level, 0, seconds / 2, clock, rows=rows)
        more = sum(together) / len(together)
    return LevelSpeed(
        level=level,
        step_seconds=one,
        row_seconds=max(0.0, more - one) / max(1, rows - 1),
        start_seconds=start,
        prime_seconds=max(0.0, primed - start) / known,
        decode_seconds=_decoding(models, level, known, clock),
        spread=spread_of(_blocks(steps)),
    )


def _window(
    models: Models,
    model: CodeModel,
    level: int,
    known: int,
    seconds: float,
    clock: Clock,
    *,
    rows: int = 1,
) -> tuple[float, list[float]]:
    """Return the seconds until the first step of a window, and those of each step after it.

    The window ends after `seconds`, or after two steps if that is later.
    """
    from musiccore.sampling.sampler import LevelOptions, sample_window

    config = models.config.priors[level]
    window = Window(index=0, start=0, end=config.n_ctx, known=known)
    upper = None
    if config.upper_factor > 1:
        upper = np.zeros((rows, config.n_ctx // config.upper_factor), dtype=np.int64)
    ticks = [clock()]

    def on_step(done: int) -> None:
        ticks.append(clock())
        if len(ticks) > 2 and ticks[-1] - ticks[1] >= seconds:
            raise _Enough

    with suppress(_Enough):
        sample_window(
            model,
            window,
            np.zeros((rows, known), dtype=np.int64),
            upper,
            _labels(models, level, rows),
            LevelOptions(dtype=models.dtype),
            seed=0,
            takes=range(rows),
            on_step=on_step,
        )
    return ticks[1] - ticks[0], [b - a for a, b in pairwise(ticks[1:])]


class _Enough(Exception):
    """Ends a window that has told how long its steps take."""


def _labels(models: Models, level: int, rows: int) -> np.ndarray | None:
    config = models.config
    labeller = labellers(config, models.machine.labels, allow_unknown=True)[level]
    if labeller is None:
        return None
    time_rules = config.top.time
    seconds = 60.0 if time_rules is None else time_rules.min_seconds + 1
    whole = labeller.full("", "", "", round(seconds * config.vqvae.sample_rate))
    vector, _ = labeller.window_labels(whole, 0)
    return np.repeat(vector[None], rows, axis=0)


def _decoding(models: Models, level: int, n_codes: int, clock: Clock) -> float:
    """Return the seconds that one code of a level takes to become audio."""
    import torch

    codes = torch.zeros(1, n_codes, dtype=torch.int64, device=models.device)
    with torch.inference_mode():
        models.vqvae().decode(codes, level).cpu()  # the first one warms up
        began = clock()
        models.vqvae().decode(codes, level).cpu()
    return (clock() - began) / n_codes


def _blocks(steps: list[float]) -> list[float]:
    size = max(1, len(steps) // _BLOCKS)
    return [sum(steps[i : i + size]) / size for i in range(0, len(steps) - size + 1, size)]

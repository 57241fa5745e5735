"""Steps that make models."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.context import task_reporter
from tasks.policies import gpu_task

if TYPE_CHECKING:
    from musiccore.training.recipe import Stage, TrainingEvent

LINE_SECONDS = 30.0


@gpu_task(task_run_name="train-nano")
def train_nano(folder: str, out: str, stage: Stage | None, level: int | None, shorten: int) -> str:
    """Train nano from its data; what an earlier call finished is not done again.

    Args:
        folder: where data and checkpoints lie.
        out: where the weights go.
        stage: only this one; None for all.
        level: only this level of the stage; None for all.
        shorten: divides every number of steps.

    Returns:
        The folder of the weights.
    """
    from musiccore.training.recipe import NanoRecipe, one_thread

    one_thread()
    recipe = NanoRecipe(Path(folder), training_lines(task_reporter().say), shorten=shorten)
    recipe.run(Path(out), stage, level)
    return out


def training_lines(
    say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[TrainingEvent], None]:
    """Return what turns events of a training into lines, now and then.

    Args:
        say: told each line.
        clock: monotonic seconds.
    """
    last = -LINE_SECONDS

    def report(event: TrainingEvent) -> None:
        nonlocal last
        now = clock()
        ended = event.step == event.steps or event.held_out is not None
        if not ended and now - last < LINE_SECONDS:
            return
        last = now
        level = "" if event.level is None else f" level {event.level}"
        loss = "" if event.loss is None else f", loss {event.loss:.4f}"
        bits = "" if event.held_out is None else f", held out {event.held_out:.3f} bits"
        say(f"{event.stage}{level}: step {event.step} of {event.steps}{loss}{bits}")

    return report

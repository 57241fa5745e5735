"""A model from its data."""

from __future__ import annotations

from typing import Literal

from tasks.artifacts import show_table
from tasks.policies import durable_flow
from tasks.story import tell
from tasks.training import train_nano


@durable_flow(name="train", flow_run_name="train-{model}")
def train(
    model: Literal["nano"] = "nano",
    folder: str = "training",
    out: str = "training/nano",
    stage: Literal["all", "data", "codec", "polish", "encode", "prior", "export"] = "all",
    level: Literal["all", "0", "1", "2"] = "all",
    shorten: int = 1,
) -> str:
    """Train a model from its data; a run that was stopped continues where it stopped.

    Args:
        model: what to train.
        folder: where data and checkpoints lie, on the machine that does the work.
        out: where the weights go.
        stage: one stage only, or all.
        level: one level of the stage only, or all.
        shorten: divides every number of steps; more than 1 is a rehearsal.

    Returns:
        The folder of the weights.
    """
    tell(f"Trains {model} from {folder}.")
    weights = train_nano(
        folder,
        out,
        None if stage == "all" else stage,
        None if level == "all" else int(level),
        shorten,
    )
    tell(f"The weights lie in {weights}.")
    row = {"model": model, "stage": stage, "level": level, "weights": weights}
    show_table([row], key="trained", description=f"What was trained; the weights are in {weights}.")
    return weights

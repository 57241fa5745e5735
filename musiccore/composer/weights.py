"""Models and states of training as files: safetensors with facts inside, never half written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from musiccore.composer.network import Composer
from musiccore.composer.sizes import ComposerConfig
from musiccore.errors import CheckpointError
from musiccore.storage.atomic import replace_file

WEIGHTS = "model.safetensors"
CARD = "card.json"
SHIPPED = Path(__file__).parents[1] / "weights" / "chorales"
"""The chorale model of the package."""


def write_state(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors with facts about them."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    replace_file(path, save(contiguous, metadata={"facts": json.dumps(facts)}))


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and the facts about them.

    Raises:
        CheckpointError: if the file is missing or no such file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, facts
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"model: {str(path)!r} cannot be read: {error}",
            hint="give a folder that `jukeflow midi train` wrote",
        ) from error


def save_model(model: Composer, folder: Path, figures: dict[str, Any]) -> None:
    """Write weights in half precision, and what is known about them as JSON beside."""
    tensors = {name: p.detach().to(torch.float16) for name, p in model.named_parameters()}
    config = asdict(model.config)
    write_state(folder / WEIGHTS, tensors, {"config": config})
    card = {"config": config, "figures": figures}
    replace_file(folder / CARD, json.dumps(card, indent=2).encode() + b"\n")


def load_model(folder: Path | None = None) -> tuple[Composer, str]:
    """Load a model.

    Args:
        folder: where it lies; None for the one of the package.

    Returns:
        The model, ready to judge and draw, and the SHA-256 of its weights.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    path = (folder or SHIPPED) / WEIGHTS
    tensors, facts = read_state(path)
    try:
        config = ComposerConfig(**facts["config"])
        _check_sizes(config, tensors)
        model = Composer(config)
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"model: {str(path)!r} is no model of voices: {error}") from error
    return model.eval(), hashlib.sha256(path.read_bytes()).hexdigest()


def _check_sizes(config: ComposerConfig, tensors: Mapping[str, Tensor]) -> None:
    """Refuse sizes that the numbers in the file cannot fill, before memory is taken for them."""
    n_numbers = sum(tensor.numel() for tensor in tensors.values())
    recurrent = 4 * config.n_layers * config.width**2
    if max(recurrent, config.width * config.head_width) > n_numbers:
        raise RuntimeError(f"width {config.width} needs more than the {n_numbers} numbers in it")

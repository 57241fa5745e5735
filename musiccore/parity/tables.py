"""Tables of parameter names and shapes of the released models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from musiccore.errors import CheckpointError, ConfigError
from musiccore.models.config import PriorConfig, VQVAEConfig
from musiccore.models.presets import (
    released_prior_1b_lyrics,
    released_prior_5b,
    released_prior_5b_lyrics,
    released_upsampler,
    released_vqvae,
)
from musiccore.models.prior import Prior
from musiccore.models.published_names import our_name, published_name
from musiccore.models.vqvae import VQVAE
from musiccore.parity.report import CaseResult, ParityReport, failure

_LISTED = 3


def released() -> dict[str, VQVAEConfig | PriorConfig]:
    """Return the configuration of every released model, by the stem of its table."""
    return {
        "vqvae": released_vqvae(),
        "prior_level_0": released_upsampler(0),
        "prior_level_1": released_upsampler(1),
        "prior_level_2_5b": released_prior_5b(),
        "prior_level_2_5b_lyrics": released_prior_5b_lyrics(),
        "prior_level_2_1b_lyrics": released_prior_1b_lyrics(),
    }


def run_state_dicts(folder: Path) -> ParityReport:
    """Compare the parameters of every released model with its table, in both directions of names.

    Models are built on the meta device: no memory, no weights.

    Args:
        folder: with one JSON object per model, name → shape.

    Raises:
        ConfigError: if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"parity: {folder} is no folder")
    configs = released()
    rows: list[CaseResult] = []
    for stem, config in configs.items():
        path = folder / f"{stem}.json"
        if not path.exists():
            rows.append(failure(stem, f"{path.name} is missing"))
            continue
        try:
            rows.append(_compare(stem, config, _read(path)))
        except CheckpointError as error:
            rows.append(failure(stem, error.message))
    rows.extend(
        failure(path.stem, "not compared: no released model has this name")
        for path in sorted(folder.glob("*.json"))
        if path.stem not in configs
    )
    return ParityReport(rows=tuple(rows))


def is_table(content: object) -> bool:
    """Return whether JSON content is a table of names and shapes."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(
            isinstance(shape, list) and all(isinstance(n, int) for n in shape)
            for shape in content.values()
        )
    )


def _read(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {error}") from error
    if not is_table(content):
        raise CheckpointError(f"{path.name} is no table of names and shapes")
    return {name: tuple(shape) for name, shape in content.items()}


def _compare(
    stem: str, config: VQVAEConfig | PriorConfig, expected: Mapping[str, tuple[int, ...]]
) -> CaseResult:
    with torch.device("meta"):
        network = VQVAE(config) if isinstance(config, VQVAEConfig) else Prior(config)
    ours = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {published_name(name, config): shape for name, shape in ours.items()}
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    shapes = [name for name in expected if name in found and found[name] != expected[name]]
    back = {name: our_name(name, config) for name in expected if name in found}
    crossed = [
        name
        for name, mine in back.items()
        if mine not in ours or published_name(mine, config) != name
    ]
    if len(found) < len(ours):
        crossed.append(f"{len(ours) - len(found)} of ours share a published name")
    notes = [
        f"{len(names)} {what}: {', '.join(names[:_LISTED])}"
        for what, names in (
            ("missing", missing),
            ("superfluous", extra),
            ("of another shape", shapes),
            ("renamed differently back", crossed),
        )
        if names
    ]
    return CaseResult(
        case=stem,
        compared=len(expected),
        deviation=0.0 if not notes else float("inf"),
        passed=not notes,
        note="; ".join(notes),
    )

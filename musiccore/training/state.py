"""Training checkpoints: every tensor of a run in one safetensors file, replaced atomically."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from musiccore.storage.atomic import replace_file


class WeightAverage:
    """Exponential moving average of a module's parameters."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {n: p.detach().clone() for n, p in module.named_parameters()}

    @torch.no_grad()
    def update_(self, module: nn.Module) -> None:
        """Move the average towards the parameters."""
        for name, parameter in module.named_parameters():
            self.values[name].lerp_(parameter.detach(), 1 - self.decay)

    @torch.no_grad()
    def copy_to_(self, module: nn.Module) -> None:
        """Overwrite the parameters with their average."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.values[name])


def save_state(
    path: Path,
    step: int,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
    extra: dict[str, Tensor] | None = None,
) -> None:
    """Write step, parameters, buffers, optimiser moments and averages."""
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    tensors |= {f"model/{n}": p for n, p in module.named_parameters()}
    tensors |= {f"buffer/{n}": b for n, b in module.named_buffers()}
    tensors |= {f"average/{n}": v for n, v in average.values.items()}
    for name, parameter in module.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser/{key}/{name}"] = torch.as_tensor(value)
    tensors |= {f"extra/{n}": v for n, v in (extra or {}).items()}
    whole = {n: t.detach().contiguous().clone() for n, t in tensors.items()}
    replace_file(path, save(whole))


def load_state(
    path: Path,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
) -> tuple[int, dict[str, Tensor]]:
    """Read what `save_state` wrote.

    Returns:
        Steps done and the extra tensors; (0, {}) if there is no file.
    """
    if not path.exists():
        return 0, {}
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[f"model/{name}"])
            average.values[name] = tensors[f"average/{name}"]
            prefix, suffix = "optimiser/", f"/{name}"
            moments = {
                key.removeprefix(prefix).removesuffix(suffix): value
                for key, value in tensors.items()
                if key.startswith(prefix) and key.endswith(suffix) and key.count("/") == 2
            }
            if moments:
                optimiser.state[parameter] = dict(moments)
        for name, buffer in module.named_buffers():
            buffer.copy_(tensors[f"buffer/{name}"])
    extra = {k.removeprefix("extra/"): v for k, v in tensors.items() if k.startswith("extra/")}
    return int(tensors["step"]), extra

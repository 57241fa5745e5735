"""Models of this process: found, checked, and at most one prior in memory at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from musiccore.errors import CheckpointError, DeviceError
from musiccore.models.config import ModelConfig, PriorConfig, VQVAEConfig
from musiccore.models.machine import Machine

if TYPE_CHECKING:
    import torch
    from torch import nn

    from musiccore.models.prior import Prior
    from musiccore.models.vqvae import VQVAE

_SEED = 20200430
_OURS = Path(str(files("musiccore"))) / "weights"
Network = TypeVar("Network", bound="nn.Module")


def weights_path(model: str, network: VQVAEConfig | PriorConfig, machine: Machine) -> Path | None:
    """Return where the weights of one network are, None if they are not on this machine.

    The folder of released checkpoints has their own layout: `5b/vqvae.pth.tar`,
    `5b/prior_level_0.pth.tar`, `1b_lyrics/prior_level_2.pth.tar`; files may also lie flat.
    """
    stem = "vqvae" if isinstance(network, VQVAEConfig) else f"prior_level_{network.level}"
    folders = [_OURS / model]
    if machine.models is not None:
        shared = stem != "prior_level_2"  # the families differ in the top-level prior only
        folders += [machine.models / model]
        folders += [machine.models / "5b"] if shared else []
        folders += [machine.models]
    for folder in folders:
        for name in (f"{stem}.safetensors", f"{stem}.pth.tar"):
            if (folder / name).is_file():
                return folder / name
    return None


def networks(config: ModelConfig) -> tuple[VQVAEConfig | PriorConfig, ...]:
    """Return the configurations of all networks of a model."""
    return (config.vqvae, *config.priors)


def check_weights(config: ModelConfig, machine: Machine) -> None:
    """Check that every network of a model has weights here; reads none of them.

    Raises:
        CheckpointError: if one is missing; the message names the file.
    """
    if not config.trained:
        return
    for network in networks(config):
        if weights_path(config.name, network, machine) is None:
            raise _missing_weights(config, network)


def _missing_weights(config: ModelConfig, network: VQVAEConfig | PriorConfig) -> CheckpointError:
    return CheckpointError(
        f"model {config.name}: the weights of {network.name} are not on this machine",
        hint="set JUKEFLOW_MODELS to the folder that holds them; `jukeflow models list` shows what "
        "is missing",
    )


def choose_device(name: str) -> torch.device:
    """Return the torch device of a setting.

    Raises:
        DeviceError: if there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0]}",
            hint="set JUKEFLOW_DEVICE to cpu, or to auto",
        ) from error
    return device


class Models:
    """The networks of one model, loaded when they are asked for.

    Args:
        config: the model.
        machine: device, number type, threads, folders.
    """

    def __init__(self, config: ModelConfig, machine: Machine) -> None:
        import torch

        self.config = config
        self.machine = machine
        self.device = choose_device(machine.device)
        self.dtype: torch.dtype = getattr(torch, machine.dtype)
        self._digests: dict[str, str] = {}
        self._prior: Prior | None = None
        self._vqvae: VQVAE | None = None
        torch.set_num_threads(machine.threads)

    def digests(self) -> Mapping[str, str]:
        """Return name of each network → sha256 of its weights.

        Raises:
            CheckpointError: if weights are missing.
        """
        if not self._digests:
            self._digests = {item.name: self.digest(item) for item in networks(self.config)}
        return self._digests

    def numerics(self) -> dict[str, str | int]:
        """Return what else decides the numbers on this machine."""
        import torch

        if self.device.type == "cuda":
            kind = f"cuda {torch.cuda.get_device_name(self.device)}"
        else:
            kind = f"{self.device.type} {torch.backends.cpu.get_cpu_capability()}"
        return {
            "device": kind,
            "dtype": self.machine.dtype,
            "threads": self.machine.threads,
            "torch": torch.__version__,
        }

    def vqvae(self) -> VQVAE:
        """Return the VQ-VAE."""
        if self._vqvae is None:
            from musiccore.models.checkpoints import load_vqvae
            from musiccore.models.random_weights import tiny_vqvae

            config = self.config.vqvae
            path = self._weights(config)
            network = tiny_vqvae(seed=_SEED) if path is None else load_vqvae(config, path)
            self._vqvae = self._placed(network)
        return self._vqvae

    def prior(self, level: int) -> Prior:
        """Return the prior of a level; the one before leaves the memory."""
        config = self.config.priors[level]
        if self._prior is None or self._prior.config.name != config.name:
            from musiccore.models.checkpoints import load_prior
            from musiccore.models.random_weights import random_prior

            self.drop_prior()
            path = self._weights(config)
            network = random_prior(config, seed=_SEED) if path is None else load_prior(config, path)
            self._prior = self._placed(network)
        return self._prior

    def drop_prior(self) -> None:
        """Let the prior's memory go."""
        self._prior = None

    def _weights(self, network: VQVAEConfig | PriorConfig) -> Path | None:
        """Return the file of a network; None for the test model, whose weights are random."""
        path = weights_path(self.config.name, network, self.machine)
        if path is None and self.config.trained:
            raise _missing_weights(self.config, network)
        return path

    def digest(self, network: VQVAEConfig | PriorConfig) -> str:
        """Return the sha256 of the weights of one network.

        Raises:
            CheckpointError: if they are missing.
        """
        path = self._weights(network)
        if path is None:
            return hashlib.sha256(f"random {_SEED} {network!r}".encode()).hexdigest()
        stat = path.stat()
        return _file_sha256(path, stat.st_size, stat.st_mtime_ns)

    def _placed(self, network: Network) -> Network:
        import torch

        try:
            return network.to(self.device)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"model {self.config.name} does not fit into the memory of {self.device}",
                hint="close other programs, or set JUKEFLOW_DTYPE to float16",
            ) from error


@cache
def _file_sha256(path: Path, size: int, mtime: int) -> str:
    """Return the digest of a file of weights, which is read once as long as it stays as it is."""
    from musiccore.models.checkpoints import file_sha256

    return file_sha256(path)


def cpu_count() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Weights: read without code execution, digest checked first, renamed, loaded strictly.

Two file formats: safetensors, and the `.pth.tar` of the released program (read with PyTorch's
weights-only unpickler; there is no other way in). Two sets of names: ours and the published ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from musiccore.errors import CheckpointError
from musiccore.models.config import PriorConfig, VQVAEConfig
from musiccore.models.prior import Prior
from musiccore.models.prior.attention import Projection
from musiccore.models.published_names import NetworkConfig, our_name, published_name
from musiccore.models.vqvae import VQVAE

Value = TypeVar("Value")

_LISTED = 3  # names that one message lists at most
_READ_BYTES = 8 * 2**20
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
_MAX_HEADER_BYTES = 100 * 2**20  # of a safetensors file


# ------------------------------------------------------------------------------------------ tables


def published_table(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the published name and shape of every tensor of a network.

    The network is built on the meta device: no memory, no weights.
    """
    with torch.device("meta"):
        network = VQVAE(config) if isinstance(config, VQVAEConfig) else Prior(config)
    return {
        published_name(name, config): tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
    }


def to_our_names(state: Mapping[str, Value], config: NetworkConfig) -> dict[str, Value]:
    """Rename published parameters to ours.

    Raises:
        CheckpointError: if a name is no part of the network, or two names mean the same parameter.
    """
    return _rename(state, lambda name: our_name(name, config))


def to_published_names(state: Mapping[str, Value], config: NetworkConfig) -> dict[str, Value]:
    """Rename our parameters to the published names.

    Raises:
        CheckpointError: if a parameter has no published name.
    """
    return _rename(state, lambda name: published_name(name, config))


def _rename(state: Mapping[str, Value], name_of: Callable[[str], str]) -> dict[str, Value]:
    renamed: dict[str, Value] = {}
    for name, value in state.items():
        new = name_of(name)
        if new in renamed:
            raise CheckpointError(f"the checkpoint holds {new!r} twice")
        renamed[new] = value
    return renamed


# ----------------------------------------------------------------------------------------- reading


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        CheckpointError: if it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            raise CheckpointError(
                f"weights: {path} " + ("is no file" if path.exists() else "does not exist"),
                hint="give the path of a .safetensors or .pth.tar file",
            )
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(f"weights: {path} cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def read_state(path: Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """Read all tensors of a weights file, memory-mapped where the format allows it.

    Args:
        path: .safetensors or .pth.tar; the content decides, not the suffix.
        sha256: expected digest, compared before the file is opened; None: not compared.

    Returns:
        Tensors on the CPU, under the names in the file.

    Raises:
        CheckpointError: if the file is missing, another one, damaged, or holds more than tensors.
    """
    if sha256 is not None:
        found = file_sha256(path)
        if found != sha256.lower():
            raise CheckpointError(
                f"weights: {path} has sha256 {found[:12]}…, expected {sha256[:12].lower()}…",
                hint="the file is damaged or another one; fetch it again",
            )
    try:
        if not path.is_file():
            raise CheckpointError(
                f"weights: {path} " + ("is no file" if path.exists() else "does not exist"),
                hint="give the path of a .safetensors or .pth.tar file",
            )
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise CheckpointError(f"weights: {path} cannot be read ({error.strerror})") from error
    header = int.from_bytes(head[:8], "little")
    if head[8:] == b"{" and header <= min(size, _MAX_HEADER_BYTES):
        return _read_safetensors(path)
    if head.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)):
        return _read_torch(path, mapped=head.startswith(_ZIP_MAGIC))
    raise CheckpointError(
        f"weights: {path} is neither a safetensors nor a PyTorch file",
        hint="an interrupted download looks like this; fetch it again",
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"weights: {path} is damaged: {error}") from error


def _read_torch(path: Path, *, mapped: bool) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # PyTorch fails in many ways on damaged and on hostile files
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        raise CheckpointError(
            f"weights: {path} cannot be read as weights only: {type(error).__name__}: {reason}",
            hint="the file is damaged, or holds code or objects, which are never run",
        ) from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise CheckpointError(
            f"weights: {path} holds no state dict, neither by itself nor under the key 'model'"
        )
    return dict(state)


# ----------------------------------------------------------------------------------------- loading


def load_published(path: Path, network: VQVAE | Prior, *, sha256: str | None = None) -> None:
    """Load a checkpoint with published names into a network, strictly.

    Tensors take the dtype that the network's parameters have. A network on the meta device gets the
    tensors of the file themselves, without a copy where the dtype agrees.

    Args:
        path: `.pth.tar` of the released program or a conversion of it to safetensors.
        network: `VQVAE` or `Prior`, on the CPU or on the meta device.
        sha256: expected digest of the file; None: not compared.

    Raises:
        CheckpointError: if the file cannot be read, a name or shape differs, or tied matrices do.
    """
    state = read_state(path, sha256=sha256)
    load_state(network, to_our_names(state, network.config), source=str(path))


def load_weights(path: Path, network: VQVAE | Prior, *, sha256: str | None = None) -> None:
    """Load a weights file with our names, or with published ones, into a network, strictly.

    Raises:
        CheckpointError: as for `load_published`.
    """
    state = read_state(path, sha256=sha256)
    if not set(state) & set(network.state_dict()):
        state = to_our_names(state, network.config)
    load_state(network, state, source=str(path))


def load_vqvae(config: VQVAEConfig, path: Path, *, sha256: str | None = None) -> VQVAE:
    """Return a VQ-VAE with weights, ready for inference.

    Raises:
        CheckpointError: as for `load_published`.
    """
    network = VQVAE(config)
    load_weights(path, network, sha256=sha256)
    return network.eval().requires_grad_(False)


def load_prior(config: PriorConfig, path: Path, *, sha256: str | None = None) -> Prior:
    """Return a prior with weights, ready for inference, with one copy in memory at most.

    Matrices of the layers are half precision where the configuration says so.

    Raises:
        CheckpointError: as for `load_published`.
    """
    with torch.device("meta"):
        network = Prior(config)
    if config.half_weights:
        halve_(network)
    load_weights(path, network, sha256=sha256)
    return network.eval().requires_grad_(False)


def halve_(network: nn.Module) -> None:
    """Make the matrices of all projections half precision; biases and everything else stay."""
    for module in network.modules():
        if isinstance(module, Projection):
            module.weight = nn.Parameter(module.weight.detach().half(), requires_grad=False)


def save_weights(network: nn.Module, *, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a safetensors file with our names, tied matrices once each name."""
    state = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    seen: set[int] = set()
    for name, tensor in state.items():
        if tensor.data_ptr() in seen:
            state[name] = tensor.clone()  # safetensors refuses shared memory
        seen.add(tensor.data_ptr())
    return save(state, metadata=dict(metadata) if metadata else None)


def load_state(network: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Copy tensors with our names into a network; names and shapes must agree exactly.

    Raises:
        CheckpointError: if a name is missing or superfluous, a shape differs, or two tensors differ
            that are one tied matrix in this network.
    """
    wanted = network.state_dict(keep_vars=True)
    missing, extra = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    if missing or extra:
        raise CheckpointError(
            f"weights: {source} is not of this model: {_listed('missing', missing)}"
            f"{'; ' if missing and extra else ''}{_listed('superfluous', extra)}",
            hint="choose the model that these weights belong to",
        )
    first: dict[int, str] = {}
    for name, tensor in wanted.items():
        given = state[name]
        if given.shape != tensor.shape:
            raise CheckpointError(
                f"weights: {source} is not of this model: {name} is {list(given.shape)}, "
                f"expected {list(tensor.shape)}",
                hint="choose the model that these weights belong to",
            )
        tied = state[first.setdefault(id(tensor), name)]
        if tied is not given and not torch.equal(tied, given):
            raise CheckpointError(
                f"weights: {source} is not of this model: {name} and {first[id(tensor)]} differ, "
                "they are one tied matrix here"
            )
    made: dict[int, Tensor] = {}
    for prefix, module in network.named_modules():
        for name, tensor in [*module.named_parameters(recurse=False, remove_duplicate=False)]:
            _fill_parameter(module, name, tensor, state[f"{prefix}.{name}".lstrip(".")], made)
        for name, buffer in [*module.named_buffers(recurse=False)]:
            stored = state.get(f"{prefix}.{name}".lstrip("."))
            if buffer.is_meta:  # training sums are in no file
                real = torch.zeros(buffer.shape) if stored is None else stored
                setattr(module, name, real.to(buffer.dtype))
            elif stored is not None:
                buffer.copy_(stored)


def _fill_parameter(
    module: nn.Module, name: str, tensor: nn.Parameter, given: Tensor, made: dict[int, Tensor]
) -> None:
    """Copy one parameter in place, or put a real one where a meta one was, tied ones once."""
    if not tensor.is_meta:
        with torch.no_grad():
            tensor.copy_(given)
        return
    if id(tensor) not in made:
        made[id(tensor)] = nn.Parameter(given.to(tensor.dtype), requires_grad=False)
    setattr(module, name, made[id(tensor)])


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what} {', '.join(names[:_LISTED])}{more}"

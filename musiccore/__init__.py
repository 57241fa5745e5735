"""Music with Jukebox-class models: codes, priors, durable sampling. A library without a scheduler.

The names below are loaded when they are first used, so `import musiccore` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musiccore.audio.sound import Audio
    from musiccore.errors import (
        AudioError,
        CheckpointError,
        CodesError,
        ConditioningError,
        ConfigError,
        Corrupt,
        DeviceError,
        Fenced,
        Gone,
        MissingProgram,
        MusicCoreError,
        NotFound,
        StorageError,
        Unavailable,
    )
    from musiccore.journal.journal import Journal
    from musiccore.journal.manifest import Manifest, RunRecord
    from musiccore.models.codes import Codes
    from musiccore.models.config import ModelConfig, PriorConfig, VQVAEConfig
    from musiccore.models.presets import preset
    from musiccore.models.prior.model import Prior
    from musiccore.models.vqvae.model import VQVAE
    from musiccore.sampling.windows import Window, plan_windows
    from musiccore.storage.store import BlobRef, Store, open_store

__all__ = [
    "Audio",
    "AudioError",
    "BlobRef",
    "CheckpointError",
    "Codes",
    "CodesError",
    "ConditioningError",
    "ConfigError",
    "Corrupt",
    "DeviceError",
    "Fenced",
    "Gone",
    "Journal",
    "Manifest",
    "MissingProgram",
    "ModelConfig",
    "MusicCoreError",
    "NotFound",
    "open_store",
    "plan_windows",
    "preset",
    "Prior",
    "PriorConfig",
    "RunRecord",
    "StorageError",
    "Store",
    "Unavailable",
    "VQVAE",
    "VQVAEConfig",
    "Window",
]

_HOME = {
    "audio.sound": ("Audio",),
    "models.codes": ("Codes",),
    "models.config": ("ModelConfig", "PriorConfig", "VQVAEConfig"),
    "errors": (
        "AudioError",
        "CheckpointError",
        "CodesError",
        "ConditioningError",
        "ConfigError",
        "Corrupt",
        "DeviceError",
        "Fenced",
        "Gone",
        "MissingProgram",
        "MusicCoreError",
        "NotFound",
        "StorageError",
        "Unavailable",
    ),
    "journal.journal": ("Journal",),
    "journal.manifest": ("Manifest", "RunRecord"),
    "models.presets": ("preset",),
    "models.prior.model": ("Prior",),
    "sampling.windows": ("Window", "plan_windows"),
    "storage.store": ("BlobRef", "Store", "open_store"),
    "models.vqvae.model": ("VQVAE",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

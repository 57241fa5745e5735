"""Settings: the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from musiccore.errors import ConfigError
from musiccore.models.machine import DTYPES, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things lie and what they run on.

    Attributes:
        store: root address of the store (`JUKEFLOW_STORE`).
        device: torch device (`JUKEFLOW_DEVICE`); `auto` is the first accelerator, else the CPU.
        dtype: storage type of the weights while sampling (`JUKEFLOW_DTYPE`).
        models: folder of released checkpoints (`JUKEFLOW_MODELS`), None without one.
        labels: folder of artist and genre tables (`JUKEFLOW_LABELS`), None without one.
        threads: CPU threads of torch (`JUKEFLOW_THREADS`). Small models are 12 to 20 times slower
            on two threads of a busy machine than on one, so the default is 1.
        room: address of the listening room, for links to it (`JUKEFLOW_ROOM`).
        room_token: secret of the listening room (`JUKEFLOW_ROOM_TOKEN`); empty for the one kept in
            the cache folder.
        cache: folder for what can be made again (`JUKEFLOW_CACHE`, else below `XDG_CACHE_HOME`).
        soundfont: sound font that scores are played on (`SOUNDFONT`); empty for one that is found.
        fluidsynth: FluidSynth's library (`JUKEFLOW_FLUIDSYNTH`); empty for the one that is found.
        ffmpeg: the program (`FFMPEG_BINARY`), None to look for it.
        webhook: address that is told when a person is needed (`JUKEFLOW_WEBHOOK`); a secret.
    """

    store: str = "./runs"
    device: str = "auto"
    dtype: str = "float32"
    models: Path | None = None
    labels: Path | None = None
    threads: int = 1
    room: str = "http://127.0.0.1:4300"
    room_token: str = field(default="", repr=False)
    cache: Path = Path("~/.cache/jukeflow")
    ffmpeg: str | None = None
    soundfont: str = ""
    fluidsynth: str = ""
    webhook: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.store.strip():
            raise ConfigError("store is empty", hint="give a folder, for example --store ./runs")
        if self.dtype not in DTYPES:
            raise ConfigError(f"JUKEFLOW_DTYPE is {self.dtype!r}; use one of {', '.join(DTYPES)}")
        if self.threads < 1:
            raise ConfigError(f"JUKEFLOW_THREADS is {self.threads}; it must be 1 or more")
        if not _is_web_address(self.room):
            raise ConfigError(
                f"JUKEFLOW_ROOM is {self.room!r}", hint="use an address as http://127.0.0.1:4300"
            )
        if self.webhook and not _is_web_address(self.webhook):  # its value is a secret
            raise ConfigError("JUKEFLOW_WEBHOOK is no address that begins with https:// or http://")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; a variable that is empty counts as unset.

        Args:
            environment: variables to read; those of the process by default.

        Raises:
            ConfigError: if a variable holds a wrong value; the message names it.
        """
        env = os.environ if environment is None else environment
        threads = env.get("JUKEFLOW_THREADS") or "1"
        if not threads.strip().isdigit():
            raise ConfigError(f"JUKEFLOW_THREADS is {threads!r}; it must be a whole number")
        return cls(
            store=env.get("JUKEFLOW_STORE") or "./runs",
            device=env.get("JUKEFLOW_DEVICE") or "auto",
            dtype=env.get("JUKEFLOW_DTYPE") or "float32",
            models=_folder(env, "JUKEFLOW_MODELS"),
            labels=_folder(env, "JUKEFLOW_LABELS"),
            threads=int(threads),
            room=env.get("JUKEFLOW_ROOM") or "http://127.0.0.1:4300",
            room_token=env.get("JUKEFLOW_ROOM_TOKEN", ""),
            cache=Path(
                env.get("JUKEFLOW_CACHE")
                or Path(env.get("XDG_CACHE_HOME") or "~/.cache", "jukeflow")
            ),
            soundfont=env.get("SOUNDFONT", ""),
            fluidsynth=env.get("JUKEFLOW_FLUIDSYNTH", ""),
            ffmpeg=env.get("FFMPEG_BINARY") or None,
            webhook=env.get("JUKEFLOW_WEBHOOK", "").strip(),
        )

    def machine(self) -> Machine:
        """Return what of it the library needs to know of this machine."""
        return Machine(
            device=self.device,
            dtype=self.dtype,
            threads=self.threads,
            models=self.models,
            labels=self.labels,
            ffmpeg=self.ffmpeg,
        )


def process_settings() -> Settings:
    """Return the settings of this process, as its environment says them."""
    return Settings.from_environment()


def machine() -> Machine:
    """Return what the library needs to know of this machine."""
    return process_settings().machine()


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _folder(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name, "")
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise ConfigError(f"{name} is {value!r}, which is not a folder")
    return path

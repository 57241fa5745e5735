"""What a machine decides: device, number type, threads, and where weights and labels lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from musiccore.errors import ConfigError

DTYPES: Final = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine decides; the same everywhere else is asked for by a request.

    Attributes:
        device: torch device; `auto` is the first accelerator, else the CPU.
        dtype: storage type of the weights while sampling.
        threads: CPU threads of torch. Small models are 12 to 20 times slower on two threads of a
            busy machine than on one, so the default is 1.
        models: folder of released checkpoints, None without one.
        labels: folder of artist and genre tables, None without one.
        ffmpeg: the program that reads what nothing else here reads; None to look for it.

    Raises:
        ConfigError: for a number type or a number of threads that does not exist.
    """

    device: str = "auto"
    dtype: str = "float32"
    threads: int = 1
    models: Path | None = None
    labels: Path | None = None
    ffmpeg: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype is {self.dtype!r}; use one of {', '.join(DTYPES)}")
        if self.threads < 1:
            raise ConfigError(f"threads is {self.threads}; it must be 1 or more")

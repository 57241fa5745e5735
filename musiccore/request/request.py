"""What a user asks for: one definition for recipe files, the command line, forms and run records.

Importing this module is cheap; `check` beside it does the rest, still without weights and torch.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    field_validator,
)

from musiccore.errors import ConfigError
from musiccore.models.config import ModelConfig
from musiccore.request.sections import (
    MAX_LYRICS,
    MAX_SECONDS,
    MAX_SEED,
    ComposedPrimer,
    Conditioning,
    Count,
    FrozenModel,
    SamplingOptions,
    Seconds,
    Temperatures,
)
from musiccore.units import codes_in, samples_in

if TYPE_CHECKING:
    from musiccore.models.sung import Sung

__all__ = [
    "MAX_LYRICS",
    "MAX_SECONDS",
    "MAX_SEED",
    "MAX_TAKES",
    "ComposedPrimer",
    "Conditioning",
    "Format",
    "GenerationRequest",
    "SamplingOptions",
    "Temperatures",
    "read_lyrics",
]

LONGEST_COMPOSED: Final = 20.0
"""Seconds of a composed primer where its length is not given."""

MAX_TAKES = 64
_MAX_RECIPE_BYTES = 1 << 20
_SHOWN = 60  # characters of a wrong value that a message repeats
_BRANCHES = ("number", "levels")  # the two forms of a temperature; no fields

Format = Literal["wav", "flac", "mp3"]


class GenerationRequest(FrozenModel):
    """Everything that decides a piece of music."""

    model: str = Field(
        default="nano",
        title="Model",
        description="Name of a model; `jukeflow models list` shows them.",
        min_length=1,
        max_length=64,
    )
    conditioning: Conditioning = Field(
        default_factory=Conditioning,
        title="Conditioning",
        description="Artist, genre and lyrics.",
    )
    sampling: SamplingOptions = Field(
        default_factory=SamplingOptions,
        title="Sampling",
        description="Seed, temperature and filters.",
    )
    seconds: Seconds = Field(
        default=12.0,
        title="Seconds",
        description="Length of the audio, primer included; rounded down to whole top-level codes.",
    )
    total_seconds: Seconds | None = Field(
        default=None,
        title="Total seconds",
        description="Length of the piece that the audio begins, which tells the model how far it "
        "has come. Default: `seconds`, or the least the model accepts.",
    )
    takes: int = Field(
        default=1,
        title="Takes",
        description="Variants of the top level to choose from.",
        strict=True,
        ge=1,
        le=MAX_TAKES,
    )
    choose: Literal["first", "best", "all", "wait"] = Field(
        default="first",
        title="Choose",
        description="Which take goes on when nobody chooses: the first, the best by a simple "
        "score, all of them, or none: wait for a person.",
    )
    choose_after_hours: float = Field(
        default=0.0,
        title="Choose after hours",
        description="How long a person may choose before the policy does; 0: it does at once.",
        strict=True,
        ge=0,
        le=24 * 366,
        allow_inf_nan=False,
    )
    primer: str | None = Field(
        default=None,
        title="Primer",
        description="Path of an audio file or a score (MIDI, MusicXML, ABC) that the piece starts "
        "from.",
        min_length=1,
        max_length=4096,
    )
    primer_compose: ComposedPrimer | None = Field(
        default=None,
        title="Composed primer",
        description="Compose the primer instead of reading one.",
    )
    primer_seconds: Seconds | None = Field(
        default=None,
        title="Primer seconds",
        description="How much of the primer to use, from its beginning; of a score, up to the last "
        "bar line before. Default: all of it; of a composed one, half of `seconds`, at most 20.",
    )
    window_hop: tuple[Count, ...] | None = Field(
        default=None,
        title="Window hop",
        description="Codes between window starts, one number per level with level 0 first; smaller "
        "is slower and keeps more context. Default: the model's own.",
    )
    max_batch: tuple[Count, ...] | None = Field(
        default=None,
        title="Largest batch",
        description="Takes per pass, one number per level with level 0 first. Default: the "
        "model's own.",
    )
    formats: tuple[Format, ...] = Field(
        default=("wav", "flac", "mp3"),
        title="Formats",
        description="Audio files to deliver.",
        min_length=1,
    )
    title: str | None = Field(
        default=None,
        title="Title",
        description="Shown on the song page and in the files.",
        min_length=1,
        max_length=120,
    )
    allow_unknown: bool = Field(
        default=False,
        title="Allow unknown",
        description='Map unknown artists and genres to "unknown" and drop characters that the '
        "model cannot read, instead of refusing them.",
        strict=True,
    )

    @field_validator("title", "primer")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and any(unicodedata.category(c).startswith("C") for c in value):
            raise ValueError("it must not hold control or invisible characters")
        return value

    @field_validator("formats")
    @classmethod
    def _distinct(cls, value: tuple[Format, ...]) -> tuple[Format, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a format is given twice")
        return value

    @classmethod
    def parse(cls, data: Mapping[str, object]) -> GenerationRequest:
        """Return the request in a nested mapping, such as a parsed recipe.

        Raises:
            ConfigError: naming every field that is wrong, in one line.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise ConfigError(
                "; ".join(_sentences(error)), hint="{options generate} lists the options"
            ) from error

    @classmethod
    def from_toml(cls, path: Path) -> GenerationRequest:
        """Return the request in a recipe file.

        `lyrics_file` in the table `conditioning` names a text file with the lyrics; it and `primer`
        are relative to the recipe.

        Raises:
            ConfigError: if a file cannot be read, is not TOML or text, or holds a wrong value.
        """
        try:
            data = tomllib.loads(_text(path, "recipe"))
        except ConfigError:
            raise
        except (ValueError, RecursionError) as error:  # numbers without an end, tables in tables
            raise ConfigError(f"recipe {path} is not TOML: {error}") from error
        conditioning = data.get("conditioning")
        if isinstance(conditioning, dict) and "lyrics_file" in conditioning:
            name = conditioning.pop("lyrics_file")
            if "lyrics" in conditioning or not isinstance(name, str):
                raise ConfigError("conditioning: give lyrics, or lyrics_file as a path; not both")
            conditioning["lyrics"] = read_lyrics(path.parent / name)
        if isinstance(data.get("primer"), str):
            data["primer"] = str(path.parent / data["primer"])
        return cls.parse(data)

    def digest(self) -> str:
        """Return the sha256 of the request in canonical JSON: its identity."""
        values = self.model_dump(mode="json")
        if values["primer_compose"] is None:  # younger than the digests that stores hold
            del values["primer_compose"]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    # ---------------------------------------------------------------- what it means for a model

    @property
    def has_primer(self) -> bool:
        """Whether the piece starts from something."""
        return self.primer is not None or self.primer_compose is not None

    @property
    def composed_limit(self) -> float:
        """Return the most seconds that a composed primer may last."""
        return self.primer_seconds or min(self.seconds / 2, LONGEST_COMPOSED)

    def without_primer(self) -> GenerationRequest:
        """Return the rest of the request, for checks where the primer is known otherwise."""
        changes = {"primer": None, "primer_compose": None, "primer_seconds": None}
        return self.model_copy(update=changes)

    def temperatures(self, config: ModelConfig) -> tuple[float, ...]:
        """Return the temperature of each level, level 0 first."""
        wanted = self.sampling.temperature
        if wanted is None:
            return config.temperatures
        return wanted if isinstance(wanted, tuple) else (wanted,) * config.levels

    def window_hops(self, config: ModelConfig) -> tuple[int, ...]:
        """Return the codes between window starts of each level, level 0 first."""
        default = tuple(config.default_window_hop(level) for level in range(config.levels))
        return default if self.window_hop is None else self.window_hop

    def batch_limits(self, config: ModelConfig) -> tuple[int, ...]:
        """Return the most takes per pass at each level, level 0 first."""
        return config.max_batch if self.max_batch is None else self.max_batch

    def sung(self, config: ModelConfig) -> Sung | None:
        """Return how the words that the model is given differ from the lyrics; None if not."""
        from musiccore.models.sung import Sung

        top = config.top
        if top.lyrics is None or top.labels is None:
            return None
        return Sung.of(self.conditioning.lyrics, top.labels.rules)

    def n_samples(self, config: ModelConfig) -> int:
        """Return the samples to make, primer included: whole codes of the top level."""
        hop = config.top.hop_length
        return samples_in(self.seconds, config.vqvae.sample_rate, multiple=hop)

    def n_codes(self, config: ModelConfig, level: int) -> int:
        """Return the codes to make at a level, primer included."""
        return codes_in(
            self.seconds,
            config.vqvae.sample_rate,
            config.priors[level].hop_length,
            top_hop_length=config.top.hop_length,
        )

    def total_samples(self, config: ModelConfig) -> int:
        """Return the length label: samples of the piece that the audio begins."""
        rate, time = config.vqvae.sample_rate, config.top.time
        if self.total_seconds is not None:
            return samples_in(self.total_seconds, rate)
        least = 0 if time is None else samples_in(time.min_seconds, rate)
        return max(self.n_samples(config), least)


def read_lyrics(path: Path) -> str:
    """Return the lyrics in a text file.

    Raises:
        ConfigError: if it cannot be read or is not UTF-8.
    """
    return _text(path, "lyrics_file")


def _text(path: Path, what: str) -> str:
    try:
        if not path.is_file():
            raise ConfigError(f"{what} {str(path)!r} " + _why_no_file(path))
        if path.stat().st_size > _MAX_RECIPE_BYTES:
            raise ConfigError(f"{what} {str(path)!r} is larger than {_MAX_RECIPE_BYTES} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {str(path)!r} is not text in UTF-8") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{what} {str(path)!r} cannot be read: {error}") from error


def _why_no_file(path: Path) -> str:
    return "is not a regular file" if path.exists() else "does not exist"


def _sentences(error: ValidationError) -> list[str]:
    """Return one sentence per wrong field."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in item["loc"] if part not in _BRANCHES)
        if any(known == place or known.startswith(f"{place}.") for known in found):
            continue
        if item["type"] == "extra_forbidden":
            found[place] = f"{place} is not an option"
            continue
        message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
        message = message[:1].lower() + message[1:]
        if isinstance(item["input"], BaseModel | dict):
            found[place] = f"{place or 'request'}: {message}"
        else:
            shown = repr(item["input"])
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
            found[place] = f"{place} is {shown}: {message}"
    return list(found.values())

"""The parts of a request: conditioning, sampling, and a primer that is composed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from musiccore.errors import ConfigError
from musiccore.scores.key import parse_key

MAX_SEED = 2**63 - 1
MAX_SECONDS = 3600.0
MAX_LYRICS = 50_000  # characters; a long song has 5000

Temperature = Annotated[float, Field(strict=True, gt=0, le=10, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=MAX_SECONDS, allow_inf_nan=False)]


def _temperature_form(value: object) -> str:
    return "levels" if isinstance(value, list | tuple) else "number"


Temperatures = Annotated[
    Annotated[Temperature, Tag("number")] | Annotated[tuple[Temperature, ...], Tag("levels")],
    Discriminator(_temperature_form),
]


class FrozenModel(BaseModel):
    """Cannot be changed, and has no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Conditioning(FrozenModel):
    """What the music should be like."""

    artist: str = Field(
        default="",
        title="Artist",
        description="A name the model knows, or `#12` for its id. Empty: unknown.",
        max_length=200,
    )
    genre: str = Field(
        default="",
        title="Genre",
        description="A genre the model knows, often several words, or `#12`. Empty: unknown.",
        max_length=200,
    )
    lyrics: str = Field(
        default="",
        title="Lyrics",
        description="The words of the whole piece. Only models with lyrics read them.",
        max_length=MAX_LYRICS,
        json_schema_extra={"format": "multiline"},
    )


class SamplingOptions(FrozenModel):
    """How codes are drawn."""

    seed: int = Field(
        default=0,
        title="Seed",
        description="The same request with the same seed gives the same codes.",
        strict=True,
        ge=0,
        le=MAX_SEED,
    )
    temperature: Temperatures | None = Field(
        default=None,
        title="Temperature",
        description="Below 1 is safer, above 1 wilder; one number, or one per level with level 0 "
        "first. Default: the model's own.",
    )
    top_k: int = Field(
        default=0,
        title="Top k",
        description="Draw from the k likeliest codes only; 0 draws from all.",
        strict=True,
        ge=0,
        le=1_000_000,
    )
    top_p: float = Field(
        default=1.0,
        title="Top p",
        description="Draw from the likeliest codes up to this probability; 1 draws from all.",
        strict=True,
        gt=0,
        le=1,
        allow_inf_nan=False,
    )

    @model_validator(mode="after")
    def _one_filter(self) -> Self:
        if self.top_k and self.top_p < 1:
            raise ValueError(
                "only one of top_k and top_p may be active; set top_k to 0 or top_p to 1"
            )
        return self


class ComposedPrimer(FrozenModel):
    """A beginning that the recurrent model composes: a chorale, played and then continued."""

    key: str = Field(
        default="",
        title="Key",
        description="Its tonic, such as `A` or `Bb`. Empty: the one that the model was trained in, "
        "or as drawn.",
        max_length=8,
    )
    mode: Literal["", "major", "minor"] = Field(
        default="",
        title="Mode",
        description="Empty: that of the genre, else major.",
    )
    tempo: float = Field(
        default=84.0,
        title="Tempo",
        description="Quarter notes a minute.",
        ge=30,
        le=240,
        allow_inf_nan=False,
    )
    temperature: float = Field(
        default=0.95,
        title="Temperature",
        description="Below 1 is safer, above 1 wilder.",
        ge=0.1,
        le=2,
        allow_inf_nan=False,
    )
    seed: int | None = Field(
        default=None,
        title="Seed",
        description="Default: the seed of the sampling.",
        ge=0,
        le=MAX_SEED,
    )

    @field_validator("key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        try:
            tonic, mode, name = parse_key(value)
        except ConfigError as error:
            raise ValueError("it is no key such as `A` or `Bb`") from error
        if mode is not None:
            raise ValueError("its mode goes into `mode`")
        return "" if tonic is None else name

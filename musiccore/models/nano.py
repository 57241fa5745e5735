"""The embedded model `nano`: its configuration and the facts of its data.

Three levels at 16 kHz (hops 64, 128, 256), piano chorales, about 12 million parameters.
`docs/nano.md` is the model card; `musiccore/training/` makes the weights.
"""

from __future__ import annotations

from musiccore.models.config import (
    ConditionerConfig,
    LabelsConfig,
    ModelConfig,
    PriorConfig,
    TimeConfig,
    VQVAEConfig,
    VQVAELossConfig,
)

SAMPLE_RATE = 16_000
N_CTX = 512

ARTISTS: dict[str, int] = {"unknown": 0, "bach": 1}
"""Composers that nano knows."""

GENRES: dict[str, int] = {"unknown": 0, "piano": 1, "major": 2, "minor": 3}
"""Instruments and modes that nano knows; a request may combine them, as in `piano minor`."""

HELD_OUT: tuple[str, ...] = (
    "bwv12.7",
    "bwv24.6",
    "bwv36.4-2",
    "bwv133.6",
    "bwv145-a",
    "bwv180.7",
    "bwv248.59-6",
    "bwv262",
    "bwv281",
    "bwv297",
    "bwv298",
    "bwv310",
    "bwv313",
    "bwv316",
    "bwv321",
    "bwv341",
    "bwv346",
    "bwv362",
    "bwv366",
    "bwv388",
    "bwv424",
    "bwv431",
    "bwv436",
)
"""Chorales never trained on; none shares a melody with a training piece."""

LICENCE = (
    "Made with jukeflow's nano model (MIT weights, trained on synthesised Bach chorales; "
    "encodings (c) 2004 Margaret Greentree, from the music21 corpus)."
)

_UPPER_SIZES = (2048, 1024, 1024)


def _prior(level: int, name: str, width: int) -> PriorConfig:
    top = level == 2
    conditioner = ConditionerConfig(
        upper_codebook_size=_UPPER_SIZES[min(level + 1, 2)],
        downs_t=1,
        strides_t=2,
        width=96,
        depth=4,
        dilation_cycle=4,
        init_scale=1.0,
    )
    return PriorConfig(
        name=name,
        level=level,
        sample_rate=SAMPLE_RATE,
        hop_length=(64, 128, 256)[level],
        n_ctx=N_CTX,
        codebook_size=_UPPER_SIZES[level],
        width=width,
        depth=4,
        heads=4,
        attention_order=0,
        blocks=None,
        m_attn=1.0,
        m_mlp=3.84375 if top else 4.0,  # 984 units: all weights together stay under 24 MB
        init_scale=1.0,
        tied_head=False,
        readd_conditioning=False,
        labels=LabelsConfig(
            rules="nano", n_genres=len(GENRES), n_artists=len(ARTISTS), genre_slots=2
        ),
        time=TimeConfig(bins=64, min_seconds=4.0, max_seconds=300.0) if top else None,
        conditioner=None if top else conditioner,
        beta2=0.95,
    )


def nano() -> ModelConfig:
    """Return the configuration of the embedded model."""
    vqvae = VQVAEConfig(
        name="nano",
        sample_rate=SAMPLE_RATE,
        downs_t=(2, 1, 1),
        strides_t=(8, 2, 2),
        codebook_sizes=_UPPER_SIZES,
        width=64,
        depth=4,
        multipliers=(1, 1, 1),
        emb_width=64,
        dilation_cycle=4,
        normalise_encoder=True,
        loss=VQVAELossConfig(commit=0.25, codebook_decay=0.97),
    )
    return ModelConfig(
        name="nano",
        vqvae=vqvae,
        priors=(
            _prior(0, "nano_upsampler_0", 192),
            _prior(1, "nano_upsampler_1", 192),
            _prior(2, "nano_top", 256),
        ),
        window_hop_fractions=(0.5, 0.5, 0.25),
        temperatures=(1.0, 1.0, 1.0),
        max_batch=(16, 16, 16),
        licence=LICENCE,
    )

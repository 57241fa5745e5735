"""Named model configurations: the released families, and `tiny` with random weights for tests.

Every number of `5b`, `5b_lyrics` and `1b_lyrics` is that of the released hyper-parameters with all
inheritance resolved; the three families share the VQ-VAE and both upsamplers.

Paper: "Jukebox: A Generative Model for Music" (arXiv:2005.00341), tables of hyper-parameters; where
the released configuration differs, the release wins.
"""

from __future__ import annotations

from collections.abc import Callable

from musiccore.errors import ConfigError
from musiccore.models.config import (
    ConditionerConfig,
    LabelsConfig,
    LyricsConfig,
    ModelConfig,
    PriorConfig,
    TimeConfig,
    TransformerConfig,
    VQVAEConfig,
    VQVAELossConfig,
)
from musiccore.models.nano import nano

_RELEASED_LICENCE = (
    "Made with the Jukebox weights released by OpenAI in 2020, which are licensed for "
    "non-commercial use only; this audio carries the same restriction."
)
_TINY_LICENCE = "Made with the random weights of jukeflow's test model; free for any use."

_V2_LABELS = LabelsConfig(rules="v2", n_genres=120, n_artists=4111, genre_slots=5)
_V3_LABELS = LabelsConfig(rules="v3", n_genres=604, n_artists=7898, genre_slots=1)
_TINY_LABELS = LabelsConfig(rules="nano", n_genres=4, n_artists=2, genre_slots=3)


def released_vqvae() -> VQVAEConfig:
    """Return the VQ-VAE that all released families share."""
    return VQVAEConfig(
        name="vqvae",
        sample_rate=44100,
        downs_t=(3, 2, 2),
        strides_t=(2, 2, 2),
        codebook_sizes=(2048, 2048, 2048),
        width=32,
        depth=4,
        multipliers=(2, 1, 1),
        emb_width=64,
    )


def released_upsampler(level: int) -> PriorConfig:
    """Return the released upsampler of level 0 or 1.

    The two differ in nothing but the level and the residual scale of the conditioner, which only
    the upsampler of level 1 has.
    """
    return PriorConfig(
        name=f"upsampler_level_{level}",
        level=level,
        sample_rate=44100,
        hop_length=(8, 32)[level],
        n_ctx=8192,
        codebook_size=2048,
        width=1920,
        depth=72,
        heads=1,
        attention_order=2,
        blocks=128,
        m_attn=0.25,
        m_mlp=1.0,
        init_scale=0.4,
        tied_head=True,
        readd_conditioning=True,
        labels=_V2_LABELS,
        conditioner=ConditionerConfig(
            upper_codebook_size=2048,
            downs_t=2,
            strides_t=2,
            width=1024,
            depth=16,
            res_scale=level == 1,
        ),
    )


def released_prior_5b() -> PriorConfig:
    """Return the top-level prior with 5 billion parameters and without lyrics."""
    return PriorConfig(
        name="prior_5b",
        level=2,
        sample_rate=44100,
        hop_length=128,
        n_ctx=8192,
        codebook_size=2048,
        width=4800,
        depth=72,
        heads=8,
        attention_order=2,
        blocks=128,
        m_attn=0.25,
        m_mlp=1.0,
        init_scale=0.1,
        tied_head=False,
        readd_conditioning=False,
        labels=_V2_LABELS,
        time=TimeConfig(bins=128, min_seconds=60.0, max_seconds=600.0),
        half_weights=True,
        beta2=0.925,
    )


def released_prior_5b_lyrics() -> PriorConfig:
    """Return the 5-billion-parameter prior with a separate lyrics encoder."""
    return PriorConfig(
        name="prior_5b_lyrics",
        level=2,
        sample_rate=44100,
        hop_length=128,
        n_ctx=8192,
        codebook_size=2048,
        width=4800,
        depth=79,
        heads=8,
        attention_order=10,
        blocks=128,
        m_attn=0.25,
        m_mlp=1.0,
        init_scale=0.1,
        tied_head=False,
        readd_conditioning=False,
        labels=_V2_LABELS,
        time=TimeConfig(bins=128, min_seconds=23.8, max_seconds=600.0),
        lyrics=LyricsConfig(
            mode="encoder",
            n_tokens=512,
            n_vocab=80,
            loss_fraction=0.4,
            encoder=TransformerConfig(
                n_ctx=512,
                width=1280,
                depth=18,
                heads=4,
                attention_order=2,
                blocks=32,
                init_scale=0.7,
            ),
        ),
        alignment=(68, 2),
        half_weights=True,
    )


def released_prior_1b_lyrics() -> PriorConfig:
    """Return the 1-billion-parameter prior with lyrics and music in one sequence."""
    return PriorConfig(
        name="prior_1b_lyrics",
        level=2,
        sample_rate=44100,
        hop_length=128,
        n_ctx=6144,
        codebook_size=2048,
        width=2048,
        depth=72,
        heads=2,
        attention_order=12,
        blocks=64,
        m_attn=0.25,
        m_mlp=1.0,
        init_scale=0.2,
        tied_head=True,
        readd_conditioning=True,
        labels=_V3_LABELS,
        time=TimeConfig(bins=64, min_seconds=17.84, max_seconds=600.0),
        lyrics=LyricsConfig(mode="single", n_tokens=384, n_vocab=79, loss_fraction=0.4),
        alignment=(63, 0),
    )


def _released(name: str, top: PriorConfig, top_batch: int) -> ModelConfig:
    return ModelConfig(
        name=name,
        vqvae=released_vqvae(),
        priors=(released_upsampler(0), released_upsampler(1), top),
        window_hop_fractions=(0.5, 0.5, 0.125),
        temperatures=(0.99, 0.99, 0.99),
        max_batch=(16, 16, top_batch),
        licence=_RELEASED_LICENCE,
        continuation_chunk=32 if top_batch == 16 else 16,  # that of the published notebook
    )


def model_5b() -> ModelConfig:
    """Return the released model without lyrics."""
    return _released("5b", released_prior_5b(), top_batch=3)


def model_5b_lyrics() -> ModelConfig:
    """Return the released 5-billion-parameter model with lyrics."""
    return _released("5b_lyrics", released_prior_5b_lyrics(), top_batch=3)


def model_1b_lyrics() -> ModelConfig:
    """Return the released 1-billion-parameter model with lyrics."""
    return _released("1b_lyrics", released_prior_1b_lyrics(), top_batch=16)


def _tiny_prior(level: int) -> PriorConfig:
    top = level == 2
    return PriorConfig(
        name=("tiny_upsampler_level_0", "tiny_upsampler_level_1", "tiny_prior")[level],
        level=level,
        sample_rate=8000,
        hop_length=(8, 32, 128)[level],
        n_ctx=64,
        codebook_size=32,
        width=32,
        depth=4 if top else 3,
        heads=2,
        attention_order=6 if top else 2,
        blocks=8,
        m_attn=0.5,
        m_mlp=1.0,
        init_scale=1.0,
        tied_head=True,
        readd_conditioning=True,
        labels=_TINY_LABELS,
        time=TimeConfig(bins=16, min_seconds=1.0, max_seconds=600.0) if top else None,
        lyrics=LyricsConfig(
            mode="encoder",
            n_tokens=16,
            n_vocab=79,
            loss_fraction=0.4,
            encoder=TransformerConfig(
                n_ctx=16, width=16, depth=3, heads=2, attention_order=2, blocks=4, m_attn=0.5
            ),
        )
        if top
        else None,
        conditioner=None
        if top
        else ConditionerConfig(
            upper_codebook_size=32, downs_t=2, strides_t=2, width=16, depth=2, dilation_cycle=None
        ),
        alignment=(3, 0) if top else None,
    )


def model_tiny() -> ModelConfig:
    """Return the test model: all the parts of a released one, random weights, milliseconds."""
    return ModelConfig(
        name="tiny",
        vqvae=VQVAEConfig(
            name="tiny_vqvae",
            sample_rate=8000,
            downs_t=(3, 2, 2),
            strides_t=(2, 2, 2),
            codebook_sizes=(32, 32, 32),
            width=8,
            depth=2,
            multipliers=(2, 1, 1),
            emb_width=8,
            loss=VQVAELossConfig(linf_k=256),
        ),
        priors=(_tiny_prior(0), _tiny_prior(1), _tiny_prior(2)),
        window_hop_fractions=(0.5, 0.5, 0.125),
        temperatures=(1.0, 1.0, 1.0),
        max_batch=(4, 4, 4),
        licence=_TINY_LICENCE,
        trained=False,
    )


PRESETS: dict[str, Callable[[], ModelConfig]] = {
    "1b_lyrics": model_1b_lyrics,
    "5b": model_5b,
    "5b_lyrics": model_5b_lyrics,
    "nano": nano,
    "tiny": model_tiny,
}


def preset(name: str) -> ModelConfig:
    """Return the configuration of a named model.

    Raises:
        ConfigError: if no preset has this name.
    """
    if name not in PRESETS:
        raise ConfigError(
            f"model is {name!r}; known models are {', '.join(sorted(PRESETS))}",
            hint="run `jukeflow models list`",
        )
    return PRESETS[name]()

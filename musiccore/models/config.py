"""Model configurations: frozen, complete, and one table of named presets.

Paper: "Jukebox: A Generative Model for Music" (arXiv:2005.00341), appendix on architecture and
hyper-parameters. The presets `5b`, `5b_lyrics` and `1b_lyrics` describe the released models; `nano`
is our own small trained model; `tiny` has random weights and serves tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Literal

from musiccore.errors import ConfigError
from musiccore.models.attention_kinds import AttentionKind, attention_kind

LabelRules = Literal["v2", "v3", "nano"]
LyricsMode = Literal["encoder", "single"]


def _positive(owner: str, **values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(f"{owner}: {name} is {value}, it must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class VQVAELossConfig:
    """Weights and codebook rules of VQ-VAE training.

    Paper: "VQ-VAE" and "Random restarts for embeddings"; the loss terms of section "Spectral loss".
    """

    loss: Literal["l1", "l2", "linf", "lmix"] = "lmix"
    l1: float = 0.0
    l2: float = 1.0
    linf: float = 0.02
    linf_k: int = 2048
    spectral: float = 0.0
    multispectral: float = 1.0
    stft_n_fft: tuple[int, ...] = (2048, 1024, 512)
    stft_hop: tuple[int, ...] = (240, 120, 50)
    stft_window: tuple[int, ...] = (1200, 600, 240)
    commit: float = 0.02
    codebook_decay: float = 0.99
    revival_threshold: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VQVAEConfig:
    """One VQ-VAE: an independent encoder, codebook and decoder per level.

    Attributes:
        sample_rate: Hz of the mono audio.
        downs_t: strided convolutions of each stage; level l uses stages 0 to l.
        strides_t: stride of each convolution of a stage.
        codebook_sizes: K per level.
        width, depth: base residual width and depth; `multipliers` scales both per level.
        emb_width: channels between stages and of the codebook.
        dilation_cycle: the dilation pattern restarts after this many blocks; None: never.
        normalise_encoder: layer norm without parameters on the encoder output (`nano` only).
    """

    name: str
    sample_rate: int
    downs_t: tuple[int, ...]
    strides_t: tuple[int, ...]
    codebook_sizes: tuple[int, ...]
    width: int
    depth: int
    multipliers: tuple[int, ...]
    emb_width: int
    m_conv: float = 1.0
    dilation_growth_rate: int = 3
    dilation_cycle: int | None = None
    reverse_decoder_dilation: bool = True
    normalise_encoder: bool = False
    loss: VQVAELossConfig = field(default_factory=VQVAELossConfig)

    def __post_init__(self) -> None:
        lengths = {
            len(self.downs_t),
            len(self.strides_t),
            len(self.codebook_sizes),
            len(self.multipliers),
        }
        if len(lengths) != 1:
            raise ConfigError(
                f"VQ-VAE {self.name}: downs_t {self.downs_t}, strides_t {self.strides_t}, "
                f"codebook_sizes {self.codebook_sizes} and multipliers {self.multipliers} "
                "must have one entry per level"
            )
        _positive(f"VQ-VAE {self.name}", width=self.width, depth=self.depth)

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.downs_t)

    @property
    def hop_lengths(self) -> tuple[int, ...]:
        """Samples per code, level 0 first."""
        factors = [s**d for s, d in zip(self.strides_t, self.downs_t, strict=True)]
        return tuple(prod(factors[: level + 1]) for level in range(self.levels))

    def code_rate(self, level: int) -> float:
        """Codes per second at a level."""
        return self.sample_rate / self.hop_lengths[level]

    def level_width(self, level: int) -> int:
        """Residual width inside the encoder and decoder of a level."""
        return self.width * self.multipliers[level]

    def level_depth(self, level: int) -> int:
        """Residual blocks per unit inside the encoder and decoder of a level."""
        return self.depth * self.multipliers[level]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsConfig:
    """Artist and genre embeddings.

    Attributes:
        rules: which text and name rules apply (`docs/model.md`, "The label vector").
        genre_slots: genre words per request; unused slots are -1.
    """

    rules: LabelRules
    n_genres: int
    n_artists: int
    genre_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeConfig:
    """Time signal of a top-level prior: binned total length, absolute and relative position."""

    bins: int
    min_seconds: float
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerConfig:
    """A stack of attention layers over `n_ctx` positions."""

    n_ctx: int
    width: int
    depth: int
    heads: int
    attention_order: int
    blocks: int | None
    m_attn: float = 0.25
    m_mlp: float = 1.0
    init_scale: float = 1.0
    res_scale: bool = False
    encoder_width: int | None = None
    lyrics_len: int = 0

    def __post_init__(self) -> None:
        _positive("transformer", n_ctx=self.n_ctx, width=self.width, depth=self.depth)
        if self.blocks is not None and self.n_ctx % self.blocks:
            raise ConfigError(
                f"transformer: {self.n_ctx} positions do not split into {self.blocks} blocks"
            )
        if self.state_width % self.heads:
            raise ConfigError(
                f"transformer: attention width {self.state_width} does not split into "
                f"{self.heads} heads"
            )
        if self.blocks is None and set(self.kinds) - {"dense", "cross"}:
            raise ConfigError(
                f"transformer: attention_order {self.attention_order} needs blocks; it is None"
            )

    @property
    def kinds(self) -> tuple[AttentionKind, ...]:
        """Attention kind of each layer."""
        return tuple(attention_kind(self.attention_order, d) for d in range(self.depth))

    @property
    def state_width(self) -> int:
        """Width of queries, keys and values together over all heads."""
        return int(self.m_attn * self.width)

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP."""
        return int(self.m_mlp * self.width)

    @property
    def block_ctx(self) -> int:
        """Positions per block."""
        return self.n_ctx if self.blocks is None else self.n_ctx // self.blocks

    @property
    def lyrics_span(self) -> int:
        """First positions that `lyrics` layers see; more than `lyrics_len`.

        `docs/model.md`, "Attention kinds".
        """
        blocks = self.blocks or 1
        return (self.lyrics_len // blocks + 1) * blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class LyricsConfig:
    """Lyrics tokens of a top-level prior.

    Attributes:
        mode: `encoder` = separate lyrics encoder read by `cross` layers; `single` = lyrics and
            music in one sequence with a merged vocabulary.
        n_tokens: lyrics tokens per window.
        n_vocab: characters plus one.
        encoder: the encoder stack, when mode is `encoder`.
        loss_fraction: weight of the lyrics loss in training.
    """

    mode: LyricsMode
    n_tokens: int
    n_vocab: int
    loss_fraction: float
    encoder: TransformerConfig | None = None

    def __post_init__(self) -> None:
        if (self.mode == "encoder") != (self.encoder is not None):
            raise ConfigError(
                f"lyrics: mode is {self.mode!r} and encoder is "
                f"{'absent' if self.encoder is None else 'given'}; they must agree"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionerConfig:
    """Upper-code conditioner of an upsampler.

    Attributes:
        upper_codebook_size: K of the level above.
        downs_t, strides_t: those of the level above; their product is the upsampling factor.
        res_scale: residual branches scaled by 1/sqrt(depth).
        norm_gain: initial gain of the final layer norm.
    """

    upper_codebook_size: int
    downs_t: int
    strides_t: int
    width: int
    depth: int
    m_conv: float = 1.0
    dilation_growth_rate: int = 3
    dilation_cycle: int | None = 8
    res_scale: bool = False
    init_scale: float = 0.4

    @property
    def factor(self) -> int:
        """Codes of this level per upper code."""
        return int(self.strides_t**self.downs_t)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorConfig:
    """One prior. A top-level prior and an upsampler differ by configuration only.

    Attributes:
        n_ctx: context length in codes.
        tied_head: the output matrix is the embedding.
        readd_conditioning: per-position conditioning is added again after the stack.
        alignment: (layer, head) whose attention aligns lyrics and audio.
        half_weights: matrices of the stack are kept in half precision (`fp16_params`).
        beta2: Adam beta2 of the release.
    """

    name: str
    level: int
    sample_rate: int
    hop_length: int
    n_ctx: int
    codebook_size: int
    width: int
    depth: int
    heads: int
    attention_order: int
    blocks: int | None
    m_attn: float
    m_mlp: float
    init_scale: float
    tied_head: bool
    readd_conditioning: bool
    res_scale: bool = False
    labels: LabelsConfig | None = None
    time: TimeConfig | None = None
    lyrics: LyricsConfig | None = None
    conditioner: ConditionerConfig | None = None
    alignment: tuple[int, int] | None = None
    half_weights: bool = False
    beta2: float = 0.999

    def __post_init__(self) -> None:
        if self.conditioner is not None and self.n_ctx % self.conditioner.factor:
            raise ConfigError(
                f"prior {self.name}: n_ctx {self.n_ctx} is not a multiple of the upsampling "
                f"factor {self.conditioner.factor}"
            )
        _ = self.transformer

    @property
    def n_lyrics_tokens(self) -> int:
        """Lyrics tokens in the label vector, 0 without lyrics."""
        return 0 if self.lyrics is None else self.lyrics.n_tokens

    @property
    def lyrics_prefix(self) -> int:
        """Lyrics positions before the music in one sequence, 0 in every other mode."""
        return self.n_lyrics_tokens if self.lyrics and self.lyrics.mode == "single" else 0

    @property
    def vocabulary_shift(self) -> int:
        """Added to music codes in the merged vocabulary; lyrics ids come first."""
        return self.lyrics.n_vocab if self.lyrics and self.lyrics.mode == "single" else 0

    @property
    def n_vocabulary(self) -> int:
        """Rows of the embedding: codes, plus lyrics characters in one sequence."""
        return self.codebook_size + self.vocabulary_shift

    @property
    def n_positions(self) -> int:
        """Positions of the transformer: lyrics prefix plus codes."""
        return self.lyrics_prefix + self.n_ctx

    @property
    def upper_factor(self) -> int:
        """Codes of this level per upper code; 1 without a conditioner."""
        return 1 if self.conditioner is None else self.conditioner.factor

    @property
    def window_samples(self) -> int:
        """Audio samples in one window."""
        return self.n_ctx * self.hop_length

    @property
    def label_length(self) -> int:
        """Length of the label vector; 0 without labels."""
        return 0 if self.labels is None else 4 + self.labels.genre_slots + self.n_lyrics_tokens

    @property
    def transformer(self) -> TransformerConfig:
        """The decoder stack."""
        encoder = self.lyrics is not None and self.lyrics.mode == "encoder"
        return TransformerConfig(
            n_ctx=self.n_positions,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            attention_order=self.attention_order,
            blocks=self.blocks,
            m_attn=self.m_attn,
            m_mlp=self.m_mlp,
            init_scale=self.init_scale,
            res_scale=self.res_scale,
            encoder_width=self.width if encoder else None,
            lyrics_len=self.lyrics_prefix,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A complete model: VQ-VAE and one prior per level, index = level.

    Attributes:
        window_hop_fractions: default window hop over n_ctx, level 0 first.
        temperatures: default sampling temperature, level 0 first.
        max_batch: default batch rows per pass, level 0 first.
        licence: one sentence that travels with every audio file.
        continuation_chunk: a continuation is rounded up to whole chunks of top-level codes.
        trained: False for random weights.
    """

    name: str
    vqvae: VQVAEConfig
    priors: tuple[PriorConfig, ...]
    window_hop_fractions: tuple[float, ...]
    temperatures: tuple[float, ...]
    max_batch: tuple[int, ...]
    licence: str
    continuation_chunk: int = 16
    trained: bool = True

    def __post_init__(self) -> None:
        for level, prior in enumerate(self.priors):
            expected = (level, self.vqvae.hop_lengths[level], self.vqvae.codebook_sizes[level])
            found = (prior.level, prior.hop_length, prior.codebook_size)
            if expected != found:
                raise ConfigError(
                    f"model {self.name}: prior {prior.name} has level, hop length and codebook "
                    f"size {found}; the VQ-VAE has {expected}"
                )

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.priors)

    @property
    def top(self) -> PriorConfig:
        """The top-level prior."""
        return self.priors[-1]

    def default_window_hop(self, level: int) -> int:
        """Codes between window starts at a level."""
        return int(self.window_hop_fractions[level] * self.priors[level].n_ctx)

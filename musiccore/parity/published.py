"""Published hyper-parameters, as a golden file carries them, to our configurations.

What they mean here: `docs/model.md`, "Levels and names", "Layer patterns".
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Literal, cast

from musiccore.errors import CheckpointError
from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import (
    ConditionerConfig,
    LabelsConfig,
    LyricsConfig,
    PriorConfig,
    TimeConfig,
    TransformerConfig,
    VQVAEConfig,
    VQVAELossConfig,
)

KINDS: dict[int, AttentionKind] = {
    0: "dense",
    1: "row",
    2: "column",
    3: "previous_row",
    4: "summary",
    6: "cross",
    7: "lyrics",
}
"""Published numbers of the attention kinds."""


class Hyper:
    """Published hyper-parameters with typed access; a missing or odd one is a clear error.

    Args:
        values: names and values.
        where: what they belong to, for messages.
    """

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, Mapping):
            raise CheckpointError(f"{where}: the configuration is no table of names and values")
        self._values = cast("Mapping[str, object]", values)
        self._where = where

    def get(self, name: str) -> object:
        """Return a value of any type."""
        if name not in self._values:
            raise CheckpointError(f"{self._where}: the configuration has no {name!r}")
        return self._values[name]

    def _typed(self, name: str, *types: type) -> object:
        value = self.get(name)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise CheckpointError(
                f"{self._where}: {name} is {value!r}, expected a {types[0].__name__}"
            )
        return value

    def integer(self, name: str) -> int:
        """Return an integer."""
        return cast(int, self._typed(name, int))

    def number(self, name: str) -> float:
        """Return a number."""
        return float(cast(float, self._typed(name, float, int)))

    def text(self, name: str) -> str:
        """Return a text."""
        return cast(str, self._typed(name, str))

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        return cast(bool, self._typed(name, bool))

    def maybe(self, name: str) -> int | None:
        """Return an integer or None."""
        return None if self.get(name) is None else self.integer(name)

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of integers."""
        return tuple(int(cast(int, v)) for v in self.items(name))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of numbers."""
        return tuple(float(cast(float, v)) for v in self.items(name))

    def items(self, name: str) -> list[object]:
        """Return a list."""
        return cast("list[object]", self._typed(name, list, tuple))

    def table(self, name: str) -> Hyper:
        """Return hyper-parameters inside these."""
        return Hyper(self.get(name), f"{self._where}, {name}")

    def tables(self, name: str) -> list[Hyper]:
        """Return a list of hyper-parameters inside these."""
        return [Hyper(v, f"{self._where}, {name}[{i}]") for i, v in enumerate(self.items(name))]

    def has(self, name: str) -> bool:
        """Return whether a name is there."""
        return name in self._values


def _multipliers(hyper: Hyper, levels: int) -> tuple[int, ...]:
    """Return the width of each level's blocks as multiples; null means that all are alike."""
    name = "hvqvae_multipliers" if hyper.has("hvqvae_multipliers") else "multipliers"
    return (1,) * levels if hyper.get(name) is None else hyper.integers(name)


def vqvae_config(hyper: Hyper, loss: str | None = None) -> VQVAEConfig:
    """Return the VQ-VAE of published hyper-parameters.

    Args:
        hyper: `downs_t`, `l_bins` and so on.
        loss: overrides `loss_fn`.
    """
    levels = hyper.integer("levels")
    cycle = hyper.maybe("dilation_cycle")
    return VQVAEConfig(
        name="published",
        sample_rate=hyper.integer("sr"),
        downs_t=hyper.integers("downs_t"),
        strides_t=hyper.integers("strides_t"),
        codebook_sizes=(hyper.integer("l_bins"),) * levels,
        width=hyper.integer("width"),
        depth=hyper.integer("depth"),
        multipliers=_multipliers(hyper, levels),
        emb_width=hyper.integer("emb_width"),
        m_conv=hyper.number("m_conv"),
        dilation_growth_rate=hyper.integer("dilation_growth_rate"),
        dilation_cycle=cycle,
        reverse_decoder_dilation=hyper.flag("vqvae_reverse_decoder_dilation"),
        loss=VQVAELossConfig(
            loss=cast("Literal['l1', 'l2', 'linf', 'lmix']", loss or hyper.get("loss_fn")),
            l1=hyper.number("lmix_l1"),
            l2=hyper.number("lmix_l2"),
            linf=hyper.number("lmix_linf"),
            linf_k=hyper.integer("linf_k"),
            spectral=hyper.number("spectral"),
            multispectral=hyper.number("multispectral"),
            stft_n_fft=hyper.integers("multispec_loss_n_fft"),
            stft_hop=hyper.integers("multispec_loss_hop_length"),
            stft_window=hyper.integers("multispec_loss_window_size"),
            commit=hyper.number("commit"),
            codebook_decay=hyper.number("l_mu"),
            revival_threshold=hyper.number("revival_threshold")
            if hyper.has("revival_threshold")
            else 1.0,
        ),
    )


def conditioner_config(hyper: Hyper) -> tuple[ConditionerConfig, int]:
    """Return an upper-code conditioner that stands alone, and the width of its output."""
    config = ConditionerConfig(
        upper_codebook_size=hyper.integer("bins"),
        downs_t=hyper.integer("down_t"),
        strides_t=hyper.integer("stride_t"),
        width=hyper.integer("width"),
        depth=hyper.integer("depth"),
        m_conv=hyper.number("m_conv"),
        dilation_growth_rate=hyper.integer("dilation_growth_rate"),
        dilation_cycle=hyper.maybe("dilation_cycle"),
        res_scale=hyper.flag("res_scale"),
        init_scale=hyper.number("init_scale"),
    )
    return config, hyper.integer("out_width")


def _labels(hyper: Hyper) -> LabelsConfig | None:
    if not hyper.flag("labels"):
        return None
    n_genres, n_artists = hyper.integers("y_bins")
    return LabelsConfig(
        rules="v3" if hyper.flag("labels_v3") else "v2",
        n_genres=n_genres,
        n_artists=n_artists,
        genre_slots=hyper.integer("max_bow_genre_size"),
    )


def _lyrics(hyper: Hyper) -> LyricsConfig | None:
    if not hyper.flag("use_tokens") or not hyper.integer("n_tokens"):
        return None
    single = hyper.flag("single_enc_dec")
    encoder = None
    if not single:
        encoder = TransformerConfig(
            n_ctx=hyper.integer("n_tokens"),
            width=hyper.integer("prime_width"),
            depth=hyper.integer("prime_depth"),
            heads=hyper.integer("prime_heads"),
            attention_order=hyper.integer("prime_attn_order"),
            blocks=hyper.maybe("prime_blocks"),
            m_attn=hyper.number("prime_m_attn"),
            m_mlp=hyper.number("prime_m_mlp"),
            init_scale=hyper.number("prime_init_scale"),
        )
    return LyricsConfig(
        mode="single" if single else "encoder",
        n_tokens=hyper.integer("n_tokens"),
        n_vocab=hyper.integer("n_vocab"),
        loss_fraction=hyper.number("prime_loss_fraction"),
        encoder=encoder,
    )


def prior_config(hyper: Hyper) -> PriorConfig:
    """Return the prior of published hyper-parameters."""
    level = hyper.integer("level")
    downs, strides = hyper.integers("downs_t"), hyper.integers("strides_t")
    top = level == len(downs) - 1
    labels = _labels(hyper)
    merged = hyper.flag("merged_decoder")
    layer, head = hyper.maybe("alignment_layer"), hyper.maybe("alignment_head")
    return PriorConfig(
        name=str(hyper.get("base_hps")),
        level=level,
        sample_rate=hyper.integer("sr"),
        hop_length=prod(
            s**d for s, d in zip(strides[: level + 1], downs[: level + 1], strict=True)
        ),
        n_ctx=hyper.integer("n_ctx"),
        codebook_size=hyper.integer("l_bins"),
        width=hyper.integer("prior_width"),
        depth=hyper.integer("prior_depth"),
        heads=hyper.integer("heads"),
        attention_order=hyper.integer("attn_order"),
        blocks=hyper.maybe("blocks"),
        m_attn=hyper.number("m_attn"),
        m_mlp=hyper.number("m_mlp"),
        init_scale=hyper.number("init_scale"),
        tied_head=not merged,
        readd_conditioning=not merged,
        res_scale=hyper.flag("res_scale"),
        labels=labels,
        time=TimeConfig(
            bins=hyper.integer("t_bins"),
            min_seconds=hyper.number("min_duration"),
            max_seconds=hyper.number("max_duration"),
        )
        if top and labels is not None
        else None,
        lyrics=_lyrics(hyper),
        conditioner=None
        if top
        else ConditionerConfig(
            upper_codebook_size=hyper.integer("l_bins"),
            downs_t=downs[level + 1],
            strides_t=strides[level + 1],
            width=hyper.integer("cond_width"),
            depth=hyper.integer("cond_depth"),
            m_conv=hyper.number("cond_m_conv"),
            dilation_growth_rate=hyper.integer("cond_dilation_growth_rate"),
            dilation_cycle=hyper.maybe("cond_dilation_cycle"),
            res_scale=hyper.flag("cond_res_scale"),
            init_scale=hyper.number("init_scale"),
        ),
        alignment=None if layer is None or head is None else (layer, head),
    )

"""A complete prior.

Paper: "Music priors and upsamplers", "Lyrics conditioning".
`docs/model.md`, "The sequence", "Lyrics".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiccore.errors import CodesError, ConditioningError
from musiccore.models.config import PriorConfig
from musiccore.models.prior.attention import Projection
from musiccore.models.prior.conditioners import LabelConditioner, TimeSignal, UpperCodeConditioner
from musiccore.models.prior.transformer import Norm, Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioned:
    """Everything that codes of one window are conditioned on.

    Attributes:
        start: start vector [B, 1, W]; None when the prior has learned its own.
        per_position: [B, n_positions, W], lyrics prefix included; None without any.
        lyrics_states: encoder states [B, n_tokens, W] for `cross` layers.
    """

    start: Tensor | None
    per_position: Tensor | None
    lyrics_states: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorLoss:
    """Losses in bits per token; `total` weighs them as in training."""

    total: Tensor
    codes: Tensor
    lyrics: Tensor


class Prior(nn.Module):
    """Autoregressive model of one level's codes."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.conditioner = (
            UpperCodeConditioner(config.conditioner, width) if config.conditioner else None
        )
        self.labels = (
            LabelConditioner(config.labels, width, config.init_scale) if config.labels else None
        )
        self.time = TimeSignal(config, config.time) if config.time else None
        self.decoder = Transformer(
            config.transformer,
            config.n_vocabulary,
            learned_start=config.labels is None,
            head=True,
            tied_head=config.tied_head,
            readd_conditioning=config.readd_conditioning,
        )
        if config.lyrics is not None and config.lyrics.encoder is not None:
            encoder = config.lyrics.encoder
            self.lyrics_encoder = Transformer(
                encoder,
                config.lyrics.n_vocab,
                learned_start=True,
                head=False,
                tied_head=False,
                readd_conditioning=False,
            )
            self.lyrics_projection = Projection(encoder.width, width, 0.02 * encoder.init_scale)
            self.lyrics_norm = Norm(width)
            self.lyrics_head = nn.Linear(width, config.lyrics.n_vocab, bias=False)
            nn.init.normal_(self.lyrics_head.weight, std=0.02 * config.init_scale)

    def lyrics_tokens(self, labels: Tensor) -> Tensor:
        """Return the lyrics tokens [B, n_tokens] at the end of the label vectors."""
        return labels[:, labels.shape[1] - self.config.n_lyrics_tokens :]

    def encode_lyrics(self, labels: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return encoder states [B, n_tokens, W]; state i has seen tokens before i only."""
        acts = self.lyrics_encoder(self.lyrics_tokens(labels), dtype=dtype)
        out: Tensor = self.lyrics_norm(self.lyrics_projection(acts))
        return out

    def condition(
        self,
        labels: Tensor | None,
        upper: Tensor | None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> Conditioned:
        """Evaluate all conditioners for one window.

        Args:
            labels: [B, label_length] int64 (`docs/model.md`, "The label vector"); None without
                labels.
            upper: codes [B, n_ctx / factor] of the level above; None at the top.

        Raises:
            CodesError: if upper codes are missing, superfluous or of the wrong length.
            ConditioningError: if labels are missing or out of range.
        """
        config = self.config
        self._check_upper(upper)
        if (labels is None) != (config.labels is None):
            raise ConditioningError(
                f"prior {config.name} "
                + ("has no labels" if labels is not None else "needs label vectors")
            )
        per_position: Tensor | None = None
        if upper is not None:
            assert self.conditioner is not None
            per_position = self.conditioner(upper)
        elif self.time is not None and labels is not None:
            per_position = self.time(labels)
        if per_position is not None and config.lyrics_prefix:
            per_position = F.pad(per_position, (0, 0, config.lyrics_prefix, 0))
        encoded = config.lyrics is not None and config.lyrics.mode == "encoder"
        assert labels is not None or not encoded
        return Conditioned(
            start=None if self.labels is None else self.labels(labels),
            per_position=per_position,
            lyrics_states=self.encode_lyrics(labels, dtype=dtype)
            if encoded and labels is not None
            else None,
        )

    def _check_upper(self, upper: Tensor | None) -> None:
        config = self.config
        if (upper is None) != (config.conditioner is None):
            raise CodesError(
                f"prior {config.name} of level {config.level} "
                + ("takes no upper codes" if upper is not None else "needs upper codes")
            )
        wanted = config.n_ctx // config.upper_factor
        if upper is not None and upper.shape[1] != wanted:
            raise CodesError(
                f"prior {config.name} needs {wanted} upper codes per window, got {upper.shape[1]}"
            )

    def sequence(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """Return the tokens of the decoder: codes [B, L], or lyrics and shifted codes."""
        if not self.config.lyrics_prefix:
            return codes
        assert labels is not None
        return torch.cat([self.lyrics_tokens(labels), codes + self.config.vocabulary_shift], dim=1)

    def forward(
        self,
        codes: Tensor,
        upper: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Return logits [B, lyrics prefix + L, vocabulary] for codes [B, L]."""
        known = self.condition(labels, upper, dtype=dtype)
        return self._logits(self.sequence(codes, labels), known, dtype)

    def _logits(self, tokens: Tensor, known: Conditioned, dtype: torch.dtype) -> Tensor:
        out: Tensor = self.decoder(
            tokens, known.start, known.per_position, known.lyrics_states, dtype=dtype
        )
        return out

    def loss(
        self,
        codes: Tensor,
        upper: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> PriorLoss:
        """Return the losses of one batch of whole windows [B, n_ctx], in bits per token.

        The weights: `docs/model.md`, "Loss of a prior".
        """
        known = self.condition(labels, upper, dtype=dtype)
        tokens = self.sequence(codes, labels)
        prefix, n_lyrics = self.config.lyrics_prefix, self.config.n_lyrics_tokens
        bits = _bits(self._logits(tokens, known, dtype), tokens)
        lyrics = bits.new_zeros(())
        if prefix:
            lyrics = bits[:, :prefix].mean()
        elif known.lyrics_states is not None:
            assert labels is not None
            lyrics_logits = self.lyrics_head(known.lyrics_states.float())
            lyrics = _bits(lyrics_logits, self.lyrics_tokens(labels)).mean()
        music = bits[:, prefix:].mean()
        fraction = 0.0 if self.config.lyrics is None else self.config.lyrics.loss_fraction
        whole = n_lyrics + self.config.n_ctx
        total = fraction * lyrics * n_lyrics / whole + music * self.config.n_ctx / whole
        return PriorLoss(total=total, codes=music, lyrics=lyrics)


def _bits(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the cross entropy [B, L] in bits."""
    nats = F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten(), reduction="none")
    return nats.view_as(tokens) / math.log(2)

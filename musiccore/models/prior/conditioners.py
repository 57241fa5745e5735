"""What a prior knows besides codes: upper codes, labels, time, lyrics.

Paper: "Artist, genre, and timing conditioning", "Lyrics conditioning", "Upsamplers".
`docs/model.md`, "Upper codes", "Start vector and time".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from musiccore.errors import ConditioningError
from musiccore.models.config import ConditionerConfig, LabelsConfig, PriorConfig, TimeConfig
from musiccore.models.convolution import residual_stack


class _UpUnit(nn.Module):
    """Residual stack (dilations ascending), then a transposed convolution."""

    def __init__(self, config: ConditionerConfig, n_out: int) -> None:
        super().__init__()
        self.stack = residual_stack(
            config.width,
            config.depth,
            m_conv=config.m_conv,
            growth_rate=config.dilation_growth_rate,
            cycle=config.dilation_cycle,
            reverse=False,
            scale=config.depth**-0.5 if config.res_scale else 1.0,
        )
        stride = config.strides_t
        self.conv = nn.ConvTranspose1d(
            config.width, n_out, 2 * stride, stride=stride, padding=stride // 2
        )

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.conv(self.stack(h))
        return out


class UpperCodeConditioner(nn.Module):
    """Upper codes [B, n_ctx / factor] to per-position conditioning [B, n_ctx, W]."""

    def __init__(self, config: ConditionerConfig, out_width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(config.upper_codebook_size, out_width)
        nn.init.normal_(self.embed.weight, std=0.02 * config.init_scale)
        self.enter = nn.Conv1d(out_width, config.width, 3, padding=1)
        self.units = nn.ModuleList(
            _UpUnit(config, out_width if u == config.downs_t - 1 else config.width)
            for u in range(config.downs_t)
        )
        self.norm = nn.LayerNorm(out_width)

    def forward(self, upper: Tensor) -> Tensor:
        """Map codes [B, L] of the level above to [B, L * factor, W]."""
        h = self.enter(self.embed(upper).transpose(1, 2))
        for unit in self.units:
            h = unit(h)
        out: Tensor = self.norm(h.transpose(1, 2).float())
        return out


class TimeSignal(nn.Module):
    """Sum of three binned embeddings: total length, absolute and relative position."""

    def __init__(self, config: PriorConfig, time: TimeConfig) -> None:
        super().__init__()
        self.time, self.sample_rate, self.n_ctx = time, config.sample_rate, config.n_ctx
        std = 0.01 * config.init_scale
        self.total = nn.Embedding(time.bins, config.width)
        self.absolute = nn.Embedding(time.bins, config.width)
        self.relative = nn.Embedding(time.bins, config.width)
        for table in (self.total, self.absolute, self.relative):
            nn.init.normal_(table.weight, std=std)

    def bins(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the bins of labels [B, 3+] (total, offset, window, in samples).

        Returns:
            total [B, 1], absolute [B, n_ctx] and relative [B, n_ctx], int64.

        Raises:
            ConditioningError: if a length or a position is outside the table.
        """
        total, start, length = (labels[:, i : i + 1].float() for i in range(3))
        end = start + length
        longest = self.time.max_seconds * self.sample_rate
        shortest = self.time.min_seconds * self.sample_rate
        relative_start = start / total
        relative_end = (end / total).clamp(0.0, 1.0)
        self._check("total_seconds", total, shortest, longest)
        self._check("window start", start, 0.0, longest)
        self._check("window end", end, 0.0, longest, closed=True)
        self._check("window start over total length", relative_start, 0.0, 1.0)
        share = torch.arange(self.n_ctx, dtype=torch.float32, device=labels.device) / self.n_ctx
        absolute = start + (end - start) * share
        relative = relative_start + (relative_end - relative_start) * share
        return (
            self._bin(total, shortest, longest),
            self._bin(absolute, 0.0, longest),
            self._bin(relative, 0.0, 1.0),
        )

    def _bin(self, value: Tensor, low: float, high: float) -> Tensor:
        return (self.time.bins * ((value - low) / (high - low))).floor().long()

    def _check(
        self, name: str, value: Tensor, low: float, high: float, *, closed: bool = False
    ) -> None:
        below_end = (value <= high) if closed else (value < high)
        if not bool(((value >= low) & below_end).all()):
            unit = 1.0 if high == 1.0 else self.sample_rate
            raise ConditioningError(
                f"{name} is {float(value.max()) / unit:g}; it must be from {low / unit:g} to "
                f"{high / unit:g}" + ("" if unit == 1.0 else " seconds")
            )

    def forward(self, labels: Tensor) -> Tensor:
        """Map labels [B, 3+] to [B, n_ctx, W]."""
        total, absolute, relative = self.bins(labels)
        out: Tensor = self.total(total) + self.absolute(absolute) + self.relative(relative)
        return out


class LabelConditioner(nn.Module):
    """Artist and genre embeddings: the start vector."""

    def __init__(self, labels: LabelsConfig, width: int, init_scale: float) -> None:
        super().__init__()
        self.genre = nn.Embedding(labels.n_genres, width)
        self.artist = nn.Embedding(labels.n_artists, width)
        for table in (self.genre, self.artist):
            nn.init.normal_(table.weight, std=0.01 * init_scale)
        self.genre_slots = labels.genre_slots

    def forward(self, labels: Tensor) -> Tensor:
        """Map label vectors [B, 4 + genre slots + ...] to the start vector [B, 1, W]."""
        artist = self.artist(labels[:, 3:4])
        slots = labels[:, 4 : 4 + self.genre_slots]
        genres = self.genre(slots.clamp(min=0)) * (slots >= 0).unsqueeze(2)
        out: Tensor = genres.sum(dim=1, keepdim=True) + artist
        return out

"""The complete VQ-VAE.

Paper: "VQ-VAE", "Separated autoencoders".
`docs/model.md`, "Encoder and decoder", "Bottleneck".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiccore.errors import CodesError
from musiccore.models.config import VQVAEConfig
from musiccore.models.vqvae.blocks import Decoder, Encoder
from musiccore.models.vqvae.bottleneck import Codebook


class VQVAE(nn.Module):
    """One independent autoencoder per level; level 0 is the finest."""

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleList(Encoder(config, level) for level in range(config.levels))
        self.decoders = nn.ModuleList(Decoder(config, level) for level in range(config.levels))
        self.codebooks = nn.ModuleList(
            Codebook(size, config.emb_width) for size in config.codebook_sizes
        )

    def codebook(self, level: int) -> Codebook:
        """Return the codebook of a level."""
        book = self.codebooks[level]
        assert isinstance(book, Codebook)
        return book

    def latents(self, audio: Tensor, level: int) -> Tensor:
        """Encode audio [B, 1, T] to unquantised latents [B, E, T // hop_length]."""
        h: Tensor = self.encoders[level](audio)
        if self.config.normalise_encoder:
            h = F.layer_norm(h.float().transpose(1, 2), (h.shape[1],)).transpose(1, 2)
        return h

    def quantise(self, latents: Tensor, level: int) -> Tensor:
        """Map latents [B, E, L] to codes [B, L] int64."""
        batch, width, length = latents.shape
        rows = latents.float().transpose(1, 2).reshape(-1, width)
        codes, _ = self.codebook(level).quantise(rows)
        return codes.view(batch, length)

    @torch.no_grad()
    def encode(self, audio: Tensor, levels: range | None = None) -> list[Tensor]:
        """Encode mono audio to codes.

        Args:
            audio: [B, 1, T], nominally within -1 to 1.
            levels: which levels; all by default.

        Returns:
            int64 codes [B, T // hop_length] per level, finest first.

        Raises:
            CodesError: if audio is shorter than one hop of a wanted level.
        """
        wanted = levels or range(self.config.levels)
        hop = self.config.hop_lengths[wanted[-1]]
        if audio.ndim != 3 or audio.shape[1] != 1 or audio.shape[2] < hop:
            raise CodesError(
                f"audio has shape {list(audio.shape)}; encoding level {wanted[-1]} needs "
                f"[batch, 1, at least {hop} samples]"
            )
        return [self.quantise(self.latents(audio, level), level) for level in wanted]

    @torch.no_grad()
    def decode(self, codes: Tensor, level: int) -> Tensor:
        """Decode the codes of one level.

        Args:
            codes: [B, L] int64 in 0 to K - 1.
            level: which decoder.

        Returns:
            Audio [B, 1, L * hop_length], not clipped.

        Raises:
            CodesError: if a code is outside the codebook.
        """
        self._check_codes(codes, level)
        latents = self.codebook(level).dequantise(codes).transpose(1, 2)
        audio: Tensor = self.decoders[level](latents)
        return audio

    def _check_codes(self, codes: Tensor, level: int) -> None:
        size = self.config.codebook_sizes[level]
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < size:
            raise CodesError(
                f"codes of level {level} span {int(codes.min())} to {int(codes.max())}; "
                f"the codebook holds 0 to {size - 1}"
            )

"""Codes of the training pieces, and the windows that priors train and are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musiccore.models.config import ModelConfig, PriorConfig
from musiccore.models.label_tables import EMPTY_SLOT
from musiccore.models.vqvae import VQVAE
from musiccore.storage.atomic import replace_file
from musiccore.training.data import Clip, RenderedCorpus

Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedClip:
    """One piece as codes.

    Attributes:
        codes: one int64 array per level, cut so that each level spans the same time.
    """

    clip: Clip
    codes: tuple[Array, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBatch:
    """Training windows of one prior: codes [B, n_ctx], upper codes, label vectors."""

    codes: Tensor
    upper: Tensor | None
    labels: Tensor


@torch.inference_mode()
def encode_audio(
    model: VQVAE, audio: npt.NDArray[np.float32], level: int, *, rough: bool = False
) -> Array:
    """Encode mono audio [T] at one level.

    Args:
        rough: half-precision arithmetic, twice as fast; about one code in fifty differs.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rough):
        latents = model.latents(torch.from_numpy(audio)[None, None], level)
    return model.quantise(latents, level)[0].numpy()


def encode_corpus(model: VQVAE, corpus: RenderedCorpus, level: int, path: Path) -> list[Array]:
    """Return the codes of every clip of a rendition, encoded roughly; kept in `path` once made."""
    if not path.exists():
        flat = [
            encode_audio(model, corpus.audio(c.start, c.stop - c.start), level, rough=True)
            for c in corpus.clips
        ]
        replace_file(path, np.concatenate(flat).astype(np.int16).tobytes())
    hop = model.config.hop_lengths[level]
    data = np.frombuffer(path.read_bytes(), dtype=np.int16).astype(np.int64)
    lengths = [(c.stop - c.start) // hop for c in corpus.clips]
    return list(np.split(data, np.cumsum(lengths)[:-1]))


def label_vector(config: PriorConfig, clip: Clip, total: int, offset: int) -> list[int]:
    """Return the label vector of a window that starts `offset` samples in.

    `docs/model.md`, "The label vector".
    """
    artist, genres = clip.label_ids
    return [total, offset, config.window_samples, artist, *genres]


class WindowSource:
    """Windows of one prior, drawn as a function of the step alone."""

    def __init__(self, model: ModelConfig, level: int, clips: list[EncodedClip]) -> None:
        self.config = model.priors[level]
        self.level = level
        needed = self.config.n_ctx
        self.clips = [c for c in clips if len(c.codes[level]) >= needed + self.config.upper_factor]
        weights = np.array([len(c.codes[level]) for c in self.clips], dtype=np.float64)
        self._share = weights / weights.sum()

    def batch(self, step: int, size: int, *, seed: int, upper_noise: float) -> WindowBatch:
        """Draw `size` windows.

        Args:
            upper_noise: largest share of upper codes that are replaced by random ones; the share
                itself is drawn per window.
        """
        draw = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, self.level, step]))
        config, factor = self.config, self.config.upper_factor
        rows, uppers, labels = [], [], []
        for index in draw.choice(len(self.clips), size, p=self._share):
            clip = self.clips[int(index)]
            codes = clip.codes[self.level]
            last = (len(codes) - config.n_ctx) // factor
            start = 0 if draw.random() < 0.08 else int(draw.integers(last + 1)) * factor
            rows.append(codes[start : start + config.n_ctx])
            if config.conditioner is not None:
                above = clip.codes[self.level + 1]
                upper = above[start // factor : (start + config.n_ctx) // factor].copy()
                noisy = draw.random(len(upper)) < draw.random() * upper_noise
                size_above = config.conditioner.upper_codebook_size
                upper[noisy] = draw.integers(size_above, size=int(noisy.sum()))
                uppers.append(upper)
            labels.append(self._labels(clip, start, draw))
        return WindowBatch(
            codes=torch.from_numpy(np.stack(rows)),
            upper=torch.from_numpy(np.stack(uppers)) if uppers else None,
            labels=torch.tensor(labels),
        )

    def _labels(self, clip: EncodedClip, start: int, draw: np.random.Generator) -> list[int]:
        """Label a window.

        Half of them count as part of a shorter excerpt, so that every total length occurs; some
        lack the mode, or name nothing, as requests do.
        """
        config = self.config
        n_samples = clip.clip.stop - clip.clip.start
        offset, end = start * config.hop_length, (start + config.n_ctx) * config.hop_length
        if draw.random() < 0.5:
            begin = int(draw.integers(offset + 1))
            finish = int(draw.integers(end, n_samples + 1))
            n_samples, offset = finish - begin, offset - begin
        labels = label_vector(config, clip.clip, n_samples, offset)
        share = draw.random()
        if share < 0.1:
            labels[3:] = [0, 0, EMPTY_SLOT]  # a request that names nothing
        elif share < 0.2:
            labels[5] = EMPTY_SLOT  # an instrument without a mode
        return labels

    def fixed(self, n_windows: int) -> WindowBatch:
        """Return evenly spread windows with their true labels, the same ones every time."""
        config, factor = self.config, self.config.upper_factor
        rows, uppers, labels = [], [], []
        for k in range(n_windows):
            clip = self.clips[k % len(self.clips)]
            codes = clip.codes[self.level]
            last = (len(codes) - config.n_ctx) // factor
            rounds = -(-n_windows // len(self.clips))
            start = int(last * ((k // len(self.clips)) + 0.5) / rounds) * factor
            rows.append(codes[start : start + config.n_ctx])
            if config.conditioner is not None:
                above = clip.codes[self.level + 1]
                uppers.append(above[start // factor : (start + config.n_ctx) // factor])
            n_samples = clip.clip.stop - clip.clip.start
            labels.append(label_vector(config, clip.clip, n_samples, start * config.hop_length))
        return WindowBatch(
            codes=torch.from_numpy(np.stack(rows)),
            upper=torch.from_numpy(np.stack(uppers)) if uppers else None,
            labels=torch.tensor(labels),
        )

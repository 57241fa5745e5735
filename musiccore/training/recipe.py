"""The recipe of the embedded model, from scores to weights: `jukeflow train nano`.

Stages: render the corpus, train three codec levels, polish their decoders, encode, train three
priors, export. Every
stage keeps its result in the working folder and every training continues from its last
checkpoint, so the same call again resumes. Levels may run side by side as separate processes
(`--stage codec --level 0`), since they share files only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import nn

from musiccore.errors import ConfigError
from musiccore.models.nano import nano
from musiccore.models.prior import Prior
from musiccore.models.vqvae import VQVAE
from musiccore.storage.atomic import replace_file
from musiccore.training.bigram import Bigram, fit_bigram
from musiccore.training.code_windows import EncodedClip, WindowSource, encode_audio, encode_corpus
from musiccore.training.codec import CodecTraining, LevelCodec, train_codec
from musiccore.training.data import (
    Clip,
    RenderedCorpus,
    held_out_audio,
    prepare_corpus,
    read_pieces,
)
from musiccore.training.polish import polish_decoder_
from musiccore.training.priors import PriorTraining, train_prior

Stage = Literal["data", "codec", "polish", "encode", "prior", "export"]
STAGES: tuple[Stage, ...] = ("data", "codec", "polish", "encode", "prior", "export")

CODEC: tuple[CodecTraining, ...] = (
    CodecTraining(
        level=0, steps=2800, waveform=0.1, consistency=1.0, consistency_ramp=(0, 0), batch=4
    ),
    CodecTraining(level=1, steps=2200, waveform=0.0, consistency=1.0, batch=4),
    CodecTraining(
        level=2,
        steps=1700,
        waveform=0.0,
        consistency=1.0,
        consistency_ramp=(600, 1200),
        start_from_bottom=True,
        polish_steps=1700,
        polish_chroma=0.5,
        batch=6,
    ),
)

PRIORS: tuple[PriorTraining, ...] = (
    PriorTraining(steps=2200),
    PriorTraining(steps=1900),
    PriorTraining(steps=2200),
)

RENDITIONS: tuple[tuple[str, ...], ...] = (
    ("plain", "fast"),
    ("plain", "fast"),
    ("plain", "fast", "slow"),
)
"""Renditions whose codes each level's prior trains on: a coarser level has fewer codes."""

N_TEST_WINDOWS = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEvent:
    """Progress of one stage.

    Attributes:
        loss: of the last step; None where a stage has none.
        held_out: bits per code on held-out windows, when they were just measured.
    """

    stage: Stage
    level: int | None
    step: int
    steps: int
    loss: float | None = None
    held_out: float | None = None


Report = Callable[[TrainingEvent], None]


class NanoRecipe:
    """All stages, over one working folder.

    Args:
        folder: working folder, about 2 GB at the end.
        report: called with progress.
        shorten: divides every number of steps; 1 is the recipe, more is a rehearsal.
    """

    def __init__(self, folder: Path, report: Report, *, shorten: int = 1) -> None:
        if shorten < 1:
            raise ConfigError(f"shorten is {shorten}; it must be 1 or more")
        self.folder, self.report, self.shorten = folder, report, shorten
        self.config = nano()

    def run(self, out: Path, stage: Stage | None = None, level: int | None = None) -> None:
        """Run all stages, or one stage, or one level of it; weights go to `out`."""
        if stage is not None and stage not in STAGES:
            raise ConfigError(f"stage is {stage!r}; stages are {', '.join(STAGES)}")
        if level is not None and level not in range(self.config.levels):
            raise ConfigError(f"level is {level}; levels are 0, 1 and 2")
        levels = range(self.config.levels) if level is None else (level,)
        for current in STAGES if stage is None else (stage,):
            if current == "data":
                self.corpora()
            elif current == "export":
                self.export(out)
            else:
                for each in levels:
                    self._level_stage(current, each)

    def _level_stage(self, stage: Stage, level: int) -> None:
        if stage == "codec":
            self.codec(level)
        elif stage == "polish":
            self.polished(level)
        elif stage == "encode":
            self.encode(level)
        else:
            self.prior(level)

    def corpora(self) -> list[RenderedCorpus]:
        """Render the training pieces where that is not done yet."""
        return prepare_corpus(self.folder / "data")

    def codec(self, level: int) -> LevelCodec:
        """Train (or load) one level of the VQ-VAE."""
        options = self._codec_options(level)
        bottom = self.codec(0) if options.start_from_bottom else None
        return train_codec(
            self.config.vqvae,
            self.corpora(),
            options,
            self.folder / f"codec_{level}.safetensors",
            bottom=bottom,
            on_step=lambda step, loss: self.report(
                TrainingEvent(
                    stage="codec", level=level, step=step + 1, steps=options.steps, loss=loss
                )
            ),
        )

    def _codec_options(self, level: int) -> CodecTraining:
        options = CODEC[level]
        return replace(
            options,
            steps=max(options.steps // self.shorten, options.plain_steps + 1),
            polish_steps=max(options.polish_steps // self.shorten, 1),
        )

    def polished(self, level: int) -> LevelCodec:
        """Train (or load) one level, its decoder polished."""
        codec, options = self.codec(level), self._codec_options(level)
        polish_decoder_(
            codec,
            self.corpora(),
            options,
            self.folder / f"polish_{level}.safetensors",
            on_step=lambda step, loss: self.report(
                TrainingEvent(
                    stage="polish",
                    level=level,
                    step=step + 1,
                    steps=options.polish_steps,
                    loss=loss,
                )
            ),
        )
        return codec

    def vqvae(self, levels: tuple[int, ...]) -> VQVAE:
        """Return a VQ-VAE whose given levels encode as trained; decoders are not polished."""
        model = VQVAE(self.config.vqvae)
        for level in levels:
            self.codec(level).into_(model)
        return model.eval()

    def encode(self, level: int) -> None:
        """Encode the renditions that priors train on, and the held-out pieces."""
        model = self.vqvae((level,))
        for corpus in self._prior_corpora(level):
            encode_corpus(model, corpus, level, self._codes_path(corpus, level))

    def _prior_corpora(self, level: int) -> list[RenderedCorpus]:
        return [c for c in self.corpora() if c.rendition.name in RENDITIONS[level]]

    def _codes_path(self, corpus: RenderedCorpus, level: int) -> Path:
        return self.folder / f"codes_{corpus.rendition.name}_{level}.i16"

    def clips(self, level: int) -> list[EncodedClip]:
        """Return the training pieces as codes of `level` and the level above."""
        upper = min(level + 1, self.config.levels - 1)
        model = self.vqvae(tuple(sorted({level, upper})))
        out: list[EncodedClip] = []
        for corpus in self._prior_corpora(level):
            per_level = {
                each: encode_corpus(model, corpus, each, self._codes_path(corpus, each))
                for each in {level, upper}
            }
            for index, clip in enumerate(corpus.clips):
                codes = [per_level[each][index] if each in per_level else None for each in range(3)]
                out.append(_clip(clip, codes))
        return out

    def held_out(self, model: VQVAE, levels: tuple[int, ...]) -> list[EncodedClip]:
        """Return the held-out pieces as codes."""
        modes = {piece.name: piece.mode for piece in read_pieces(self.folder / "data")}
        out = []
        for name, audio in held_out_audio().items():
            codes = [encode_audio(model, audio, k) if k in levels else None for k in range(3)]
            clip = Clip(piece=name, mode=modes[name], start=0, stop=len(audio))
            out.append(_clip(clip, codes))
        return out

    def prior(self, level: int) -> Prior:
        """Train (or load) the prior of one level."""
        upper = min(level + 1, self.config.levels - 1)
        levels = tuple(sorted({level, upper}))
        clips = self.clips(level)
        bigram = self.bigram(level, clips)
        source = WindowSource(self.config, level, clips)
        test = WindowSource(self.config, level, self.held_out(self.vqvae(levels), levels))
        windows = test.fixed(N_TEST_WINDOWS)
        options = replace(PRIORS[level], steps=max(PRIORS[level].steps // self.shorten, 1))
        return train_prior(
            self.config.priors[level],
            source,
            windows,
            bigram,
            options,
            self.folder / f"prior_{level}.safetensors",
            on_step=lambda step, loss: self.report(
                TrainingEvent(
                    stage="prior", level=level, step=step + 1, steps=options.steps, loss=loss
                )
            ),
            on_test=lambda step, bits: self.report(
                TrainingEvent(
                    stage="prior", level=level, step=step, steps=options.steps, held_out=bits
                )
            ),
        )

    def bigram(self, level: int, clips: list[EncodedClip]) -> Bigram:
        """Fit the bigram table of the training codes of a level."""
        return fit_bigram([c.codes[level] for c in clips], self.config.vqvae.codebook_sizes[level])

    def export(self, out: Path) -> None:
        """Write the weights in half precision: one file for the VQ-VAE, one per prior.

        The working folder is not needed afterwards.
        """
        out.mkdir(parents=True, exist_ok=True)
        whole = VQVAE(self.config.vqvae)
        for level in range(self.config.levels):
            self.polished(level).into_(whole)
        write_half(whole, out / "vqvae.safetensors")
        for level in range(self.config.levels):
            write_half(self.prior(level), out / f"prior_level_{level}.safetensors")


def _clip(clip: Clip, codes: Sequence[npt.NDArray[np.int64] | None]) -> EncodedClip:
    empty = np.zeros(0, dtype=np.int64)
    whole = tuple(empty if c is None else np.asarray(c, dtype=np.int64) for c in codes)
    return EncodedClip(clip=clip, codes=whole)


def write_half(module: nn.Module, path: Path) -> None:
    """Write a module's state dict as float16 safetensors, byte for byte reproducible."""
    tensors = {name: t.detach().half().contiguous() for name, t in module.state_dict().items()}
    replace_file(path, save(dict(sorted(tensors.items()))))


def one_thread() -> None:
    """Use one processor thread: small matrices run slower on two."""
    torch.set_num_threads(1)

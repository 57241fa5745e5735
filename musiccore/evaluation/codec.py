"""Gates of the VQ-VAE: how near its reconstruction is, and how much of the codebook it uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from musiccore.audio import measures
from musiccore.evaluation.gates import Gate
from musiccore.models.vqvae import VQVAE

Samples = npt.NDArray[np.float32]
Array = npt.NDArray[np.int64]

CLIP_SECONDS = 8.0
_LEVEL_NAMES = ("bottom", "middle", "top")
_LOG_MEL = (8.5, 8.5, 8.5)
_CONVERGENCE = (0.35, None, None)
_CHROMA = (0.97, 0.93, 0.90)


def clips_of(pieces: dict[str, Samples], sample_rate: int) -> list[Samples]:
    """Return one clip of 8 s from the middle of each piece."""
    length = int(CLIP_SECONDS * sample_rate)
    return [a[(len(a) - length) // 2 :][:length] for a in pieces.values() if len(a) >= length]


@torch.inference_mode()
def reconstruct(model: VQVAE, clip: Samples, level: int) -> Samples:
    """Encode and decode one clip [T] at one level; T is a multiple of the hop length."""
    latents = model.latents(torch.from_numpy(clip)[None, None], level)
    decoded = model.decode(model.quantise(latents, level), level)[0, 0]
    return np.asarray(decoded.numpy(), dtype=np.float32)


def mean_of(measure: list[float]) -> float:
    """Return the mean of a list of numbers."""
    return float(np.mean(measure))


def reconstruction_gates(model: VQVAE, clips: list[Samples], level: int) -> list[Gate]:
    """Compare held-out clips with their reconstruction; the control compares them with others."""
    rate, name = model.config.sample_rate, _LEVEL_NAMES[level]
    made = [reconstruct(model, clip, level) for clip in clips]
    others = clips[1:] + clips[:1]

    def both(measure: object, unit: str, label: str, comparison: str, bound: float) -> Gate:
        assert callable(measure)
        return Gate(
            gate=f"{name} reconstruction: {label}",
            value=mean_of([measure(a, b) for a, b in zip(clips, made, strict=True)]),
            comparison="<=" if comparison == "<=" else ">=",
            bound=bound,
            controls={
                "another clip": mean_of([measure(a, b) for a, b in zip(clips, others, strict=True)])
            },
            unit=unit,
        )

    gates = [
        both(
            lambda a, b: measures.log_mel_distance(a, b, rate),
            "dB",
            "log-mel distance",
            "<=",
            _LOG_MEL[level],
        ),
        both(
            lambda a, b: measures.chroma_correlation(a, b, rate),
            "",
            "chroma correlation",
            ">=",
            _CHROMA[level],
        ),
    ]
    bound = _CONVERGENCE[level]
    if bound is not None:
        gates.insert(
            1, both(measures.spectral_convergence, "", "spectral convergence", "<=", bound)
        )
    return gates


def usage_gates(codes: list[Array], size: int, level: int) -> list[Gate]:
    """Judge the use of the codebook over all held-out codes of a level."""
    name = _LEVEL_NAMES[level]
    counts = np.bincount(np.concatenate(codes), minlength=size)
    share = counts[counts > 0] / counts.sum()
    return [
        Gate(
            gate=f"{name} codebook: share of codes used",
            value=float((counts > 0).mean()),
            comparison=">=",
            bound=0.85,
            controls={"one code": 1 / size},
        ),
        Gate(
            gate=f"{name} codebook: perplexity",
            value=float(np.exp(-(share * np.log(share)).sum())),
            comparison=">=",
            bound=size / 2,
            controls={"uniform": float(size), "one code": 1.0},
        ),
    ]

"""Gates of the whole chain: does a cascade carry the music, and is generated audio music.

Paper: "Sampling". The measures are those of `docs/nano.md`, "Gates".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from musiccore.audio import measures
from musiccore.evaluation.codec import Samples, mean_of
from musiccore.evaluation.gates import Gate
from musiccore.models.config import ModelConfig
from musiccore.models.labels import NANO_TABLES, Labeller
from musiccore.models.prior import Prior
from musiccore.models.vqvae import VQVAE
from musiccore.sampling.chain import LevelSampler, complete_level
from musiccore.sampling.sampler import LevelOptions
from musiccore.training.code_windows import EncodedClip

Array = npt.NDArray[np.int64]

N_CASCADE = 8
N_GENERATED = 6
SILENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCascade:
    """A complete model in memory, with the seed of its draws."""

    config: ModelConfig
    vqvae: VQVAE
    priors: Sequence[Prior]
    seed: int = 0

    def sample(
        self, level: int, n_codes: int, upper: Array | None, clips: Sequence[EncodedClip]
    ) -> Array:
        """Sample one level from nothing, with the labels of some pieces.

        Args:
            n_codes: codes wanted.
            upper: codes [B, n_codes / factor] of the level above; None at the top.
            clips: the pieces, one per row; only their labels and lengths are used.

        Returns:
            int64 [B, n_codes].
        """
        labeller = Labeller(self.config.priors[level], NANO_TABLES)
        sampler = LevelSampler(
            prior=self.priors[level],
            window_hop=self.config.default_window_hop(level),
            options=LevelOptions(temperature=self.config.temperatures[level]),
            labeller=labeller,
            labels=[
                labeller.full("bach", f"piano {c.clip.mode}", "", c.clip.stop - c.clip.start)
                for c in clips
            ],
            seed=self.seed,
        )
        known = np.zeros((len(clips), 0), dtype=np.int64)
        return complete_level(sampler, known, n_codes, upper=upper)

    @torch.inference_mode()
    def decode(self, codes: Array, level: int) -> list[Samples]:
        """Decode codes [B, L] of a level to mono clips."""
        audio = self.vqvae.decode(torch.from_numpy(codes), level)[:, 0]
        return [np.asarray(row.numpy(), dtype=np.float32) for row in audio]


def cascade_gates(
    chain: LevelCascade, clips: Sequence[EncodedClip], audio: dict[str, Samples]
) -> list[Gate]:
    """Upsample the real top codes of held-out pieces and compare the chroma with the original."""
    config, chosen = chain.config, list(clips)[:N_CASCADE]
    n_top = config.top.n_ctx
    rate = config.vqvae.sample_rate
    length = n_top * config.vqvae.hop_lengths[2]
    real = [audio[c.clip.piece][:length] for c in chosen]
    top = np.stack([c.codes[2][:n_top] for c in chosen])
    middle = chain.sample(1, n_top * 2, top, chosen)
    bottom = chain.sample(0, n_top * 4, middle, chosen)

    def correlation(made: list[Samples], original: list[Samples]) -> float:
        pairs = zip(original, made, strict=True)
        return mean_of([measures.chroma_correlation(a, b, rate) for a, b in pairs])

    made = chain.decode(bottom, 0)
    return [
        Gate(
            gate="cascade: chroma correlation of real top codes upsampled to level 0",
            value=correlation(made, real),
            comparison=">=",
            bound=0.5,
            aim=0.7,
            controls={
                "another piece": correlation(made, real[1:] + real[:1]),
                "level 1 of the same cascade": correlation(chain.decode(middle, 1), real),
                "top reconstruction": correlation(chain.decode(top, 2), real),
                "level 0 reconstruction": correlation(
                    chain.decode(np.stack([c.codes[0][: n_top * 4] for c in chosen]), 0), real
                ),
            },
        )
    ]


def generated_gates(
    chain: LevelCascade, clips: Sequence[EncodedClip], audio: dict[str, Samples]
) -> list[Gate]:
    """Generate pieces from nothing through all levels and measure the level-0 audio."""
    config, chosen = chain.config, list(clips)[:N_GENERATED]
    n_top, rate = config.top.n_ctx + config.top.n_ctx // 4, config.vqvae.sample_rate
    length = n_top * config.vqvae.hop_lengths[2]
    real = [audio[c.clip.piece][:length] for c in chosen]
    top = chain.sample(2, n_top, None, chosen)
    middle = chain.sample(1, n_top * 2, top, chosen)
    bottom = chain.sample(0, n_top * 4, middle, chosen)
    made = chain.decode(bottom, 0)
    noise_source = np.random.Generator(np.random.Philox(key=chain.seed))
    noise = [noise_source.normal(0, 0.1, length).astype(np.float32) for _ in range(2)]
    shuffled = np.stack([noise_source.permutation(row) for row in bottom])
    controls = {
        "held-out pieces": real,
        "top level decoded alone": chain.decode(top, 2),
        "level-0 codes shuffled": chain.decode(shuffled, 0),
        "white noise": noise,
    }

    def mean(measure: Callable[[Samples], float], group: list[Samples]) -> float:
        return mean_of([measure(clip) for clip in group])

    def others(measure: Callable[[Samples], float]) -> dict[str, float]:
        return {name: mean(measure, group) for name, group in controls.items()}

    def pitch(clip: Samples) -> float:
        return measures.tuned(clip, rate)

    def silence(clip: Samples) -> float:
        return measures.longest_silence(clip, rate)

    def entropy(clip: Samples) -> float:
        return measures.chroma_entropy(clip, rate)

    def onsets(clip: Samples) -> float:
        return measures.onset_rate(clip, rate)

    def level(clip: Samples) -> float:
        return 20 * float(np.log10(max(measures.rms(clip), 1e-6)))

    return [
        Gate(
            gate="generated: tuned",
            value=mean(pitch, made),
            comparison=">=",
            bound=1.4,
            aim=1.6,
            controls=others(pitch),
        ),
        Gate(
            gate="generated: longest silence",
            value=max(silence(clip) for clip in made),
            comparison="<=",
            bound=SILENCE_SECONDS,
            unit="s",
            controls=others(silence),
        ),
        Gate(
            gate="generated: chroma entropy against held-out pieces",
            value=abs(mean(entropy, made) - mean(entropy, real)),
            comparison="<=",
            bound=0.5,
            unit="bits",
            controls=others(entropy),
        ),
        Gate(
            gate="generated: onset rate over that of held-out pieces, distance in octaves",
            value=abs(float(np.log2(max(mean(onsets, made), 1e-3) / mean(onsets, real)))),
            comparison="<=",
            bound=1.0,
            controls=others(onsets),
        ),
        Gate(
            gate="generated: loudness against held-out pieces",
            value=abs(mean(level, made) - mean(level, real)),
            comparison="<=",
            bound=6.0,
            unit="dB",
            controls=others(level),
        ),
    ]

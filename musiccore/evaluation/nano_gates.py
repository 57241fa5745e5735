"""`jukeflow evaluate nano`: every gate of the embedded model, recomputed from its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from musiccore.errors import CheckpointError
from musiccore.evaluation.codec import Array, clips_of, reconstruction_gates, usage_gates
from musiccore.evaluation.gates import Gate
from musiccore.evaluation.generation import LevelCascade, cascade_gates, generated_gates
from musiccore.evaluation.likelihood import likelihood_gates
from musiccore.models.checkpoints import load_prior, load_vqvae
from musiccore.models.nano import HELD_OUT, nano
from musiccore.models.prior import Prior
from musiccore.models.vqvae import VQVAE
from musiccore.scores.notation import chorale_names, read_chorale
from musiccore.training.bigram import fit_bigram
from musiccore.training.code_windows import EncodedClip, WindowSource, encode_audio
from musiccore.training.data import Clip, play
from musiccore.training.recipe import N_TEST_WINDOWS

Report = Callable[[str, float], None]


def weights_folder() -> Path:
    """Return where the embedded weights are."""
    return Path(__file__).parent.parent / "weights" / "nano"


def load_nano(folder: Path | None = None) -> tuple[VQVAE, list[Prior]]:
    """Load the embedded model.

    Raises:
        CheckpointError: if a file is missing or does not fit.
    """
    config, where = nano(), folder or weights_folder()
    if not (where / "vqvae.safetensors").is_file():
        raise CheckpointError(
            f"weights: {where} holds no nano model", hint="make it with `jukeflow train nano`"
        )
    priors = [load_prior(p, where / f"prior_level_{p.level}.safetensors") for p in config.priors]
    return load_vqvae(config.vqvae, where / "vqvae.safetensors"), priors


def _training_codes(model: VQVAE, n_pieces: int | None, report: Report) -> list[list[Array]]:
    """Encode the training pieces at their plain tempo: per level, one array per piece."""
    names = [name for name in chorale_names() if name not in HELD_OUT][:n_pieces]
    out: list[list[Array]] = [[] for _ in range(model.config.levels)]
    for index, name in enumerate(names):
        audio = play(read_chorale(name).in_c_or_a())
        for level, codes in enumerate(out):
            codes.append(encode_audio(model, audio, level, rough=True))
        report("bigram tables: encoding the training pieces", (index + 1) / len(names))
    return out


def evaluate(
    folder: Path | None = None,
    *,
    report: Report = lambda _what, _share: None,
    n_bigram_pieces: int | None = None,
    seed: int = 0,
) -> list[Gate]:
    """Measure every gate of the embedded model.

    Args:
        folder: weights; the embedded ones by default.
        report: told what is being done and the share done, 0 to 1.
        n_bigram_pieces: training pieces for the bigram baseline; all by default. Fewer make a
            weaker baseline, for a quick look only.
        seed: of the sampled parts.

    Returns:
        The gates, in the order of the model card.

    Raises:
        CheckpointError: if the weights are missing or do not fit.
    """
    torch.set_num_threads(1)
    config = nano()
    vqvae, priors = load_nano(folder)
    report("held-out pieces", 0.0)
    pieces = {name: read_chorale(name).in_c_or_a() for name in HELD_OUT}
    audio = {name: play(piece) for name, piece in pieces.items()}
    clips = [
        EncodedClip(
            clip=Clip(piece=name, mode=pieces[name].mode, start=0, stop=len(samples)),
            codes=tuple(encode_audio(vqvae, samples, level) for level in range(3)),
        )
        for name, samples in audio.items()
    ]
    gates: list[Gate] = []
    short = clips_of(audio, config.vqvae.sample_rate)
    for level in range(config.levels):
        report("VQ-VAE", level / config.levels)
        gates += reconstruction_gates(vqvae, short, level)
        size = config.vqvae.codebook_sizes[level]
        gates += usage_gates([clip.codes[level] for clip in clips], size, level)
    training = _training_codes(vqvae, n_bigram_pieces, report)
    for level in reversed(range(config.levels)):
        report("priors", 1 - (level + 1) / config.levels)
        windows = WindowSource(config, level, clips).fixed(N_TEST_WINDOWS)
        bigram = fit_bigram(training[level], config.vqvae.codebook_sizes[level])
        gates += likelihood_gates(priors[level], windows, bigram, level)
    long_enough = [c for c in clips if c.clip.stop - c.clip.start >= 11 * 16_000]
    chain = LevelCascade(config=config, vqvae=vqvae, priors=priors, seed=seed)
    report("cascade", 0.0)
    gates += cascade_gates(chain, long_enough, audio)
    report("generation", 0.5)
    gates += generated_gates(chain, long_enough, audio)
    report("done", 1.0)
    return gates

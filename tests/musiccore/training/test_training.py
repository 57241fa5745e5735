"""Training of small networks: exact resume, windows that line up, honest baselines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from musiccore.errors import ConfigError
from musiccore.models.nano import GENRES, nano
from musiccore.models.prior import Prior
from musiccore.training.bigram import Bigram, fit_bigram, start_from_bigram_
from musiccore.training.code_windows import EncodedClip, WindowSource
from musiccore.training.codec import CodecTraining, k_means, train_codec
from musiccore.training.data import RENDITIONS, Clip, RenderedCorpus
from musiccore.training.priors import PriorTraining, held_out_bits, train_prior
from musiccore.training.recipe import NanoRecipe

FACTORS = (4, 2, 1)
SIZE = 64


class Killed(BaseException):
    """Stands for a process that dies."""


def _stop_at(step: int):
    def on_step(done: int, _loss: float) -> None:
        if done == step:
            raise Killed

    return on_step


@pytest.fixture(scope="module")
def corpus() -> RenderedCorpus:
    draw = np.random.Generator(np.random.Philox(key=1))
    pcm = draw.integers(-8000, 8000, 40_000).astype(np.int16)
    clip = Clip(piece="noise", mode="major", start=0, stop=40_000)
    return RenderedCorpus(rendition=RENDITIONS[0], clips=(clip,), pcm=pcm)


@pytest.fixture(scope="module")
def clips() -> list[EncodedClip]:
    draw = np.random.Generator(np.random.Philox(key=2))
    out = []
    for index in range(12):
        codes = np.cumsum(draw.integers(1, 4, 4 * 700)) % SIZE  # steps of 1 to 3: easy to predict
        per_level = tuple(
            codes[:: FACTORS[2 - level]][: 700 * FACTORS[level]] for level in range(3)
        )
        clip = Clip(piece=str(index), mode="minor", start=0, stop=700 * 256)
        out.append(EncodedClip(clip=clip, codes=per_level))
    return out


def _codec_options(**changes: object) -> CodecTraining:
    small = CodecTraining(
        level=0,
        steps=5,
        waveform=0.1,
        consistency=1.0,
        batch=1,
        crop_samples=2048,
        plain_steps=2,
        save_every=2,
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def test_an_interrupted_codec_training_ends_with_the_same_weights(
    tmp_path: Path, corpus: RenderedCorpus
) -> None:
    config = replace(nano().vqvae, width=8, codebook_sizes=(16, 16, 16))
    options = _codec_options()
    whole = train_codec(config, [corpus], options, tmp_path / "whole")
    with pytest.raises(Killed):
        train_codec(config, [corpus], options, tmp_path / "cut", on_step=_stop_at(3))
    resumed = train_codec(config, [corpus], options, tmp_path / "cut")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_an_interrupted_prior_training_ends_with_the_same_weights(
    tmp_path: Path, clips: list[EncodedClip]
) -> None:
    model = nano()
    config = replace(model.priors[1], width=16, depth=1, heads=2, codebook_size=SIZE)
    source = WindowSource(model, 1, clips)
    bigram = fit_bigram([c.codes[1] for c in clips], SIZE)
    options = PriorTraining(steps=4, batch=1, save_every=1)

    def train(name: str, stop: int | None = None) -> Prior:
        return train_prior(
            config,
            source,
            source.fixed(1),
            bigram,
            options,
            tmp_path / name,
            on_step=None if stop is None else _stop_at(stop),
        )

    whole = train("whole")
    with pytest.raises(Killed):
        train("cut", 2)
    resumed = train("cut")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_upper_codes_of_a_window_are_those_of_the_same_time(clips: list[EncodedClip]) -> None:
    model = nano()
    for level in (0, 1):
        batch = WindowSource(model, level, clips).batch(3, 4, seed=0, upper_noise=0.0)
        assert batch.upper is not None
        assert torch.equal(batch.codes[:, ::2], batch.upper)  # the fixture decimates


def test_noise_changes_some_upper_codes(clips: list[EncodedClip]) -> None:
    batch = WindowSource(nano(), 0, clips).batch(3, 8, seed=0, upper_noise=0.5)
    assert batch.upper is not None
    changed = (batch.codes[:, ::2] != batch.upper).float().mean()
    assert 0.05 < changed < 0.5


def test_windows_have_labels_that_the_prior_accepts(clips: list[EncodedClip]) -> None:
    model = nano()
    top = Prior(model.top)
    source = WindowSource(model, 2, clips)
    for step in range(20):
        labels = source.batch(step, 8, seed=0, upper_noise=0.0).labels
        top.condition(labels, None)
        assert (labels[:, 1] >= 0).all()
        assert (labels[:, 1] + labels[:, 2] <= labels[:, 0]).all()
        assert set(labels[:, 4].tolist()) <= {0, GENRES["piano"]}
        assert set(labels[:, 5].tolist()) <= {-1, GENRES["minor"]}


def test_a_bigram_table_beats_the_unigram_where_order_matters(clips: list[EncodedClip]) -> None:
    codes = [c.codes[2] for c in clips]
    bigram = fit_bigram(codes, SIZE)
    windows = torch.from_numpy(np.stack([c[:512] for c in codes]))
    assert bigram.bits(windows) < bigram.unigram_bits(windows) - 1
    assert torch.allclose(bigram.log_bigram.exp().sum(dim=1), torch.ones(SIZE), atol=1e-3)


def test_a_prior_starts_near_its_bigram_table(clips: list[EncodedClip]) -> None:
    model = nano()
    size = SIZE
    draw = np.random.Generator(np.random.Philox(key=5))
    sequences = [np.cumsum(draw.integers(1, 3, 2000)) % size for _ in range(10)]
    bigram = fit_bigram(sequences, size)
    config = replace(model.top, codebook_size=size, width=64, time=None)
    prior = Prior(config)
    start_from_bigram_(prior, bigram)
    clip = Clip(piece="x", mode="major", start=0, stop=512 * 256 * 3)
    rows = [EncodedClip(clip=clip, codes=(s, s, s)) for s in sequences]
    windows = WindowSource(model, 2, rows).fixed(4)
    assert held_out_bits(prior, windows) < bigram.bits(windows.codes) + 0.6
    assert bigram.bits(windows.codes) < 2 < bigram.unigram_bits(windows.codes)


def test_k_means_finds_separate_clusters() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    rows = (centres[:, None] + 0.1 * torch.randn(4, 50, 2, generator=generator)).reshape(-1, 2)
    found = k_means(rows, 16, 5, generator)
    assert (torch.cdist(centres, found).min(dim=1).values < 0.3).all()


def test_bits_of_a_known_table() -> None:
    half = torch.full((2,), 0.5).log()
    bigram = Bigram(log_unigram=half, log_bigram=half.repeat(2, 1))
    assert bigram.bits(torch.tensor([[0, 1, 1, 0]])) == pytest.approx(1.0)


def test_unknown_stage_and_level_are_refused(tmp_path: Path) -> None:
    recipe = NanoRecipe(tmp_path, lambda _event: None)
    with pytest.raises(ConfigError, match="stages are data, codec"):
        recipe.run(tmp_path, "bake")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="levels are 0, 1 and 2"):
        recipe.run(tmp_path, "codec", 3)
    with pytest.raises(ConfigError, match="shorten"):
        NanoRecipe(tmp_path, lambda _event: None, shorten=0)

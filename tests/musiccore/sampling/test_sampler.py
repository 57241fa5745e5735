"""Windows, levels and chains, with a prior that counts and with tiny random ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from musiccore.errors import CodesError, ConfigError, DeviceError
from musiccore.models.config import LyricsConfig, PriorConfig
from musiccore.models.labels import NANO_TABLES, Labeller
from musiccore.models.presets import preset
from musiccore.models.random_weights import random_prior
from musiccore.sampling.alignment import align
from musiccore.sampling.chain import (
    LevelSampler,
    WindowDone,
    complete_chain,
    complete_level,
    extend_level,
)
from musiccore.sampling.decode import StepDecoder
from musiccore.sampling.sampler import GREEDY, CodeArray, LevelOptions, sample_window
from musiccore.sampling.windows import Window, plan_windows
from musiccore.testing import CountingPrior, tiny_prior

TINY = preset("tiny")
TOTAL_SAMPLES = 8000 * 60


def counting(level: int = 2, **changes: object) -> CountingPrior:
    config = replace(TINY.priors[level], codebook_size=4096, **changes)
    return CountingPrior(config)


def nothing(batch: int) -> CodeArray:
    return np.zeros((batch, 0), dtype=np.int64)


def labels(level: int, batch: int) -> tuple[Labeller, list[np.ndarray]]:
    labeller = Labeller(TINY.priors[level], NANO_TABLES)
    full = labeller.full("bach", "piano", "one two three four five six", TOTAL_SAMPLES)
    return labeller, [labeller.window_labels(full, 0)[0]] * batch


def sampler(level: int, **changes: object) -> LevelSampler:
    config = TINY.priors[level]
    labeller = Labeller(config, NANO_TABLES)
    full = labeller.full("bach", "piano major", "one two three four five six", TOTAL_SAMPLES)
    values: dict[str, object] = {
        "prior": tiny_prior(level, seed=level),
        "window_hop": TINY.default_window_hop(level),
        "options": LevelOptions(),
        "labeller": labeller,
        "labels": [full] * 8,
        "seed": 11,
    }
    return LevelSampler(**(values | changes))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------- bookkeeping


@pytest.mark.parametrize("n_known", [0, 20, 64, 100])
@pytest.mark.parametrize("n_codes", [40, 64, 65, 90, 200])
def test_codes_of_a_counting_prior_are_their_positions(n_codes: int, n_known: int) -> None:
    prior = counting()
    known = np.tile(np.arange(n_known), (3, 1))
    level = LevelSampler(prior=prior, window_hop=16, options=GREEDY, max_batch=2)
    codes = complete_level(level, known, n_codes)
    assert np.array_equal(codes, np.tile(np.arange(max(n_codes, n_known)), (3, 1)))
    assert prior.steps == 2 * max(0, n_codes - n_known)  # two groups


def test_windows_are_primed_with_the_codes_before_them() -> None:
    prior = counting()
    complete_level(LevelSampler(prior=prior, window_hop=16, options=GREEDY), nothing(1), 90)
    found = [(int(k[0, 0]) if k.numel() else 0, k.shape[1]) for k in prior.known]
    assert found == [(0, 0), (16, 48), (26, 54)]


def test_upsampler_windows_get_the_upper_codes_above_them() -> None:
    prior = counting(0)
    level = LevelSampler(prior=prior, window_hop=32, options=GREEDY)
    upper = np.arange(40)[None]
    complete_level(level, nothing(1), 160, upper=upper)
    spans = [(int(u[0, 0]), int(u[0, -1])) for u in prior.upper if u is not None]
    assert spans == [(0, 15), (8, 23), (16, 31), (24, 39)]


def test_upsampler_without_enough_upper_codes_is_refused() -> None:
    level = LevelSampler(prior=counting(0), window_hop=32, options=GREEDY)
    with pytest.raises(CodesError, match="upper codes"):
        complete_level(level, nothing(1), 64, upper=np.arange(15)[None])


def test_co_composition_adds_to_what_is_there_and_slides() -> None:
    prior = counting()
    level = LevelSampler(prior=prior, window_hop=16, options=GREEDY)
    codes = nothing(2)
    for n_new in (24, 24, 16, 24):
        codes = extend_level(level, codes, n_new)
    assert np.array_equal(codes, np.tile(np.arange(88), (2, 1)))
    assert [k.shape[1] for k in prior.known] == [0, 24, 48, 40]


def test_code_zero_stands_for_characters_that_were_drawn_and_they_are_fed_back_raw() -> None:
    lyrics = LyricsConfig(mode="single", n_tokens=16, n_vocab=79, loss_fraction=0.4)
    config = replace(TINY.top, lyrics=lyrics, attention_order=12, alignment=None)

    class Letters(CountingPrior):
        """Draws character 5, then counts on from it."""

        def __init__(self, config: PriorConfig) -> None:
            super().__init__(config)
            self.fed: list[int] = []

        def step(self, tokens: torch.Tensor | None = None) -> torch.Tensor:
            if tokens is not None:
                self.fed += tokens.tolist()
            wanted = 5 if tokens is None else int(tokens[0]) + 37
            return torch.nn.functional.one_hot(
                torch.tensor([wanted]), self.config.n_vocabulary
            ).float()

    prior = Letters(config)
    window = Window(index=0, start=0, end=3, known=0)
    codes = sample_window(prior, window, nothing(1), None, None, GREEDY, seed=0, takes=[0])
    assert codes.tolist() == [[0, 0, 0]]  # ids 5, 42 and 79, the last of which is code 0
    assert prior.fed == [5, 42]


# -------------------------------------------------------------------------------------- randomness


def test_draws_depend_on_the_take_and_not_on_the_batch() -> None:
    level = sampler(2)
    together = complete_level(level, nothing(5), 80)
    for size in (1, 2, 3):
        apart = complete_level(replace(level, max_batch=size), nothing(5), 80)
        assert np.array_equal(apart, together)
    assert len({row.tobytes() for row in together}) == 5


def test_rows_have_seeds_takes_and_options_of_their_own() -> None:
    """Each row draws as it would with copies of itself for neighbours."""
    window = Window(index=3, start=0, end=24, known=0)
    _, one = labels(2, 1)
    seeds, takes = (5, 6, 5), (0, 2, 1)
    options = (LevelOptions(), LevelOptions(temperature=0.7), LevelOptions(top_k=3))

    def sample(rows: tuple[int, ...]) -> CodeArray:
        return sample_window(
            tiny_prior(2, seed=1),
            window,
            nothing(len(rows)),
            None,
            np.stack(one * len(rows)),
            [options[row] for row in rows],
            seed=[seeds[row] for row in rows],
            takes=[takes[row] for row in rows],
        )

    together = sample((0, 1, 2))
    for row in range(3):
        assert np.array_equal(together[row], sample((row, row, row))[row])
    assert len({codes.tobytes() for codes in together}) == 3


def test_seed_window_and_level_change_the_draw() -> None:
    labeller, vectors = labels(2, 1)
    del labeller
    prior, window = tiny_prior(2), Window(index=0, start=0, end=64, known=0)

    def sample(seed: int, index: int) -> bytes:
        return sample_window(
            prior,
            window,
            nothing(1),
            None,
            np.stack(vectors),
            LevelOptions(),
            seed=seed,
            takes=[0],
            window_index=index,
        ).tobytes()

    assert sample(1, 0) == sample(1, 0)
    assert len({sample(1, 0), sample(2, 0), sample(1, 1)}) == 3


def test_interrupted_level_goes_on_with_the_same_codes() -> None:
    level = sampler(0)
    upper = np.tile(np.arange(48) % 32, (2, 1))
    whole = complete_level(level, nothing(2), 192, upper=upper)
    done: list[WindowDone] = []

    def stop(event: WindowDone) -> None:
        done.append(event)
        if event.window.index == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        complete_level(level, nothing(2), 192, upper=upper, on_window=stop)
    kept = np.concatenate([event.codes for event in done], axis=1)
    windows = plan_windows(192, 64, 32, n_known=kept.shape[1])
    assert [w.index for w in windows] == [2, 3, 4]
    assert np.array_equal(complete_level(level, kept, 192, upper=upper), whole)


def test_greedy_sampling_takes_the_likeliest_code() -> None:
    labeller, vectors = labels(2, 2)
    del labeller
    prior, window = tiny_prior(2, scale=2.0), Window(index=0, start=0, end=64, known=0)
    y = torch.from_numpy(np.stack(vectors))
    codes = sample_window(prior, window, nothing(2), None, y.numpy(), GREEDY, seed=0, takes=[0, 1])
    with torch.no_grad():
        assert np.array_equal(prior(torch.from_numpy(codes), None, y).argmax(2).numpy(), codes)


def test_decoder_passed_in_keeps_its_caches() -> None:
    labeller, vectors = labels(2, 2)
    del labeller
    prior, window = tiny_prior(2), Window(index=0, start=0, end=64, known=0)
    arguments = (window, nothing(2), None, np.stack(vectors), LevelOptions())
    expected = sample_window(prior, *arguments, seed=3, takes=[4, 5])
    with StepDecoder(prior, 2) as decoder:
        found = sample_window(decoder, *arguments, seed=3, takes=[4, 5])
        assert decoder.caches
    assert np.array_equal(found, expected)


def test_progress_is_told_after_each_position() -> None:
    told: list[int] = []
    window = Window(index=0, start=0, end=9, known=4)
    known = np.arange(4)[None]
    sample_window(
        counting(), window, known, None, None, GREEDY, seed=0, takes=[0], on_step=told.append
    )
    assert told == [1, 2, 3, 4, 5]


# ------------------------------------------------------------------------------------------ chains


def test_chain_samples_from_the_top_down() -> None:
    events: list[WindowDone] = []
    codes = complete_chain(
        [sampler(0), sampler(1), sampler(2)],
        [nothing(2)] * 3,
        [1024, 256, 64],
        on_window=events.append,
    )
    assert [c.shape for c in codes] == [(2, 1024), (2, 256), (2, 64)]
    assert [e.level for e in events] == sorted((e.level for e in events), reverse=True)


def test_upsampling_leaves_the_levels_above_alone() -> None:
    top = np.random.Generator(np.random.Philox(3)).integers(0, 32, (1, 64))
    codes = complete_chain([None, sampler(1), None], [nothing(1), nothing(1), top], [0, 256, 64])
    assert codes[2] is top
    assert codes[1].shape == (1, 256)
    assert codes[0].shape == (1, 0)


# --------------------------------------------------------------------------------------- alignment


@pytest.mark.parametrize("n_codes", [40, 64, 90])
def test_alignment_has_a_row_per_code_and_a_column_per_character(n_codes: int) -> None:
    config, prior = TINY.top, tiny_prior(2)
    labeller = Labeller(config, NANO_TABLES)
    lyrics = ["a longer text that needs several windows to be sung", "short"]
    items = [labeller.full("", "", text, TOTAL_SAMPLES) for text in lyrics]
    codes = np.random.Generator(np.random.Philox(1)).integers(0, 32, (2, n_codes))
    found = align(prior, codes, labeller, items, 16)
    assert [a.shape for a in found] == [(n_codes, len(text)) for text in lyrics]
    assert np.allclose(found[0].sum(axis=1), 1.0, atol=1e-5)
    assert (found[1].sum(axis=1) < 1.0).all()  # the rest went to padding


def test_alignment_without_a_head_is_refused() -> None:
    prior = random_prior(replace(TINY.top, alignment=None))
    with pytest.raises(ConfigError, match="follows lyrics"):
        align(prior, np.zeros((1, 64), np.int64), Labeller(TINY.top, NANO_TABLES), [], 16)
    prior = random_prior(replace(TINY.top, alignment=(0, 0)))
    labeller = Labeller(TINY.top, NANO_TABLES)
    item = labeller.full("", "", "words", TOTAL_SAMPLES)
    with pytest.raises(ConfigError, match="does not read lyrics"):
        align(prior, np.zeros((1, 64), np.int64), labeller, [item], 16)


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    "window",
    [
        Window(index=0, start=0, end=4, known=4),
        Window(index=0, start=0, end=65, known=0),
        Window(index=0, start=2, end=10, known=4),
    ],
    ids=["nothing new", "longer than the context", "codes missing"],
)
def test_window_that_does_not_fit_is_refused(window: Window) -> None:
    known = np.arange(4)[None]
    with pytest.raises(CodesError):
        sample_window(counting(), window, known, None, None, GREEDY, seed=0, takes=[0])


def test_running_out_of_memory_names_a_batch_that_may_fit() -> None:
    class Full(CountingPrior):
        def step(self, tokens: torch.Tensor | None = None) -> torch.Tensor:
            raise torch.OutOfMemoryError("no memory")

    window = Window(index=0, start=0, end=4, known=0)
    with pytest.raises(DeviceError, match="max_batch of level 2 to 2"):
        sample_window(
            Full(TINY.top), window, nothing(4), None, None, GREEDY, seed=0, takes=range(4)
        )

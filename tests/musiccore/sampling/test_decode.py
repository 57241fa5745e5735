"""Step by step equals the whole sequence, for every attention kind, row and window."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from musiccore.errors import CodesError, ConfigError
from musiccore.models.attention_kinds import AttentionKind
from musiccore.models.config import (
    ConditionerConfig,
    LabelsConfig,
    LyricsConfig,
    PriorConfig,
    TimeConfig,
    TransformerConfig,
)
from musiccore.models.prior import Prior
from musiccore.models.prior.attention import Attention
from musiccore.models.prior.cache import make_cache
from musiccore.models.random_weights import random_prior
from musiccore.parity.layers import stepwise
from musiccore.sampling.decode import StepDecoder
from musiccore.testing import tiny_prior

CACHED: tuple[AttentionKind, ...] = (
    "dense",
    "row",
    "column",
    "previous_row",
    "lyrics",
    "cross",
)


def prior_config(
    order: int, depth: int, *, lyrics: str = "", upper: bool = False, labels: bool = True
) -> PriorConfig:
    """Return a small prior: context 48 in blocks, all kinds by their published patterns."""
    single = lyrics == "single"
    encoder = TransformerConfig(
        n_ctx=12, width=12, depth=2, heads=2, attention_order=2, blocks=3, m_attn=0.5
    )
    return PriorConfig(
        name="small",
        level=0 if upper else 2,
        sample_rate=1000,
        hop_length=1,
        n_ctx=48,
        codebook_size=20,
        width=16,
        depth=depth,
        heads=2,
        attention_order=order,
        blocks=6,
        m_attn=0.5,
        m_mlp=1.0,
        init_scale=1.0,
        tied_head=lyrics != "encoder",
        readd_conditioning=lyrics != "encoder",
        labels=LabelsConfig(rules="v3", n_genres=4, n_artists=5, genre_slots=1) if labels else None,
        time=TimeConfig(bins=8, min_seconds=0.01, max_seconds=10.0)
        if labels and not upper
        else None,
        lyrics=LyricsConfig(
            mode="single" if single else "encoder",
            n_tokens=12,
            n_vocab=30,
            loss_fraction=0.4,
            encoder=None if single else encoder,
        )
        if lyrics
        else None,
        conditioner=ConditionerConfig(
            upper_codebook_size=20, downs_t=2, strides_t=2, width=8, depth=2
        )
        if upper
        else None,
    )


CONFIGS = {
    "dense": prior_config(0, 2),
    "row, column, previous row": prior_config(2, 6),
    "cross": prior_config(6, 8, lyrics="encoder"),
    "lyrics and dense": prior_config(12, 48, lyrics="single"),
    "upsampler": prior_config(2, 3, upper=True),
    "no labels": prior_config(9, 4, labels=False),
}


def inputs(
    config: PriorConfig, batch: int, seed: int
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return random codes, upper codes and label vectors."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    codes = numbers(config.codebook_size, batch, config.n_ctx)
    upper = numbers(20, batch, config.n_ctx // 4) if config.conditioner else None
    labels: Tensor | None = None
    if config.labels is not None:
        parts = [torch.full((batch, 1), 3000), numbers(2000, batch, 1), torch.full((batch, 1), 48)]
        parts += [numbers(5, batch, 1), numbers(4, batch, 1)]
        if config.lyrics is not None:
            parts.append(numbers(config.lyrics.n_vocab, batch, 12))
        labels = torch.cat(parts, dim=1)
    return codes, upper, labels


def follow(
    decoder: StepDecoder,
    codes: Tensor,
    upper: Tensor | None,
    labels: Tensor | None,
    lengths: Sequence[int],
    n_steps: int,
) -> Tensor:
    """Prime each row with its own number of codes, feed it the true ones: logits [B, steps, V]."""
    known = codes[:, : max(lengths)].clone()
    for row, length in enumerate(lengths):
        known[row, length:] = 7  # padding
    decoder.start_window(known, upper=upper, labels=labels, lengths=lengths)
    logits = [decoder.step()]
    shift, last = decoder.config.vocabulary_shift, decoder.config.n_ctx - 1
    for step in range(n_steps - 1):
        fed = [int(codes[row, min(n + step, last)]) + shift for row, n in enumerate(lengths)]
        logits.append(decoder.step(torch.tensor(fed)))
    return torch.stack(logits, dim=1)


def assert_follows(prior: Prior, found: Tensor, whole: Tensor, lengths: Sequence[int]) -> None:
    prefix = prior.config.lyrics_prefix
    for row, length in enumerate(lengths):
        expected = whole[row, prefix + length :]
        steps = min(found.shape[1], len(expected))
        torch.testing.assert_close(found[row, :steps], expected[:steps], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", CACHED)
@pytest.mark.parametrize("n_known", [0, 1, 5, 6, 7, 13, 23])
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_cache_gives_what_the_whole_sequence_gives(
    kind: AttentionKind, n_known: int, masked: bool
) -> None:
    torch.manual_seed(1)
    config = TransformerConfig(
        n_ctx=24,
        width=12,
        depth=1,
        heads=2,
        attention_order=0,
        blocks=4,
        m_attn=0.5,
        init_scale=30.0,
        lyrics_len=9,
    )
    attention = Attention(config, kind)
    torch.nn.init.normal_(attention.output.weight)
    x = torch.randn(2, 24, 12)
    states = torch.randn(2, 5, 12) if kind == "cross" else None
    found = stepwise(attention, config, x, n_known, encoder_states=states, masked=masked)
    expected = attention(x, states)[:, n_known:]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_steps_give_the_logits_of_the_whole_window(name: str) -> None:
    config = CONFIGS[name]
    prior = random_prior(config, seed=2)
    codes, upper, labels = inputs(config, 2, seed=3)
    whole = prior(codes, upper, labels)
    with StepDecoder(prior, 2) as decoder:
        for n_known in (0, 1, 8, 19, 47):
            found = follow(decoder, codes, upper, labels, [n_known] * 2, 48 - n_known)
            assert_follows(prior, found, whole, [n_known] * 2)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_rows_keep_positions_of_their_own(name: str) -> None:
    config = CONFIGS[name]
    prior = random_prior(config, seed=2)
    codes, upper, labels = inputs(config, 3, seed=4)
    whole = prior(codes, upper, labels)
    with StepDecoder(prior, 3) as decoder:
        for lengths in ([0, 47, 16], [9, 8, 7], [31, 0, 1]):
            found = follow(decoder, codes, upper, labels, lengths, 30)
            assert_follows(prior, found, whole, lengths)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_nothing_of_an_earlier_window_or_of_padding_reaches_the_next(name: str) -> None:
    config = CONFIGS[name]
    prior = random_prior(config, seed=5)
    first, second = inputs(config, 2, seed=6), inputs(config, 2, seed=7)
    lengths = [20, 3]
    with StepDecoder(prior, 2) as fresh:
        expected = follow(fresh, *second, lengths, 20)
    with StepDecoder(prior, 3) as used:
        follow(used, *first, [0, 40], 48)
        follow(used, *inputs(config, 3, seed=8), [30] * 3, 10)
        assert torch.equal(follow(used, *second, lengths, 20), expected)


@torch.no_grad()
def test_window_hop_reprimes_from_codes_with_new_labels() -> None:
    config = CONFIGS["lyrics and dense"]
    prior = random_prior(config, seed=2)
    codes, _, labels = inputs(config, 1, seed=9)
    assert labels is not None
    moved = labels.clone()
    moved[:, 1] += 24  # the second window starts half a window later
    hopped = torch.cat([codes[:, 24:], codes[:, :24]], dim=1)
    with StepDecoder(prior) as decoder:
        follow(decoder, codes, None, labels, [0], 48)
        found = follow(decoder, hopped, None, moved, [24], 24)
    assert_follows(prior, found, prior(hopped, None, moved), [24])


@torch.no_grad()
def test_a_full_row_waits_while_others_go_on() -> None:
    config = CONFIGS["row, column, previous row"]
    prior = random_prior(config, seed=2)
    codes, upper, labels = inputs(config, 2, seed=3)
    with StepDecoder(prior, 2) as decoder:
        found = follow(decoder, codes, upper, labels, [46, 10], 38)
        assert decoder.positions == (47, 47)
    assert_follows(prior, found, prior(codes, upper, labels), [46, 10])


def test_caches_stay_where_they_are() -> None:
    config = CONFIGS["cross"]
    prior = random_prior(config)
    with StepDecoder(prior, 2) as decoder:
        before = [cache.storage.data_ptr() for cache in decoder.caches]
        follow(decoder, *inputs(config, 2, seed=1), [0, 5], 10)
        follow(decoder, *inputs(config, 2, seed=1), [9, 9], 10)
        assert [cache.storage.data_ptr() for cache in decoder.caches] == before
        assert before
    assert not decoder.caches


def test_caches_are_freed_when_sampling_fails() -> None:
    decoder = StepDecoder(tiny_prior(2), 1)
    with pytest.raises(KeyboardInterrupt), decoder:
        raise KeyboardInterrupt
    assert not decoder.caches


def test_caches_are_no_larger_than_each_kind_needs() -> None:
    config = TransformerConfig(
        n_ctx=8192, width=8, depth=1, heads=1, attention_order=0, blocks=128, lyrics_len=384
    )
    slots = {kind: make_cache(kind, config, 1, n_encoder=512).slots for kind in CACHED}
    assert slots == {
        "dense": 8192,
        "row": 64,
        "column": 8192,
        "previous_row": 128,
        "lyrics": 513,  # (384 // 128 + 1) * 128, and one that is never read
        "cross": 512,
    }


def test_half_precision_stays_close() -> None:
    config = CONFIGS["row, column, previous row"]
    prior = random_prior(config, seed=2)
    codes, upper, labels = inputs(config, 2, seed=3)
    with StepDecoder(prior, 2, dtype=torch.bfloat16) as decoder:
        rough = follow(decoder, codes, upper, labels, [5, 5], 40)
        ragged = follow(decoder, codes, upper, labels, [5, 9], 30)
    with torch.no_grad():
        whole = prior(codes, upper, labels)
    assert rough.dtype == torch.float32
    assert (rough - whole[:, 5:45]).abs().max() < 0.1 * whole.abs().max()
    assert (ragged[1] - whole[1, 9:39]).abs().max() < 0.1 * whole.abs().max()


def test_a_kind_without_a_cache_is_refused() -> None:
    config = TransformerConfig(n_ctx=8, width=4, depth=1, heads=1, attention_order=0, blocks=2)
    with pytest.raises(ConfigError, match="summary"):
        make_cache("summary", config, 1)


@pytest.mark.parametrize(
    ("known", "lengths"),
    [
        (torch.zeros(3, 4, dtype=torch.int64), None),
        (torch.zeros(1, 64, dtype=torch.int64), None),
        (torch.full((1, 4), 32), None),
        (torch.full((1, 4), -1), None),
        (torch.zeros(2, 4, dtype=torch.int64), [5, 1]),
    ],
    ids=["too many rows", "no room", "code too large", "negative code", "length beyond the array"],
)
def test_known_codes_that_do_not_fit_are_refused(known: Tensor, lengths: list[int] | None) -> None:
    with StepDecoder(tiny_prior(0), 2) as decoder, pytest.raises(CodesError):
        decoder.start_window(known, lengths=lengths)

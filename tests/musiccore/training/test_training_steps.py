"""The published optimiser, schedule, item time line and VQ-VAE step, beyond the golden cases."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from musiccore.errors import CodesError
from musiccore.models.random_weights import tiny_vqvae
from musiccore.models.vqvae.losses import Bandwidth
from musiccore.training.optim import AdamOptions, PublishedAdam, Schedule, average_decay
from musiccore.training.steps import (
    evaluate_step,
    initialise_codebooks_,
    random_restart,
    restore_codebooks_,
    train_step,
)
from musiccore.training.timeline import Timeline

BANDWIDTH = Bandwidth(l1=0.1, l2=0.02, spec=20.0)


def audio() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 4096, 1, generator=generator) * 0.1


def test_gradients_are_divided_by_their_norm_only_above_the_clip() -> None:
    small, large = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    options = AdamOptions(betas=(0.0, 0.0), eps=1.0, lr=1.0)
    for parameter, gradient in ((small, 0.5), (large, 50.0)):
        parameter.grad = torch.tensor([gradient])
        assert PublishedAdam([parameter], options).step() == pytest.approx(gradient)
    assert small.item() == pytest.approx(-0.5 / 1.5)  # first / (root + eps)
    assert large.item() == pytest.approx(-1.0 / 2.0)


def test_loss_scale_is_divided_out_before_clipping() -> None:
    plain, scaled = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    one, other = PublishedAdam([plain], AdamOptions()), PublishedAdam([scaled], AdamOptions())
    for _ in range(3):
        plain.grad, scaled.grad = torch.ones(3), torch.ones(3) * 4096
        assert one.step() == pytest.approx(other.step(loss_scale=4096))
    assert torch.allclose(plain, scaled)


def test_step_with_a_huge_gradient_is_left_out() -> None:
    parameter = nn.Parameter(torch.ones(2))
    optimiser = PublishedAdam([parameter], AdamOptions(ignore_above=10.0))
    parameter.grad = torch.full((2,), 100.0)
    optimiser.step()
    assert parameter.tolist() == [1.0, 1.0]
    assert optimiser.steps == 0


def test_schedule_starts_at_zero_and_falls_linearly_to_zero() -> None:
    schedule = Schedule(warmup=10, linear_start=20, decay=40)
    assert [schedule.multiplier(s) for s in (0, 5, 10, 20, 40, 60, 99)] == [0, 0.5, 1, 1, 0.5, 0, 0]


def test_average_decay_follows_the_batch() -> None:
    assert average_decay(4, 2) == pytest.approx(0.999)


@given(st.data())
def test_every_item_lies_inside_one_file(data: st.DataObject) -> None:
    length = 2 * data.draw(st.integers(1, 25))
    durations = data.draw(st.lists(st.integers(length, 300), min_size=1, max_size=6))
    timeline = Timeline(durations=tuple(durations), sample_length=length)
    assert len(timeline) == sum(durations) // length
    item = data.draw(st.integers(0, len(timeline) - 1))
    shift = data.draw(st.integers(-(length // 2), length // 2 - 1))
    file, offset = timeline.locate(item, shift=shift)
    assert 0 <= offset <= durations[file] - length


def test_file_shorter_than_an_item_is_refused() -> None:
    with pytest.raises(CodesError):
        Timeline(durations=(10, 5), sample_length=6)


def test_training_step_moves_the_codebooks_and_reaches_every_weight() -> None:
    model = tiny_vqvae().train()
    generator = torch.Generator().manual_seed(2)
    initialise_codebooks_(model, audio(), generator)
    before = [model.codebook(level).codes.clone() for level in range(3)]
    step = train_step(model, audio(), BANDWIDTH, random_restart(generator))
    step.loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    for level, old in enumerate(before):
        assert not torch.equal(model.codebook(level).codes, old)
    assert step.codebook_mean("usage") > 0
    assert step.output.shape == (2, 4096, 1)


def test_evaluation_changes_nothing() -> None:
    model = tiny_vqvae()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step = evaluate_step(model, audio(), BANDWIDTH)
    assert not step.loss.requires_grad
    assert not step.codebooks
    assert all(torch.equal(tensor, before[n]) for n, tensor in model.state_dict().items())


def test_total_loss_is_the_weighted_sum_of_its_terms() -> None:
    model = tiny_vqvae()
    step, weights = evaluate_step(model, audio(), BANDWIDTH), model.config.loss
    terms = step.terms
    assert terms["reconstruction"] == pytest.approx(
        float(sum(terms[f"reconstruction/{level}"] for level in range(3)))
    )
    total = terms["reconstruction"] + weights.multispectral * terms["multispectral"]
    assert float(step.loss) == pytest.approx(float(total + weights.commit * terms["commit"]))


def test_few_rows_are_tiled_for_restarts() -> None:
    draw = random_restart(torch.Generator().manual_seed(1))
    rows = torch.eye(3)
    chosen = draw(0, rows, 10)
    assert chosen.shape == (10, 3)
    nearest = torch.cdist(chosen, rows).min(dim=1).values
    assert 0 < float(nearest.max()) < 0.1


def test_restored_counts_follow_the_item_length_and_not_the_batch() -> None:
    model = tiny_vqvae()
    restore_codebooks_(model, 4096)
    book = model.codebook(1)
    assert book.counts[0] == 4096 // 32 / 32
    assert torch.allclose(book.sums, book.codes * 4.0)

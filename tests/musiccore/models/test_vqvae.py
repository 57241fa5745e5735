"""The VQ-VAE by itself; its numbers are checked against recorded ones in `test_parity.py`."""

import pytest
import torch

from musiccore.errors import CodesError
from musiccore.models.presets import preset
from musiccore.models.vqvae import VQVAE
from musiccore.models.vqvae.bottleneck import Codebook, tile_rows


@pytest.fixture(scope="module")
def model() -> VQVAE:
    torch.manual_seed(0)
    model = VQVAE(preset("tiny").vqvae)
    for level in range(3):
        model.codebook(level).codes.normal_()
    return model.eval()


@pytest.mark.parametrize("n_samples", [128, 1280, 1283, 2047])
def test_code_lengths_are_samples_over_hop_rounded_down(model: VQVAE, n_samples: int) -> None:
    codes = model.encode(torch.randn(2, 1, n_samples))
    hops = model.config.hop_lengths
    assert [c.shape for c in codes] == [(2, n_samples // hop) for hop in hops]


def test_decoding_gives_hop_length_samples_per_code(model: VQVAE) -> None:
    for level, hop in enumerate(model.config.hop_lengths):
        codes = torch.zeros(3, 5, dtype=torch.int64)
        assert model.decode(codes, level).shape == (3, 1, 5 * hop)


def test_too_short_audio_is_refused(model: VQVAE) -> None:
    with pytest.raises(CodesError, match="128 samples"):
        model.encode(torch.zeros(1, 1, 127))


def test_codes_outside_the_codebook_are_refused(model: VQVAE) -> None:
    size = model.config.codebook_sizes[1]
    with pytest.raises(CodesError, match=f"0 to {size - 1}"):
        model.decode(torch.tensor([[0, size]]), 1)


def test_levels_are_independent(model: VQVAE) -> None:
    audio = torch.randn(1, 1, 1024)
    alone = model.encode(audio, range(1, 2))[0]
    assert torch.equal(model.encode(audio)[1], alone)


def test_quantising_takes_the_first_of_equal_codes() -> None:
    book = Codebook(4, 2)
    book.codes.copy_(torch.tensor([[5.0, 5], [1, 0], [1, 0], [0, 9]]))
    codes, distance = book.quantise(torch.tensor([[1.0, 0], [0, 8]]))
    assert codes.tolist() == [1, 3]
    assert distance.tolist() == [0, 1]


def test_unused_codes_restart_and_used_ones_move_to_their_rows() -> None:
    book = Codebook(2, 1)
    book.codes.copy_(torch.tensor([[0.0], [100.0]]))
    book.restore_(1.0)
    rows = torch.tensor([[2.0], [4.0]])
    codes, distances = book.quantise(rows)
    spare = torch.tensor([[7.0], [8.0]])
    book.update_(rows, codes, spare, decay=0.5, threshold=1.0, distances=distances)
    assert book.codes.tolist() == [[2.0], [8.0]]  # (0.5*0 + 0.5*6) / (0.5*1 + 0.5*2); restarted


def test_tiling_repeats_rows_with_little_noise() -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    tiled = tile_rows(rows, 7, torch.ones(9, 2))
    assert torch.allclose(tiled, rows.repeat(3, 1) + 0.01 / 2**0.5)
    assert tile_rows(rows, 3) is rows

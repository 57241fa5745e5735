"""Every preset builds, and derived values of the released models match the published ones."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.models.presets import PRESETS, preset


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_builds_and_carries_its_own_name(name: str) -> None:
    config = preset(name)
    assert config.name == name
    assert config.licence.endswith((".", "!"))


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="5b_lyrics"):
        preset("6b")


@pytest.mark.parametrize("name", ["5b", "5b_lyrics", "1b_lyrics"])
def test_released_families_share_hop_lengths_and_code_rates(name: str) -> None:
    vqvae = preset(name).vqvae
    assert vqvae.hop_lengths == (8, 32, 128)
    assert [vqvae.code_rate(level) for level in range(3)] == [5512.5, 1378.125, 344.53125]
    assert [vqvae.level_width(level) for level in range(3)] == [64, 32, 32]
    assert [vqvae.level_depth(level) for level in range(3)] == [8, 4, 4]


def test_default_window_hops_are_the_published_ones() -> None:
    hops = {
        name: [preset(name).default_window_hop(level) for level in range(3)]
        for name in ("5b", "5b_lyrics", "1b_lyrics")
    }
    assert hops == {
        "5b": [4096, 4096, 1024],
        "5b_lyrics": [4096, 4096, 1024],
        "1b_lyrics": [4096, 4096, 768],
    }


def test_single_sequence_prior_has_the_merged_vocabulary_and_the_long_lyrics_span() -> None:
    top = preset("1b_lyrics").top
    assert (top.n_vocabulary, top.n_positions, top.transformer.block_ctx) == (2127, 6528, 102)
    assert top.transformer.lyrics_span == 448
    assert top.label_length == 4 + 1 + 384


def test_lyrics_layers_of_5b_lyrics_are_inserted_into_the_pattern_of_5b() -> None:
    kinds = preset("5b_lyrics").top.transformer.kinds
    assert [d for d, kind in enumerate(kinds) if kind == "cross"] == [18, 28, 38, 48, 58, 68, 78]
    rest = tuple(kind for kind in kinds if kind != "cross")
    assert rest == preset("5b").top.transformer.kinds


def test_only_the_conditioner_of_level_1_scales_its_residuals() -> None:
    scaled = [p.conditioner.res_scale for p in preset("5b").priors if p.conditioner]
    assert scaled == [False, True]

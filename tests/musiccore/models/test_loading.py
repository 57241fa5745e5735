"""Where weights are looked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from musiccore.errors import CheckpointError
from musiccore.models.loading import check_weights, weights_path
from musiccore.models.machine import Machine
from musiccore.models.presets import preset


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in ("vqvae", "prior_level_0", "prior_level_1", "prior_level_2"):
        (tmp_path / "5b").mkdir(exist_ok=True)
        (tmp_path / "5b" / f"{name}.pth.tar").write_bytes(b"weights")
    return Machine(models=tmp_path)


def test_families_share_the_upsamplers_of_5b(machine: Machine) -> None:
    config = preset("1b_lyrics")
    for network in (config.vqvae, *config.priors[:2]):
        path = weights_path("1b_lyrics", network, machine)
        assert path is not None
        assert path.parent.name == "5b"


def test_a_missing_top_prior_is_not_that_of_another_family(machine: Machine) -> None:
    config = preset("1b_lyrics")
    assert weights_path("1b_lyrics", config.top, machine) is None
    with pytest.raises(CheckpointError, match="prior_1b_lyrics"):
        check_weights(config, machine)
    check_weights(preset("5b"), machine)


def test_nano_is_in_the_package(machine: Machine) -> None:
    config = preset("nano")
    check_weights(config, replace(machine, models=None))

"""The name table is complete both ways; files load strictly, without code, digest first."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from musiccore.errors import CheckpointError
from musiccore.models.checkpoints import (
    file_sha256,
    halve_,
    load_prior,
    load_published,
    load_vqvae,
    load_weights,
    published_table,
    read_state,
    save_weights,
    to_our_names,
    to_published_names,
)
from musiccore.models.presets import preset
from musiccore.models.prior import Prior
from musiccore.models.published_names import NetworkConfig, our_name
from musiccore.models.vqvae import VQVAE

# Number of tensors, and sha256 of the sorted JSON of {published name: shape}, of each release.
RELEASED = {
    "vqvae": (669, "8f92fc1b77ba30e858163ca011ae339cfc9c44cd7eb5a35cce61e947de7a4914"),
    "upsampler_level_0": (1006, "df962f625e521578452523ff8401f85dc0dbdfb0842b3fd2f60014fc4a9365d9"),
    "upsampler_level_1": (1006, "df962f625e521578452523ff8401f85dc0dbdfb0842b3fd2f60014fc4a9365d9"),
    "prior_5b": (872, "3e0c2ba2922890eca2f656c76e2c339e30fa69ffc3f01fcd835fee7d5ee0c70c"),
    "prior_5b_lyrics": (1194, "7b397dfda884502cf362b79b8867aca1fbed8a4caaa93921a456dc213261225f"),
    "prior_1b_lyrics": (872, "a80f913c096b59d098dc04913d9ba9b44299f3834aa71df39c32c49687b1587e"),
}


def _released_configs() -> dict[str, NetworkConfig]:
    models = [preset(name) for name in ("5b", "5b_lyrics", "1b_lyrics")]
    configs: dict[str, NetworkConfig] = {model.vqvae.name: model.vqvae for model in models}
    return configs | {prior.name: prior for model in models for prior in model.priors}


@pytest.fixture(params=["vqvae", "level 0", "level 1", "top"])
def network(request: pytest.FixtureRequest) -> VQVAE | Prior:
    torch.manual_seed(0)
    model = preset("tiny")
    if request.param == "vqvae":
        vqvae = VQVAE(model.vqvae)
        for level in range(3):
            vqvae.codebook(level).codes.normal_()
        return vqvae
    return Prior(model.priors[("level 0", "level 1", "top").index(request.param)])


def _other(network: VQVAE | Prior) -> VQVAE | Prior:
    torch.manual_seed(1)
    return VQVAE(network.config) if isinstance(network, VQVAE) else Prior(network.config)


def _published(network: VQVAE | Prior) -> dict[str, torch.Tensor]:
    return to_published_names(network.state_dict(), network.config)


def _assert_equal(one: torch.nn.Module, two: torch.nn.Module) -> None:
    a, b = one.state_dict(), two.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_released_names_and_shapes_are_complete_both_ways(name: str) -> None:
    config = _released_configs()[name]
    table = published_table(config)
    text = json.dumps(
        {key: list(shape) for key, shape in table.items()}, sort_keys=True, separators=(",", ":")
    )
    assert (len(table), hashlib.sha256(text.encode()).hexdigest()) == RELEASED[name]
    assert to_published_names(to_our_names(table, config), config) == table


def test_conditioner_and_vqvae_name_their_residual_blocks_differently() -> None:
    configs = _released_configs()
    upsampler = published_table(configs["upsampler_level_0"])
    assert "conditioner_blocks.0.cond.model.1.0.blocks.15.model.3.weight" in upsampler
    vqvae = published_table(configs["vqvae"])
    assert "decoders.2.level_blocks.2.model.1.0.model.3.model.1.bias" in vqvae


def test_data_parallel_prefix_and_the_other_container_are_understood() -> None:
    config = _released_configs()["upsampler_level_1"]
    key = "module.conditioner_blocks.0.cond.model.2.0.model.3.model.1.weight"
    assert our_name(key, config) == "conditioner.units.1.stack.3.conv1.weight"


@pytest.mark.parametrize(
    "key",
    [
        "encoders.0.level_blocks.0.model.4.weight",
        "encoders.0.level_blocks.9.model.3.weight",
        "decoders.0.level_blocks.0.model.0.1.weight",
        "encoders.0.level_blocks.0.model.3.weight ",
        "anything",
    ],
)
def test_names_that_no_rule_covers_are_refused(key: str) -> None:
    with pytest.raises(CheckpointError, match="no part of vqvae"):
        our_name(key, _released_configs()["vqvae"])


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_checkpoints_load(
    network: VQVAE | Prior, tmp_path: Path, legacy: bool, prefix: str
) -> None:
    path = tmp_path / "prior.pth.tar"
    state = {prefix + name: tensor for name, tensor in _published(network).items()}
    content = {"model": state, "step": 7}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    other = _other(network)
    load_published(path, other, sha256=file_sha256(path))
    _assert_equal(network, other)


def test_own_and_published_names_load_from_safetensors(
    network: VQVAE | Prior, tmp_path: Path
) -> None:
    own, published = tmp_path / "own.safetensors", tmp_path / "published.safetensors"
    own.write_bytes(save_weights(network, metadata={"model": "tiny"}))
    save_file({name: t.clone() for name, t in _published(network).items()}, published)
    for path in (own, published):
        other = _other(network)
        load_weights(path, other)
        _assert_equal(network, other)


def test_equal_weights_give_equal_bytes(network: VQVAE | Prior) -> None:
    assert save_weights(network) == save_weights(network)


def test_prior_on_the_meta_device_becomes_real_and_stays_tied(tmp_path: Path) -> None:
    config = preset("tiny").top
    torch.manual_seed(0)
    network = Prior(config).eval()
    path = tmp_path / "w.safetensors"
    path.write_bytes(save_weights(network))
    loaded = load_prior(config, path)
    _assert_equal(network, loaded)
    assert loaded.decoder.head is not None
    assert loaded.decoder.head.weight is loaded.decoder.embed.weight
    assert not any(t.is_meta for t in [*loaded.parameters(), *loaded.buffers()])
    codes = torch.zeros((1, config.n_ctx), dtype=torch.int64)
    labels = torch.zeros((1, config.label_length), dtype=torch.int64)
    labels[0, 0] = 80_000
    assert torch.equal(network(codes, None, labels), loaded(codes, None, labels))


def test_vqvae_loads_with_its_codebooks(tmp_path: Path) -> None:
    config = preset("tiny").vqvae
    network = VQVAE(config)
    network.codebook(1).codes.normal_()
    path = tmp_path / "v.safetensors"
    path.write_bytes(save_weights(network))
    _assert_equal(network, load_vqvae(config, path))


def test_half_weights_halve_matrices_only(tmp_path: Path) -> None:
    network = Prior(preset("tiny").top)
    path = tmp_path / "w.safetensors"
    path.write_bytes(save_weights(network))
    halve_(network)
    load_weights(path, network)
    half = {n for n, t in network.state_dict().items() if t.dtype == torch.float16}
    assert half == {
        n for n in network.state_dict() if n.endswith(("put.weight", "lyrics_projection.weight"))
    }


# ----------------------------------------------------------------------------- refusals


def _top(tmp_path: Path) -> tuple[Prior, dict[str, torch.Tensor], Path]:
    network = Prior(preset("tiny").top)
    return network, dict(_published(network)), tmp_path / "w.pth.tar"


def test_missing_and_superfluous_tensors_are_named(tmp_path: Path) -> None:
    network, state, path = _top(tmp_path)
    del state["prior.x_emb.weight"]
    torch.save({"model": state}, path)
    with pytest.raises(CheckpointError, match=r"missing decoder\.embed\.weight"):
        load_published(path, network)
    state["prior.unheard_of"] = torch.zeros(1)
    torch.save({"model": state}, path)
    with pytest.raises(CheckpointError, match=r"prior\.unheard_of"):
        load_published(path, network)


def test_weights_of_another_size_are_refused_with_both_shapes(tmp_path: Path) -> None:
    network, state, path = _top(tmp_path)
    state["prior.pos_emb.pos_emb"] = torch.zeros(128, 32)
    torch.save({"model": state}, path)
    with pytest.raises(CheckpointError, match=r"\[128, 32\], expected \[64, 32\]"):
        load_published(path, network)


def test_tied_matrices_that_differ_are_refused(tmp_path: Path) -> None:
    network, state, path = _top(tmp_path)
    state["prior.x_out.weight"] = state["prior.x_out.weight"] + 1
    torch.save({"model": state}, path)
    with pytest.raises(CheckpointError, match="tied"):
        load_published(path, network)


def test_nothing_is_loaded_when_anything_is_wrong(tmp_path: Path) -> None:
    network, state, path = _top(tmp_path)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.save({"model": {n: t + 1 for n, t in list(state.items())[:-1]}}, path)
    with pytest.raises(CheckpointError):
        load_published(path, network)
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())


class _Evil:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.proof),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["w.pth.tar", "w.safetensors"])
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_hostile_files_do_not_run(tmp_path: Path, name: str, writer: str) -> None:
    path, proof = tmp_path / name, tmp_path / "proof"
    content = {"model": _Evil(proof)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError):
        read_state(path)
    assert not proof.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"<html>not found</html>", b"\xff" * 7 + b"\x7f{}", b"\x02" + bytes(7) + b"{]"],
    ids=["empty", "one byte", "page", "huge header", "bad header"],
)
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"^weights: "):
        read_state(path)


@pytest.mark.parametrize("suffix", ["pth.tar", "safetensors"])
def test_truncated_weights_are_refused(tmp_path: Path, suffix: str) -> None:
    network, state, _ = _top(tmp_path)
    path = tmp_path / f"w.{suffix}"
    if suffix == "safetensors":
        path.write_bytes(save_weights(network))
    else:
        torch.save({"model": state}, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(CheckpointError, match=r"^weights: "):
        read_state(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_state(tmp_path / "none")
    with pytest.raises(CheckpointError, match="is no file"):
        file_sha256(tmp_path)


def test_digest_is_checked_before_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "w.pth.tar"
    path.write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError, match="sha256"):
        read_state(path, sha256="0" * 64)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth.tar"
    torch.save({"model": {"a": 1}}, path)
    with pytest.raises(CheckpointError, match="no state dict"):
        read_state(path)

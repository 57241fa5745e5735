"""Parity on the golden subset in `tests/golden` (its README says how the files were made)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from musiccore.errors import ConfigError
from musiccore.parity import CaseResult, ParityReport, run_parity, run_state_dicts
from musiccore.parity.published import Hyper, vqvae_config
from musiccore.parity.report import deviation
from musiccore.parity.tables import released

GOLDEN = Path(__file__).parents[2] / "golden"
WHOLE = Path(os.environ.get("JUKEFLOW_REFERENCE", Path(__file__).parents[4] / "shared/reference"))
Tensors = dict[str, Tensor]


def failed(report: ParityReport) -> list[CaseResult]:
    return [row for row in report.rows if not row.passed]


def test_golden_subset_passes() -> None:
    told: list[CaseResult] = []
    report = run_parity(GOLDEN, on_row=told.append)
    assert failed(report) == []
    assert report.passed
    assert tuple(told) == report.rows
    assert report.compared > 600
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) <= 4_000_000


def test_golden_subset_holds_every_kind_of_case() -> None:
    names = {path.stem.partition("_")[0] for path in GOLDEN.iterdir() if path.suffix != ".md"}
    kinds = {"attention", "conditioner", "label", "vqvae", "prior", "upsampler", "cascade", "misc"}
    assert kinds | {"schedules", "labels"} <= names


@pytest.mark.slow
@pytest.mark.skipif(not WHOLE.is_dir(), reason="the whole reference is not here")
@pytest.mark.parametrize("folder", ["golden", "state_dicts"])
def test_whole_reference_passes(folder: str) -> None:
    assert failed(run_parity(WHOLE / folder)) == []


# ------------------------------------------------------------------ negative controls: tensor files


def change(name: str, folder: Path, edit: Callable[[Tensors, dict[str, object]], None]) -> Path:
    """Copy a golden file into a folder, changed."""
    with safe_open(GOLDEN / f"{name}.safetensors", framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
    edit(tensors, config)
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    save_file(whole, folder / f"{name}.safetensors", {"config": json.dumps(config)})
    return folder


PERTURBED = [
    ("attention_units", "f1_1/param/c_attn.w", "f1_1"),
    ("attention_units", "f3_3/out/y", "f3_3"),
    ("conditioner_level0", "param/ln.weight", "conditioner_level0"),
    ("label_v2_top", "out/bins_abs", "label_v2_top"),
    ("vqvae_small", "out/z_l1", "level 1"),
    ("vqvae_small", "param/decoders.0.out.bias", "level 0"),
    ("vqvae_train", "out/k_l0", "codebooks"),
    ("vqvae_train", "in/perm_l0", "codebooks"),
    ("misc", "out/top_p_0.5", "filters"),
    ("misc", "out/adam/p4", "optimiser"),
    ("upsampler_no_labels", "out/greedy_ancestral", "sampling"),
    ("upsampler_no_labels", "param/prior.start_token", "forward"),
]


@pytest.mark.parametrize(("name", "tensor", "part"), PERTURBED)
def test_one_changed_number_fails(name: str, tensor: str, part: str, tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del config
        flat = tensors[tensor].flatten()
        if tensor == "in/perm_l0":
            tensors[tensor] = flat.roll(1)
            return
        spot = int(flat.isfinite().nonzero()[0])
        flat[spot] += 1 if flat.dtype == torch.int64 else 0.01
        tensors[tensor] = flat.view_as(tensors[tensor])

    rows = failed(run_parity(change(name, tmp_path, edit)))
    assert any(part in row.case for row in rows)


def test_expected_tensor_that_nothing_compares_fails(tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del config
        tensors["out/surprise"] = torch.zeros(2)

    report = run_parity(change("conditioner_level0", tmp_path, edit))
    assert [row.note for row in failed(report)] == ["1 not compared: out/surprise"]


def test_missing_parameter_fails_with_its_name(tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del config
        del tensors["param/prior.start_token"]

    (row,) = failed(run_parity(change("upsampler_no_labels", tmp_path, edit)))
    assert "decoder.start" in row.note
    assert "not compared: out/greedy_ancestral" in row.note


def test_another_shape_fails(tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del config
        tensors["out/x_cond"] = tensors["out/x_cond"][:, :-1]

    (row,) = failed(run_parity(change("conditioner_level0", tmp_path, edit)))
    assert row.deviation == float("inf")


def test_configuration_without_an_entry_fails_with_its_name(tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del tensors, config["depth"]

    (row,) = failed(run_parity(change("conditioner_level0", tmp_path, edit)))
    assert "no 'depth'" in row.note


def test_kind_that_is_not_known_fails(tmp_path: Path) -> None:
    def edit(tensors: Tensors, config: dict[str, object]) -> None:
        del tensors
        config.clear()

    (row,) = failed(run_parity(change("conditioner_level0", tmp_path, edit)))
    assert "not known" in row.note


def test_file_name_does_not_matter(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "label_v3_top.safetensors", tmp_path / "anything.safetensors")
    assert run_parity(tmp_path).passed


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("cut.safetensors", (GOLDEN / "label_v3_top.safetensors").read_bytes()[:-100]),
        ("empty.safetensors", b""),
        ("cut.json", b'{"get_starts": ['),
        ("list.json", b"[1, 2]"),
        ("unknown.json", b'{"no_such_table": [{"a": 1}]}'),
        ("odd.json", b'{"get_starts": [{"total_length": 64}]}'),
        ("arrays.npz", b"PK"),
    ],
)
def test_damaged_or_foreign_file_fails_and_the_others_are_compared(
    file: str, data: bytes, tmp_path: Path
) -> None:
    (tmp_path / file).write_bytes(data)
    shutil.copy(GOLDEN / "label_v3_top.safetensors", tmp_path)
    report = run_parity(tmp_path)
    assert not report.passed
    assert [row.case for row in report.rows if row.passed] == ["label_v3_top"]
    assert all(row.note for row in failed(report))


def test_wrong_schedule_fails(tmp_path: Path) -> None:
    tables = json.loads((GOLDEN / "schedules.json").read_text())
    tables["get_starts"][1]["starts"][-1] += 1
    tables["lr_schedule_multiplier"][0]["multiplier"][1] += 0.001
    (tmp_path / "schedules.json").write_text(json.dumps(tables))
    cases = [row.case for row in failed(run_parity(tmp_path))]
    assert cases == ["schedules: get_starts", "schedules: lr_schedule_multiplier"]


def test_wrong_label_fails(tmp_path: Path) -> None:
    tables = json.loads((GOLDEN / "labels_text.json").read_text())
    tables["labels"][0]["y"][3] += 1
    (tmp_path / "labels_text.json").write_text(json.dumps(tables))
    assert [row.case for row in failed(run_parity(tmp_path))] == ["labels_text: labels"]


@pytest.mark.parametrize("make", [False, True], ids=["absent", "empty"])
def test_folder_without_files_is_refused(make: bool, tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    if make:
        folder.mkdir()
    with pytest.raises(ConfigError, match="parity"):
        run_parity(folder)


def test_deviation_sees_infinities_and_nan() -> None:
    endless = torch.tensor([1.0, float("-inf")])
    assert deviation(endless.clone(), endless) == 0.0
    assert deviation(torch.tensor([1.0, 2.0]), endless) == float("inf")
    assert deviation(torch.tensor([float("nan"), 2.0]), torch.ones(2)) == float("inf")
    assert deviation(torch.tensor([3.0]), torch.tensor([200.0])) == pytest.approx(197 / 200)


# ------------------------------------------------------------------------ tables of released models


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables made from our own models: what the reference holds, if parity passes there."""
    from musiccore.models.checkpoints import published_table

    folder = tmp_path_factory.mktemp("tables")
    for stem, config in released().items():
        table = {name: list(shape) for name, shape in published_table(config).items()}
        (folder / f"{stem}.json").write_text(json.dumps(table))
    return folder


def test_tables_of_all_released_models_pass(tables: Path) -> None:
    report = run_parity(tables)
    assert report.passed
    assert {row.case: row.compared for row in report.rows} == {
        "vqvae": 669,
        "prior_level_0": 1006,
        "prior_level_1": 1006,
        "prior_level_2_5b": 872,
        "prior_level_2_5b_lyrics": 1194,
        "prior_level_2_1b_lyrics": 872,
    }


def test_missing_superfluous_and_misshapen_parameters_fail(tables: Path, tmp_path: Path) -> None:
    table = json.loads((tables / "vqvae.json").read_text())
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    del table["decoders.0.out.bias"]
    table["decoders.0.out.weight"][0] += 1
    table["decoders.0.in.weight"] = [1]
    (tmp_path / "vqvae.json").write_text(json.dumps(table))
    (tmp_path / "prior_level_0.json").unlink()
    (tmp_path / "prior_level_7.json").write_text('{"a": [1]}')
    notes = {row.case: row.note for row in failed(run_state_dicts(tmp_path))}
    assert set(notes) == {"vqvae", "prior_level_0", "prior_level_7"}
    for what in ("missing: decoders.0.in", "superfluous: decoders.0.out.bias", "another shape"):
        assert what in notes["vqvae"]


def test_multipliers_that_are_null_are_all_one() -> None:
    with safe_open(GOLDEN / "vqvae_small.safetensors", "pt") as file:
        config = json.loads(file.metadata()["config"])
    one = vqvae_config(Hyper({**config, "hvqvae_multipliers": None}, "test"))
    assert one.multipliers == (1, 1, 1)
    del config["hvqvae_multipliers"]
    assert vqvae_config(Hyper({**config, "multipliers": None}, "test")) == one

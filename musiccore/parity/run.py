"""Finds out what each file of a folder is, and compares it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from musiccore.errors import CheckpointError, ConfigError
from musiccore.parity.arithmetic import miscellaneous
from musiccore.parity.cascades import cascade
from musiccore.parity.codecs import vqvae, vqvae_training
from musiccore.parity.layers import attention_units, conditioner, labels
from musiccore.parity.priors import prior
from musiccore.parity.published import Hyper
from musiccore.parity.report import CaseResult, GoldenFile, ParityReport, failure
from musiccore.parity.rules import rules
from musiccore.parity.tables import is_table, run_state_dicts

_COMMENTS = (".md", ".txt")  # beside the data; everything else in the folder is a case

# The first name that the configuration of a file holds says what kind of case it is.
_KINDS: tuple[tuple[str, Callable[[GoldenFile], None]], ...] = (
    ("cases", attention_units),
    ("priors", cascade),
    ("base_hps", prior),
    ("restore_k_num_tokens", vqvae_training),
    ("hvqvae_multipliers", vqvae),
    ("multipliers", vqvae),
    ("include_time_signal", labels),
    ("down_t", conditioner),
    ("adam", miscellaneous),
    ("resblock", miscellaneous),
    ("ema_mu", miscellaneous),
)


def run_parity(folder: Path, *, on_row: Callable[[CaseResult], None] | None = None) -> ParityReport:
    """Compare every file of a folder with our implementation.

    Args:
        folder: golden files (`.safetensors` with configuration, `.json` tables) of any sizes and
            seeds, or the tables of parameters of the released models.
        on_row: told each line as soon as it is there.

    Returns:
        One line per case. A file, or an expected tensor of a file, that was not compared makes the
        report fail.

    Raises:
        ConfigError: if the folder does not exist or holds nothing to compare.
    """
    paths = _files(folder)
    rows: list[CaseResult] = []
    found = (
        iter(run_state_dicts(folder).rows)
        if all(_holds_table(path) for path in paths)
        else (row for path in paths for row in _compare(path))
    )
    for row in found:
        rows.append(row)
        if on_row is not None:
            on_row(row)
    return ParityReport(rows=tuple(rows))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(
            f"parity: {folder} is no folder", hint="give a folder of golden files or of tables"
        )
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix not in _COMMENTS and not path.name.startswith(".")
    )
    if not paths:
        raise ConfigError(
            f"parity: {folder} holds nothing to compare",
            hint="golden files end in .safetensors and .json",
        )
    return paths


def _holds_table(path: Path) -> bool:
    if path.suffix != ".json":
        return False
    try:
        return is_table(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return False


def _compare(path: Path) -> Iterator[CaseResult]:
    if path.suffix == ".json":
        yield from rules(path)
    elif path.suffix == ".safetensors":
        yield from _compare_golden(path)
    else:
        yield failure(path.name, "not compared: neither .safetensors nor .json")


def _compare_golden(path: Path) -> list[CaseResult]:
    try:
        file = GoldenFile(path)
        kind = _kind(file.config)
    except CheckpointError as error:
        return [failure(path.stem, error.message)]
    try:
        kind(file)
    except Exception as error:  # a damaged case is a failing line, not the end of the report
        reason = str(error).strip().partition("\n")[0]
        return file.results(error=f"ended early: {type(error).__name__}: {reason}")
    return file.results()


def _kind(config: Hyper) -> Callable[[GoldenFile], None]:
    for name, compare in _KINDS:
        if config.has(name):
            return compare
    raise CheckpointError("not compared: this kind of case is not known")

"""Files that are replaced, created or rewritten: whole or not at all, and nothing lies beside."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from musiccore.storage.atomic import create_file, replace_file, rewriting
from tests.contracts.store_faults import Faults


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_replaced_and_has_the_permissions_asked_for(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"old", mode=0o600)
    replace_file(tmp_path / "a", b"new", mode=0o600)
    assert everything(tmp_path) == {"a": b"new"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_file_is_created_once(tmp_path: Path) -> None:
    create_file(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a", b"second")
    assert everything(tmp_path) == {"a": b"first"}


def test_a_rewritten_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with rewriting(path) as file:
        file.write(path.read_bytes() + b" and new")
    assert everything(tmp_path) == {"a": b"old and new"}
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_rewriting_that_fails_leaves_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), rewriting(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert everything(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize("at", range(1, 4))
def test_a_fault_at_any_call_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    faults = Faults(monkeypatch, number=errno.EIO, forever=False)
    faults.arm(at)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        replace_file(tmp_path / "a", b"new")
    assert faults.fired
    assert everything(tmp_path) == {"a": b"old"}

"""The password of Prefect's server: kept for its user alone, and found again by other commands."""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace

import pytest

from flows.embedded import configured_password
from flows.serving.passwords import (
    forget_password,
    keep_password,
    kept_password,
    new_password,
    password_file,
    refusal,
)
from musiccore.errors import ConfigError

API = "http://127.0.0.1:4200/api"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("PREFECT_API_AUTH_STRING", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_API_URL", API)
    return tmp_path / "home"


def test_every_start_has_its_own():
    first, second = new_password(), new_password()
    assert first != second
    assert len(first.partition(":")[2]) >= 32


def test_it_is_kept_for_its_user_alone_and_found_by_port(home):
    path = password_file(home, 4200)
    keep_password(path, "jukeflow:earlier")
    keep_password(path, "jukeflow:now")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in home.iterdir()] == [path.name]
    assert kept_password(home, API) == "jukeflow:now"
    assert kept_password(home, "http://localhost:4200/api") == "jukeflow:now"
    assert kept_password(home, "http://127.0.0.1:4201/api") == ""
    assert kept_password(home, "https://prefect.example:4200/api") == ""


def test_a_file_that_others_may_read_or_have_put_there_is_not_believed(home):
    path = password_file(home, 4200)
    keep_password(path, "jukeflow:now")
    path.chmod(0o640)
    assert kept_password(home, API) == ""
    path.chmod(0o600)
    path.rename(home / "elsewhere")
    path.symlink_to(home / "elsewhere")
    assert kept_password(home, API) == ""


def test_it_is_forgotten_at_the_end_unless_another_start_has_replaced_it(home):
    path = password_file(home, 4200)
    keep_password(path, "jukeflow:now")
    forget_password(path, "jukeflow:earlier")
    assert kept_password(home, API) == "jukeflow:now"
    forget_password(path, "jukeflow:now")
    forget_password(path, "jukeflow:now")
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept in"):
        keep_password(password_file(tmp_path / "file", 4200), "jukeflow:now")


def test_what_the_user_has_set_comes_first(home, monkeypatch):
    assert configured_password() == ""
    keep_password(password_file(home, 4200), "jukeflow:kept")
    assert configured_password() == "jukeflow:kept"
    (home / "profiles.toml").write_text(
        'active = "mine"\n[profiles.mine]\nPREFECT_API_AUTH_STRING = "me:profile"\n'
    )
    assert configured_password() == "me:profile"
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:environment")
    assert configured_password() == "me:environment"
    monkeypatch.delenv("PREFECT_API_URL")
    os.remove(home / "profiles.toml")
    monkeypatch.delenv("PREFECT_API_AUTH_STRING")
    assert configured_password() == ""


class Refused(Exception):
    """What a web socket raises: its answer knows no request."""

    response = SimpleNamespace(status_code=401)


def test_refusal_that_knows_no_request_is_left_to_others() -> None:
    assert refusal(Refused()) is None

"""`jukeflow listen`: what it prints, whom it lets in, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from flows.__main__ import main
from flows.cli.output import Exit
from tests.flows.rooms import TOKEN, new_run


@pytest.fixture
def run(store_root, tmp_path, monkeypatch):
    monkeypatch.setenv("JUKEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JUKEFLOW_ROOM_TOKEN", raising=False)
    new_run("dawn", model="tiny", seconds=0.4)
    return "dawn"


def fetch(address: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_printed_address_lets_in_and_ctrl_c_ends_it(run):
    words = [sys.executable, "-P", "-m", "flows", "listen", run, "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as room:
        try:
            said = json.loads(room.stdout.readline())
            status, page = fetch(said["address"])
            assert status == 200
            assert f"/runs/{run}" in page
            assert fetch(f"http://{said['host']}:{said['port']}/")[0] == 401
            room.send_signal(signal.SIGINT)
            _, errors = room.communicate(timeout=600)
        finally:
            room.kill()
    assert room.returncode == Exit.DONE
    assert "Traceback" not in errors
    assert "closed" in errors


def test_the_page_of_the_round_is_found(run, capsys, store_root):
    assert main(["listen", "--file", run]) == Exit.DONE
    path = capsys.readouterr().out.strip()
    assert path == f"{store_root}/dawn/rounds/001/index.html"
    with open(path) as page:
        assert "Take 1" in page.read()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--token", "short"], "16"),
        (["--token", ""], "token is empty"),
        (["--port", "70000"], "port is 70000"),
        (["--host", "no.such.host.invalid"], "port: the room cannot answer at no.such.host"),
        (["--file"], "file: it is about one run"),
        (["nobody"], "nobody"),
        (["../x"], "run"),
    ],
)
def test_a_wrong_word_is_refused_at_once(run, capsys, words, sentence):
    assert main(["listen", *words]) == Exit.BAD_REQUEST
    assert sentence in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(run, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["listen", "--port", port, "--token", TOKEN]) == Exit.BAD_REQUEST
    assert port in capsys.readouterr().err

"""The command line: exit codes, one error line, JSON, kill and resume."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.__main__ import main
from flows.cli.output import in_option_words
from flows.cli.parser import parser
from flows.cli.signals import conclude, handlers_kept, stoppable
from musiccore import audio
from musiccore.conversion.memory import read
from musiccore.journal.journal import Journal
from musiccore.request.request import GenerationRequest
from musiccore.runs.verify import verify_run
from musiccore.storage.store import open_store
from tests.contracts.store_suite import run_record
from tests.flows.serving.processes import pids_with

ROOT = Path(__file__).parents[2]
TINY = ("--model", "tiny", "--seconds", "0.45", "--seed", "3")


def command(*words: str, **environment: str) -> subprocess.Popen[str]:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is where a shell runs us with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)  # else commands inherit it
    return subprocess.Popen(
        [sys.executable, "-m", "flows", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        text=True,
    )


def test_help_imports_nothing_heavy_and_little_at_all():
    script = (
        "from flows.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'prefect', 'pydantic', 'rich', 'fsspec'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "print(len(sys.modules.keys() - before))"
    )
    script = f"import sys\nbefore = set(sys.modules)\n{script}"
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert int(done.stdout.splitlines()[-1]) < 200  # modules; they are what `--help` costs


def every_command(words: ArgumentParser, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Names of all commands and groups, from the parser itself."""
    for action in words._actions:
        if isinstance(action, _SubParsersAction):
            for inner, found in action.choices.items():
                yield (*name, inner)
                yield from every_command(found, (*name, inner))


ALL = tuple(every_command(parser()))


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([*name, "--help"])
    assert end.value.code == 0
    epilog = capsys.readouterr().out.partition("example")[2]
    examples = [line for line in epilog.splitlines() if f"jukeflow {' '.join(name)}" in line]
    assert examples
    for line in examples:
        if "COMMAND" not in line:  # what it shows is understood
            words = shlex.split(line[line.index("jukeflow ") :].partition(" > ")[0])
            parser().parse_args(words[1:])


def test_the_walk_finds_every_kind_of_command():
    assert {("generate",), ("models", "list"), ("midi", "render"), ("train",)} <= set(ALL)


@pytest.mark.parametrize("words", [(), ("midi",), ("models",), ("train",)])
def test_command_that_says_nothing_yet_prints_its_help(words, capsys):
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith(" ".join(("usage: jukeflow", *words)))
    assert "jukeflow" in out.partition("example")[2] + out.partition("A first song")[2]
    assert err == ""


def test_options_without_what_the_command_needs_are_an_error(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--folder", "x"])
    assert end.value.code == 2
    assert "required: MODEL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--artist", "nobody at all"], "or set --allow-unknown"),
        (["--total-seconds", "0.1"], "--total-seconds is the length"),
        (["--primer", __file__, "--primer-compose", "A minor"], "--primer-compose"),
    ],
)
def test_hint_names_the_option_of_the_command_line(words, option, capsys):
    both = ["plan", "--model", "tiny", "--seconds", "1", *words]
    assert main(both) == 2
    hint = capsys.readouterr().err.partition("hint: ")[2]
    assert option in hint
    assert "_" not in hint


def test_words_that_are_no_option_stay_as_they_are_in_a_hint():
    said = in_option_words("set top_k to 0; `a-top_k` and label_tables_of_ours are no options")
    assert said == "set --top-k to 0; `a-top_k` and label_tables_of_ours are no options"


BAD = [
    (["--model", "5c"], "model"),
    (["--genre", "pianoo minor"], "genre"),
    (["--artist", "bahc"], "artist"),
    (["--seconds", "0.01"], "seconds"),
    (["--seconds", "nan"], "seconds"),
    (["--seconds", "-1"], "seconds"),
    (["--seconds", "1e308"], "seconds"),
    (["--total-seconds", "0.1"], "total_seconds"),
    (["--window-hop", "3,8,8"], "window_hop"),
    (["--window-hop", "8,8"], "window_hop"),
    (["--window-hop", "x"], "window-hop"),
    (["--max-batch", "0,1,1"], "max_batch"),
    (["--seed", "-1"], "seed"),
    (["--seed", str(2**63)], "seed"),
    (["--temperature", "0"], "temperature"),
    (["--temperature", "hot"], "temperature"),
    (["--temperature", "nan"], "temperature"),
    (["--top-p", "1.5"], "top_p"),
    (["--top-k", "4", "--top-p", "0.5"], "top_k"),
    (["--takes", "0"], "takes"),
    (["--takes", "1000000"], "takes"),
    (["--lyrics", "\u4f60\U0001f3b5"], "lyrics"),
    (["--lyrics", "  "], "lyrics"),
    (["--lyrics", "a", "--lyrics-file", "b"], "lyrics"),
    (["--lyrics-file", "no-such-file.txt"], "lyrics_file"),
    (["--primer", "no-such-file.wav"], "no-such-file.wav"),
    (["--primer", str(ROOT)], "audio file"),
    (["--primer", __file__], "audio"),
    (["--primer-seconds", "1"], "primer_seconds"),
    (["--formats", "ogg"], "formats"),
    (["--title", "a\x07b"], "title"),
    (["no-such-recipe.toml"], "recipe"),
    (["--run", "../x"], "run"),
    (["--run", "Con"], "run"),
    (["--run", "con"], "run"),
    (["--run", ""], "run"),
]


@pytest.mark.parametrize(("words", "field"), BAD, ids=lambda value: str(value)[:40])
def test_bad_request_ends_with_one_line_and_creates_nothing(words, field, tmp_path, capsys):
    store = tmp_path / "runs"
    both = ["generate", "--model", "tiny", "--seconds", "1", *words, "--store", str(store)]
    assert main(both) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first.startswith("error: ")
    assert field in first
    assert len(rest) <= 1
    assert all(line.startswith("hint: ") for line in rest)
    assert not store.exists()


@pytest.mark.parametrize(
    "store", ["/proc/nowhere/runs", "http://127.0.0.1/x", "a/../../b", "file://h/x"]
)
def test_store_that_cannot_be_is_a_bad_request(store, capsys):
    assert main(["generate", *TINY, "--store", store]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_bad_request_loads_neither_torch_nor_prefect(tmp_path):
    script = (
        "import sys\n"
        "from flows.__main__ import main\n"
        "assert main(['generate', '--model', 'tiny', '--artist', 'bahc']) == 2\n"
        "assert not {'torch', 'prefect'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "bach" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_unknown_run_is_a_bad_request(tmp_path, capsys):
    for name in ("show", "verify", "resume", "upsample"):
        assert main([name, "nobody", "--store", str(tmp_path)]) == 2
        assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *(["runs"], ["resume"], ["show", "a"], ["verify", "a"], ["tree", "a"], ["listen"]),
        *(["choose", "a", "--take", "1"], ["purge", "a"], ["upsample", "a"], ["resume", "a"]),
    ],
    ids=" ".join,
)
def test_store_that_is_not_there_is_an_error(words, tmp_path, capsys):
    missing = tmp_path / "unplugged"
    assert main([*words, "--store", str(missing)]) == 2
    assert f"there is no folder {missing}" in capsys.readouterr().err
    assert not missing.exists()


@pytest.mark.parametrize("words", [["generate", *TINY], ["serve"], ["batch", "songs.csv"]])
def test_store_on_a_drive_that_is_not_there_is_not_made(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("songs.csv").write_text("title,model,seconds\none,tiny,0.45\n")
    assert main([*words, "--store", str(tmp_path / "drive" / "runs")]) == 2
    assert "whether the drive is mounted" in capsys.readouterr().err
    assert not (tmp_path / "drive").exists()


@pytest.mark.parametrize("name", ["batches", "locks", "speeds"])
def test_name_that_the_store_needs_itself_is_refused(name, tmp_path, capsys):
    assert main(["generate", *TINY, "--run", name, "--store", str(tmp_path)]) == 2
    assert f"'{name}' is a name that the store needs itself" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_closed_or_full_standard_error_costs_only_the_words(closed, tmp_path):
    script = f'"{sys.executable}" -m flows runs --store "$1" --json {closed}'
    words = ["sh", "-c", script, "sh", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n")


@pytest.mark.parametrize("words", ['runs --store "$1" --json', 'convert "$1/a.wav" - --to flac'])
def test_full_standard_output_is_said_in_one_line(words, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    script = f'"{sys.executable}" -m flows {words} >/dev/full'
    words = ["sh", "-c", script, "sh", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written: No space left")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, {"LC_ALL": "xx_XX.UTF-8"}, {"LC_ALL": "POSIX"}],
    ids=["ascii", "missing", "posix"],
)
def test_letters_that_a_terminal_cannot_show_are_replaced(environment, tmp_path):
    request = GenerationRequest(model="tiny", seconds=0.45).model_dump(mode="json")
    record = replace(run_record("song"), title="Süßes 夜", request=request)
    Journal.create(open_store(tmp_path / "läufe"), record)
    process = command("runs", "--store", str(tmp_path / "läufe"), **environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "song" in out
    assert "Traceback" not in err


def test_run_of_another_version_is_called_so_and_hides_no_other(tmp_path, capsys):
    Journal.create(open_store(tmp_path), run_record("song"))
    assert main(["runs", "--store", str(tmp_path)]) == 0
    assert "damaged" in capsys.readouterr().out
    assert main(["resume", "--store", str(tmp_path)]) == 0
    assert "run song cannot be read: its request" in capsys.readouterr().err


def test_empty_variables_count_as_unset(tmp_path):
    names = ("XDG_CACHE_HOME", "JUKEFLOW_CACHE", "JUKEFLOW_STORE", "JUKEFLOW_THREADS")
    script = (
        "from pathlib import Path\n"
        "from flows.embedded import _cache_folder, configured_api_url\n"
        "from tasks.settings import Settings\n"
        "Path('profiles.toml').write_text('active=\"a\"\\n[profiles.a]\\nPREFECT_API_URL=\"x\"')\n"
        "found = Settings.from_environment()\n"
        "assert (found.store, found.threads) == ('./runs', 1)\n"
        "assert found.cache.expanduser() == Path.home() / '.cache/jukeflow', found.cache\n"
        "assert _cache_folder() == Path.home() / '.cache/jukeflow'\n"
        "assert configured_api_url() is None\n"
    )
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    environment = {**os.environ, **dict.fromkeys(names, ""), "PREFECT_HOME": ""}
    for name in ("PREFECT_API_URL", "PREFECT_PROFILES_PATH", "PREFECT_PROFILE"):
        environment.pop(name, None)
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=here, env=environment, check=True)
    assert [path.name for path in here.iterdir()] == ["profiles.toml"]


def test_repair_says_what_it_did_and_leaves_a_sound_run(tmp_path, capsys):
    with Journal.create(open_store(tmp_path), run_record("song")) as journal, journal.claimed():
        journal.append("selection", takes=[1])
    log = tmp_path / "song/log/00000003.json"
    log.write_bytes(log.read_bytes()[:40])
    assert main(["verify", "song", "--store", str(tmp_path)]) == 1
    assert "--repair" in capsys.readouterr().err
    assert main(["verify", "song", "--repair", "--store", str(tmp_path)]) == 0
    found = capsys.readouterr()
    assert "repaired: the log lost its end, record 3 is damaged" in found.out
    assert "jukeflow resume song" in found.err
    assert main(["verify", "song", "--store", str(tmp_path)]) == 0


def test_signal_after_the_work_takes_no_result_away():
    with handlers_kept():
        with stoppable():
            conclude()
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # until the process ends, or goes on with something


def test_plan_prints_what_the_sampler_will_do(capsys):
    assert main(["plan", *TINY, "--takes", "3", "--max-batch", "1,1,2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    wanted = {"level", "windows", "steps", "seconds_low", "seconds_high", "peak_bytes"}
    assert all(wanted <= level.keys() for level in plan["levels"])
    assert [level["steps"] for level in reversed(plan["levels"])] == [28 * 2, 112, 448]


def test_option_overrides_recipe(tmp_path, capsys):
    recipe = tmp_path / "song.toml"
    recipe.write_text('model = "tiny"\nseconds = 2\n[sampling]\nseed = 5\n')
    main(["plan", str(recipe), "--seconds", "0.45", "--json"])
    assert json.loads(capsys.readouterr().out)["levels"][2]["steps"] == 28


def test_empty_store_has_no_runs_and_nothing_to_resume(tmp_path, capsys):
    assert main(["runs", "--store", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["resume", "--store", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] is None


def test_models_and_doctor_answer_in_json(tmp_path, capsys):
    assert main(["models", "list", "--json"]) == 0
    models = {row["model"]: row for row in json.loads(capsys.readouterr().out)}
    assert models["tiny"]["ready"]
    main(["doctor", "--store", str(tmp_path), "--json"])
    found = {row["check"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"torch", "store", "ffmpeg", "fluidsynth", "sound player"} <= found.keys()


def test_doctor_says_which_extra_brings_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FFMPEG_BINARY", str(tmp_path / "none"))
    main(["doctor", "--store", str(tmp_path), "--json"])
    (row,) = (r for r in json.loads(capsys.readouterr().out) if r["check"] == "ffmpeg")
    assert not row["ok"]
    assert "ffmpeg" in row["value"]


def _wait_for_windows(store: Path, process: subprocess.Popen[str], n: int) -> None:
    while process.poll() is None:
        logs = list(store.glob("*/log/*.json"))
        if len(logs) >= n:
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate())


LONGER = (*TINY, "--seconds", "2")  # long enough to be met half-way on a fast machine


NANO = ("--model", "nano", "--seconds", "8", "--seed", "3")  # 11 windows, with trained weights


@pytest.mark.parametrize(
    "request_words",
    [pytest.param(LONGER, id="tiny"), pytest.param(NANO, id="nano", marks=pytest.mark.whole)],
)
def test_killed_command_resumes_to_the_same_bytes(request_words, tmp_path, capsys):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    whole = command("generate", *request_words, "--store", str(straight), "--json")
    cut = command("generate", *request_words, "--store", str(killed), "--json")
    _wait_for_windows(killed, cut, 4)
    cut.send_signal(signal.SIGKILL)
    assert cut.wait() == -signal.SIGKILL
    out, err = whole.communicate()
    assert whole.returncode == 0, err
    expected = json.loads(out.splitlines()[-1])
    assert {"run", "state", "store", "master"} <= expected.keys()
    assert expected["state"] == "done"

    again = command("resume", "--store", str(killed), "--json")
    out, err = again.communicate()
    assert again.returncode == 0, err
    made = json.loads(out.splitlines()[-1])
    one, other = read(expected["master"]), read(made["master"])
    assert audio.pcm_sha256(one) == audio.pcm_sha256(other)

    assert main(["show", made["run"], "--store", str(killed), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["master"]["pcm_sha256"] == audio.pcm_sha256(one)
    assert main(["show", expected["run"], "--store", str(straight), "--json"]) == 0
    reference = json.loads(capsys.readouterr().out)
    digests = [level["codes_sha256"] for level in reference["levels"]]
    assert [level["codes_sha256"] for level in shown["levels"]] == digests
    assert main(["verify", made["run"], "--store", str(killed)]) == 0
    assert main(["explain", made["master"], "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["provenance"]["seed"] == 3


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.whole)]
)
def test_stopped_command_is_safe_and_says_how_to_go_on(signum, tmp_path):
    store = tmp_path / "runs"
    process = command("generate", *LONGER, "--store", str(store), "--json")
    _wait_for_windows(store, process, 4)
    process.send_signal(signum)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 4, err
    assert "Traceback" not in err
    state = json.loads(out.splitlines()[-1])
    assert state["state"] == "unfinished"
    assert f"jukeflow resume {state['run']}" in err
    with Journal.open(open_store(store), state["run"]) as journal:
        assert journal.claim_in_force is None
        assert verify_run(open_store(store), state["run"]).sound


def test_killed_command_leaves_no_server_behind(tmp_path):
    mark = f"JUKEFLOW_TEST={tmp_path}"  # what it starts has it too
    process = command(
        "generate", *LONGER, "--store", str(tmp_path / "runs"), JUKEFLOW_TEST=str(tmp_path)
    )
    _wait_for_windows(tmp_path / "runs", process, 1)
    assert pids_with(mark, "embedded_server.py")
    process.kill()
    process.communicate()
    end = time.monotonic() + 120
    while pids_with(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert pids_with(mark) == []

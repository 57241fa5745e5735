"""A song, end to end, on the test model: made and taken up by the flows, mended by the library."""

from __future__ import annotations

import json

import pytest

from flows.__main__ import main
from musiccore import audio
from musiccore.conversion.memory import read
from musiccore.delivery.provenance import provenance
from musiccore.delivery.song_audio import FinishedSong
from musiccore.errors import Fenced, Gone
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import Manifest
from musiccore.models.codes import Codes
from musiccore.request.request import Conditioning, GenerationRequest, SamplingOptions
from musiccore.runs.choices import make_choice
from musiccore.runs.create import start
from musiccore.runs.mend import mend_run
from musiccore.runs.run_codes import SongCodes
from musiccore.runs.status import describe_run, describe_runs, unfinished_runs
from musiccore.runs.verify import verify_run
from musiccore.storage.store import BlobRef, open_store
from musiccore.tags import read_tags
from musiccore.takes.choice import Choice
from musiccore.work.progress import reporting
from tasks.context import working
from tasks.durable_steps import show
from tasks.links import room_link
from tasks.settings import machine
from tests.flows.rooms import work

pytestmark = pytest.mark.usefixtures("prefect_server")

REQUEST = GenerationRequest(
    model="tiny",
    seconds=0.4,
    takes=2,
    choose="best",
    title="Two <takes>",
    conditioning=Conditioning(artist="bach", genre="piano minor", lyrics="la la"),
    sampling=SamplingOptions(seed=7, temperature=(1.0, 0.9, 0.8)),
)


class Recorder:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.levels: list[int] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def level(self, status, *, window_done: bool) -> None:
        self.levels.append(status.level)
        assert 0 <= status.fraction <= 1
        assert status.seconds_low is None or status.seconds_low <= status.seconds_high


@pytest.fixture(scope="module")
def song(tmp_path_factory, prefect_server):
    from flows.generate import generate

    root = tmp_path_factory.mktemp("song") / "runs"
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch, reporting(recorder):
        patch.setenv("JUKEFLOW_STORE", str(root))
        result = generate(REQUEST, "song")
    return root, result, recorder


def test_generate_delivers_everything(song):
    root, result, _ = song
    export = root / "song" / "export"
    assert result["state"] == "done"
    expected = {"codes.npz", "index.html", "manifest.json"}
    expected |= {f"master.{kind}" for kind in ("wav", "flac", "mp3")}
    for level in (0, 1, 2):
        expected |= {
            f"level_{level}.flac",
            f"level_{level}_waveform.png",
            f"level_{level}_spectrogram.png",
        }
    assert {path.name for path in export.iterdir()} == expected
    assert "Two &lt;takes&gt;" in (export / "index.html").read_text()


def test_master_is_what_show_says(song):
    root, result, _ = song
    master = read(result["master"]["path"])
    assert audio.pcm_sha256(master) == result["master"]["pcm_sha256"]
    assert audio.pcm_sha256(read(root / "song/export/master.flac")) == audio.pcm_sha256(master)
    assert master.seconds == result["master"]["seconds"] == 0.4


def test_codes_of_the_chosen_take_are_delivered(song):
    root, result, _ = song
    codes = Codes.from_npz((root / "song/export/codes.npz").read_bytes())
    assert [codes.n_codes(level) for level in (2, 1, 0)] == [25, 100, 400]
    assert codes.n_takes == 1
    assert result["take"] in (1, 2)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_metadata_tells_how_to_make_it_again(song, kind):
    root, _, _ = song
    made = read_tags(root / f"song/export/master.{kind}")["provenance"]
    assert made["seed"] == 7
    assert made["recipe_sha256"] == REQUEST.digest()
    assert made["licence"]
    assert GenerationRequest.parse(made["recipe"]) == REQUEST


def test_manifest_names_every_file(song):
    root, _, _ = song
    manifest = Manifest.from_bytes((root / "song/export/manifest.json").read_bytes())
    there = {path.name for path in (root / "song/export").iterdir()} - {"manifest.json"}
    assert {file.path.removeprefix("export/") for file in manifest.outputs} == there


def test_log_is_sound_and_windows_are_those_of_the_plan(song):
    root, result, _ = song
    assert verify_run(open_store(root), "song").sound
    assert all(level["windows_done"] == level["windows"] for level in result["levels"])
    json.dumps(result)


def test_progress_reaches_the_reporter(song):
    _, _, recorder = song
    assert set(recorder.levels) == {0, 1, 2}
    assert recorder.said


def test_resume_of_a_finished_run_computes_nothing(song, monkeypatch):
    from flows.resume import resume

    root, before, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    windows = _windows(root)
    assert resume("song") == before
    assert _windows(root) == windows


def test_lost_delivery_is_written_again(song, monkeypatch):
    root, before, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    (root / "song/export/master.wav").unlink()
    assert resumed(root)["master"] == before["master"]
    assert (root / "song/export/master.wav").is_file()


def test_damaged_delivery_of_the_same_size_is_written_again(song, monkeypatch):
    root, before, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    path = root / "song/export/master.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert resumed(root)["master"]["pcm_sha256"] == before["master"]["pcm_sha256"]
    assert audio.pcm_sha256(read(path)) == before["master"]["pcm_sha256"]
    assert verify_run(open_store(root), "song").sound  # although it was delivered twice


def test_lost_codes_are_given_up_and_made_again(song, monkeypatch):
    root, before, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    store = open_store(root)
    with Journal.open(store, "song") as journal:
        for event in journal.events_of("level_done", "window", "decoded", "exported"):
            blob = event.fields.get("blob")
            if isinstance(blob, dict):
                (root / "song" / BlobRef.from_json(blob).key).unlink(missing_ok=True)
    (root / "song/export/master.wav").unlink()
    assert mend_run(store, "song", take_over=False, say=print).report.sound
    assert resumed(root)["master"]["pcm_sha256"] == before["master"]["pcm_sha256"]
    assert verify_run(store, "song").sound


def test_store_that_goes_away_leaves_a_run_that_resumes(tmp_path, monkeypatch, capsys):
    """The command ends with 4, and nothing is written where the store was."""
    root = tmp_path / "runs"

    class Mover(Recorder):
        def level(self, status, *, window_done: bool) -> None:
            if status.level == 1 and root.exists() and not list(tmp_path.glob("away")):
                root.rename(tmp_path / "away")
                root.mkdir()

    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    from flows.generate import generate

    with pytest.raises(Gone, match="the store went away"), reporting(Mover()):
        generate(REQUEST.model_copy(update={"takes": 1}), "song")
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert unfinished_runs(open_store(root)) == ["song"]


def test_file_says_that_its_numbers_changed_on_the_way(song, monkeypatch):
    root, _, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    with working("song") as run:
        run.journal.append("numerics_change", recorded={"threads": 2}, current={"threads": 1})
        song_of_it = run.tree().current_song
        sound = read(root / "song/export/master.wav")
        codes = SongCodes(run, song_of_it).digests()
        facts = provenance(
            run, take=song_of_it.take, sound=sound, song=song_of_it, level=0, codes=codes
        )
    assert facts["numerics_changes"] == [{"recorded": {"threads": 2}, "current": {"threads": 1}}]


def test_song_is_finished_although_the_room_has_no_token(song, monkeypatch):
    root, _, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    monkeypatch.setenv("JUKEFLOW_CACHE", "/proc/no-such-folder")
    monkeypatch.delenv("JUKEFLOW_ROOM_TOKEN", raising=False)
    with working("song") as run:
        show(FinishedSong(run, run.tree().current_song))
    assert room_link("song").endswith("/runs/song")  # it asks for the token


def test_other_take_makes_a_branch_and_keeps_the_first(song, monkeypatch):
    root, before, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    other = 3 - before["take"]
    _send_to_upsampling(root, other)
    assert unfinished_runs(open_store(root)) == ["song"]
    branch = resumed(root)
    assert branch["take"] == other
    assert branch["master"]["pcm_sha256"] != before["master"]["pcm_sha256"]
    windows = _windows(root)
    _send_to_upsampling(root, before["take"])
    assert resumed(root)["master"]["pcm_sha256"] == before["master"]["pcm_sha256"]
    assert _windows(root) == windows


def test_run_in_other_hands_is_refused_plainly(song, monkeypatch):
    root, _, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    journal = Journal.open(open_store(root), "song")
    with journal.claimed(), pytest.raises(Fenced, match="another worker"), working("song"):
        pass


def test_same_request_under_another_name_gives_the_same_sound(song, store_root):
    _, before, _ = song
    start(open_store(store_root), REQUEST, "again", machine())
    assert resumed(store_root, "again")["master"]["pcm_sha256"] == _first_master(song[0])
    assert [status.run for status in describe_runs(open_store(store_root))] == ["again"]
    assert describe_run(open_store(store_root), "again").to_json()["take"] == before["take"]


def test_every_song_is_shown_while_a_later_round_is_open(song, capsys):
    root, _, _ = song
    paths = [str(root / "song/export/master.wav")]
    paths += [str(path) for path in (root / "song/export").glob("take-*/master.wav")]
    assert len(paths) == 2
    choice = Choice(action="again", takes=(1,))
    make_choice(open_store(root), "song", choice, by="command")
    assert main(["show", "song", "--store", str(root)]) == 0
    out = capsys.readouterr().out
    assert all(path in out for path in paths)
    assert "interrupted: try again" in out


def resumed(root, run: str = "song") -> dict[str, object]:
    """Continue a run as its flow does, without Prefect around the steps."""
    work(run)
    return describe_run(open_store(root), run).to_json()


def _send_to_upsampling(root, take: int) -> None:
    choice = Choice(action="upsample", takes=(take,))
    make_choice(open_store(root), "song", choice, by="command")


def _first_master(root) -> str:
    with Journal.open(open_store(root), "song") as journal:
        return journal.events_of("exported")[0].fields["master"]["pcm_sha256"]


def _windows(root) -> int:
    with Journal.open(open_store(root), "song") as journal:
        return len(journal.events_of("window"))

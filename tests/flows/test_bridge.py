"""From a score to a song: composed, played, continued by nano, delivered; and no file needed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from musiccore.conversion.memory import read
from musiccore.journal.journal import Journal
from musiccore.models.codes import Codes
from musiccore.request.request import Conditioning, GenerationRequest, SamplingOptions
from musiccore.runs.primer_audio import play_primer
from musiccore.scores.likeness import check_against_score
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.score import Part, Score, ScoreNote
from musiccore.storage.store import BlobRef, open_store
from musiccore.tags import read_tags
from tasks.context import working

pytestmark = pytest.mark.usefixtures("prefect_server")

REQUEST = GenerationRequest.parse(
    {
        "model": "nano",
        "seconds": 9,
        "choose": "best",
        "title": "From a score",
        "conditioning": Conditioning(artist="bach", genre="piano minor"),
        "sampling": SamplingOptions(seed=3),
        "primer_compose": {"tempo": 96},
        "primer_seconds": 5,
    }
)


def made(root, request: GenerationRequest, name: str) -> dict[str, object]:
    from flows.generate import generate

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUKEFLOW_STORE", str(root))
        return generate(request, name)


@pytest.fixture(scope="module")
def song(tmp_path_factory, light, prefect_server):
    root = tmp_path_factory.mktemp("bridge") / "runs"
    return root, made(root, REQUEST, "song")


def test_composed_score_goes_all_the_way_to_a_delivered_song(song):
    root, result = song
    export = root / "song/export"
    assert result["state"] == "done"
    score = read_midi(export / "score.mid")
    assert score.seconds == pytest.approx(5.0, abs=0.01)  # two bars at 96 quarters a minute
    assert len({note.part for note in score.sounding()}) == 4
    page = (export / "index.html").read_text()
    assert "The score it started from" in page
    assert 'href="./score.mid"' in page
    assert 'alt="Piano roll of Score"' in page
    assert (export / "score_roll.png").read_bytes().startswith(b"\x89PNG")


def test_song_begins_with_the_codes_of_the_played_score(song, monkeypatch):
    root, _ = song
    monkeypatch.setenv("JUKEFLOW_STORE", str(root))
    score = read_midi(root / "song/export/score.mid")
    with working("song") as run:
        import torch

        n_samples = 80_000 // 256 * 256
        heard = torch.from_numpy(play_primer(score, n_samples, run.config).samples[None])
        with torch.inference_mode():
            expected = [codes.numpy() for codes in run.models.vqvae().encode(heard)]
    codes = Codes.from_npz((root / "song/export/codes.npz").read_bytes())
    for level, known in enumerate(expected):
        np.testing.assert_array_equal(codes.levels[level][:, : known.shape[1]], known)


def test_result_follows_its_score(song):
    root, _ = song
    master = read(root / "song/export/master.wav")
    check = check_against_score(read_midi(root / "song/export/score.mid"), master, 5.0)
    assert check.primer > 0.6
    assert check.primer > check.primer_elsewhere + 0.4


def test_score_is_a_step_of_its_own_and_in_the_store(song):
    root, _ = song
    with Journal.open(open_store(str(root)), "song") as journal:
        (event,) = journal.events_of("score")
        data = journal.get_blob(BlobRef.from_json(event.fields["blob"]))
        assert journal.record.numerics["primer"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert data == (root / "song/export/score.mid").read_bytes()


def test_metadata_tell_how_to_compose_it_again(song):
    root, _ = song
    recipe = read_tags(root / "song/export/master.flac")["provenance"]["recipe"]
    assert GenerationRequest.parse(recipe) == REQUEST


def test_score_file_may_go_once_the_run_has_it(tmp_path, monkeypatch):

    from flows.__main__ import main
    from flows.resume import resume
    from musiccore.runs.conditioning import keep_score
    from musiccore.runs.create import start
    from tasks.context import shared_store
    from tasks.settings import machine

    monkeypatch.setenv("JUKEFLOW_STORE", str(tmp_path / "runs"))
    notes = tuple(ScoreNote(start=i * 96, duration=96, pitch=60 + i) for i in range(4))
    path = tmp_path / "four.mid"
    path.write_bytes(write_midi(Score(ticks_per_quarter=480, parts=(Part(notes=notes),))))
    request = GenerationRequest(model="tiny", seconds=1, primer=str(path), formats=("flac",))
    start(shared_store(), request, "four", machine())
    with working("four") as run:
        keep_score(run)
    path.unlink()
    assert resume("four")["state"] == "done"
    assert (tmp_path / "runs/four/export/score.mid").is_file()

    # Not even to make the song again: the delivered file holds the score.
    assert main(["reproduce", str(tmp_path / "runs/four/export/master.flac")]) == 0

"""Every reader of foreign bytes but those of sound: an answer or one clear error, and quickly.

Small real files of every kind, mutated, cut, and with words and values that readers trip over.
Those of sound are in `tests/musiccore/test_reader_fuzz.py`; the long run is `pytest -m soak`.
"""

from __future__ import annotations

import io
import json
import tempfile
import tracemalloc
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from safetensors.torch import save

from flows.listening.wishes import Wish
from musiccore.composer.sizes import ComposerConfig
from musiccore.composer.to_score import provenance_of
from musiccore.composer.weights import load_model
from musiccore.conversion.metadata import summary_of
from musiccore.errors import LONGEST, MusicCoreError
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import RunRecord
from musiccore.models.checkpoints import load_weights, read_state, save_weights
from musiccore.models.codes import Codes, from_npy, to_npy
from musiccore.models.label_tables import LabelTables
from musiccore.models.presets import preset
from musiccore.models.vqvae import VQVAE
from musiccore.parity.run import run_parity
from musiccore.request.recipes import read_songs
from musiccore.request.request import GenerationRequest
from musiccore.request.speed import Speeds
from musiccore.runs.verify import verify_run
from musiccore.scores.midi import read_midi, write_midi
from musiccore.scores.notation import Music21, read_score
from musiccore.scores.score import Part, Score, ScoreNote, Tempo, Words
from musiccore.scores.score_files import find_scores
from musiccore.scores.tokenise import read_tokens, scores_of, tokenise_scores
from musiccore.scores.tokens import dump_tokens, load_tokens
from musiccore.storage.sealed import seal, unseal
from musiccore.storage.store import open_store
from musiccore.synth.soundfonts import find_font
from musiccore.takes.choice import Choice
from tests.contracts.store_suite import run_record
from tests.damage import (
    Changes,
    answered,
    dumped,
    edits,
    mutated,
    revalued,
    values,
    worded,
    words,
)

QUICK = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(QUICK, max_examples=1000)


@dataclass(frozen=True)
class Reader:
    """How one kind of input is read.

    Attributes:
        name: of the file.
        whole: content that is right.
        read: reads the file, and makes what people make of it.
        is_text: words are put in, too.
    """

    name: str
    whole: bytes
    read: Callable[[Path], object]
    is_text: bool = True


def _score() -> Score:
    notes = tuple(ScoreNote(start=48 * n, duration=48, pitch=60 + n) for n in range(8))
    words = (Words(tick=0, kind="lyrics", text="la"),)
    part = Part(name="Violin", program=40, notes=notes, words=words, track=1)
    tempos = (Tempo(tick=0, microseconds=500_000),)
    return Score(ticks_per_quarter=96, parts=(part,), tempos=tempos, name="Tune")


def _tokens(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mid")
        path.write_bytes(write_midi(_score()))
        return dump_tokens(tokenise_scores(find_scores([str(path)]), form).tokens)


def _codes() -> Codes:
    levels = tuple(np.arange(n, dtype=np.int16)[None] for n in (64, 16, 4))
    return Codes(levels=levels, codec="nano")


def _torch_file(*, packed: bool) -> bytes:
    file = io.BytesIO()
    state = {"a.weight": torch.arange(12.0).reshape(3, 4), "b": torch.zeros(2, dtype=torch.half)}
    torch.save({"model": state, "step": 3}, file, _use_new_zipfile_serialization=packed)
    return file.getvalue()


def _detokenised(path: Path) -> None:
    for _, score in scores_of(read_tokens(path)):
        write_midi(score)


def _vocabulary(path: Path) -> None:
    tokens = load_tokens(path.read_bytes())
    for piece in tokens.pieces:
        tokens.strings(piece)


def _label_tables(path: Path) -> None:
    path.with_name("v3_genre_ids.txt").write_bytes(b"pop;1\nrock;2\n")
    tables = LabelTables.load(path.parent, "v3", verify=False)
    tables.nearest("bah", "artist")
    tables.artist_name(1)


NETWORK = VQVAE(preset("tiny").vqvae)


def _parity(path: Path) -> None:
    assert not run_parity(path.parent).rows[0].case.startswith("/")


def _sidecar(path: Path) -> None:
    path.with_name("a.aac").write_bytes(b"\xff\xf1\x50\x80\x03\x9f\xfc" + bytes(200))
    summary_of(path.with_name("a.aac"), ffmpeg=None, encoding=None)


GOLDEN = Path(__file__).parents[1] / "golden"
RECIPE = b"""model = "tiny"
title = "Evening"
seconds = 0.4
takes = 2
window_hop = [2, 2, 2]
formats = ["wav", "mp3"]
[conditioning]
artist = "bach"
genre = "piano"
lyrics = "la la"
[sampling]
seed = 1
temperature = [1.0, 0.9, 0.8]
top_p = 0.98
"""
SONGS = b"""[defaults]
model = "nano"
seconds = 12
[[song]]
title = "One"
genre = "piano minor"
seed = 1
priority = 2
max_hours = 0.5
[[song]]
title = "Two"
temperature = 0.9
primer = "a.wav"
lyrics_file = "words.txt"
"""
TABLE = b"""title,model,seconds,seed,temperature,priority,allow_unknown,lyrics
One,nano,12,1,0.9,2,yes,"la
la"
Two,nano,6,2,1 0.9 0.8,,,
"""
ABC = b"""X:1
T:Tune
M:3/4
L:1/8
K:G
|: G2 A2 B2 | c3 d e2 | [1 d6 :| [2 g6 |]
w: la la la
"""
HUMDRUM = b"""**kern\t**kern
*M4/4\t*M4/4
*k[f#]\t*k[f#]
4G\t4g
4A\t8a
.\t8b
2B\t2d
*-\t*-
"""
MUSICXML = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "partwise.dtd">
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Violin</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>2</divisions>
<key><fifths>1</fifths></key><time><beats>2</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>2</duration><type>quarter</type>
</note><note><rest/><duration>1</duration></note><note><pitch><step>A</step><alter>1</alter>
<octave>4</octave></pitch><duration>1</duration><type>eighth</type></note></measure></part>
</score-partwise>
"""


def _mxl() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("META-INF/container.xml", b"<container/>")
        packed.writestr("score.xml", MUSICXML)
    return file.getvalue()


READERS = (
    Reader("song.mid", write_midi(_score()), read_midi, is_text=False),
    Reader("recipe.toml", RECIPE, GenerationRequest.from_toml),
    Reader("songs.toml", SONGS, read_songs),
    Reader("songs.csv", TABLE, read_songs),
    Reader("events.json", _tokens("events"), _detokenised),
    Reader("grid.json", _tokens("grid"), _detokenised),
    Reader("seed.json", _tokens("seed"), _detokenised),
    Reader("vocabulary.json", _tokens("grid"), _vocabulary),
    Reader("v3_artist_ids.txt", b"Bach;1\nJ. S. Bach;1\n;0\n\xc3\xa9;12\n", _label_tables),
    Reader("a.safetensors", save({"a": torch.arange(6.0), "b": torch.zeros(2, 3)}), read_state),
    Reader("ours.safetensors", save_weights(NETWORK), lambda p: load_weights(p, NETWORK)),
    Reader("new.pth.tar", _torch_file(packed=True), read_state, is_text=False),
    Reader("old.pth.tar", _torch_file(packed=False), read_state, is_text=False),
    Reader("codes.npy", to_npy(_codes().levels[0]), lambda p: from_npy(p.read_bytes())),
    Reader("codes.npz", _codes().to_npz(), lambda p: Codes.from_npz(p.read_bytes())),
    Reader("schedules.json", (GOLDEN / "schedules.json").read_bytes(), _parity),
    Reader("misc.safetensors", (GOLDEN / "misc.safetensors").read_bytes(), _parity),
    Reader("a.aac.json", dumped({"provenance": {"run": "song"}, "title": "x"}), _sidecar),
)
SCORES = (
    Reader("tune.abc", ABC, Path),
    Reader("tune.krn", HUMDRUM, Path),
    Reader("tune.musicxml", MUSICXML, Path),
    Reader("tune.mxl", _mxl(), Path, is_text=False),
)


@pytest.fixture(scope="module")
def music21() -> Iterator[Music21]:
    with Music21(seconds=30.0) as asked:
        yield asked


def check(reader: Reader, data: bytes, read: Callable[[Path], object]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, reader.name)
        path.write_bytes(data)
        return answered(lambda: read(path), limit=60.0)


def hurt(reader: Reader, changes: Changes, places: list[tuple[float, int, int]]) -> bytes:
    return (
        worded(reader.whole, places)
        if reader.is_text and places
        else mutated(reader.whole, changes)
    )


ids = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
score_ids = pytest.mark.parametrize("reader", SCORES, ids=lambda reader: reader.name)


@ids
def test_the_whole_one_is_read(reader: Reader) -> None:
    said = check(reader, reader.whole, reader.read)
    assert said == "" or reader.name in ("seed.json", "a.aac.json"), said


@score_ids
def test_the_whole_score_is_read(music21, reader: Reader) -> None:
    assert check(reader, reader.whole, lambda path: read_score(path, music21=music21)) == ""


@ids
@QUICK
@given(changes=edits, places=words)
def test_any_change_gives_an_answer_or_one_error(reader: Reader, changes, places) -> None:
    check(reader, hurt(reader, changes, places), reader.read)


@score_ids
@settings(QUICK, max_examples=2)
@given(changes=edits, places=words)
def test_any_change_to_a_score_does_too(music21, reader: Reader, changes, places) -> None:
    data = hurt(reader, changes, places)
    check(reader, data, lambda path: read_score(path, music21=music21))


@pytest.mark.soak
@ids
@LONG
@given(changes=edits, places=words)
def test_any_change_for_long(reader: Reader, changes, places) -> None:
    check(reader, hurt(reader, changes, places), reader.read)


@pytest.mark.soak
@score_ids
@settings(LONG, max_examples=150)
@given(changes=edits, places=words)
def test_any_change_to_a_score_for_long(music21, reader: Reader, changes, places) -> None:
    data = hurt(reader, changes, places)
    check(reader, data, lambda path: read_score(path, music21=music21))


# ------------------------------------------------------------------------------ values of JSON


def _store_with(name: str, content: bytes) -> None:
    """Open, tell and verify a run one of whose objects is another."""
    store = open_store(f"memory://test-{uuid.uuid4().hex}")
    with Journal.create(store, run_record(), retry_pause=0.001) as journal, journal.claimed():
        blob = journal.put_blob(b"codes")
        journal.append("selection", takes=[1, 2], note="la")
        journal.append_window(
            level=0, group=0, index=0, start=0, n_new=1, takes=[0], blob=blob, inputs="i"
        )
    store.at("song").put(name, content)
    opened = Journal.open(store, "song")
    opened.losses()
    verify_run(store, "song")


def _records() -> dict[str, bytes]:
    store = open_store(f"memory://test-{uuid.uuid4().hex}")
    with Journal.create(store, run_record(), retry_pause=0.001) as journal, journal.claimed():
        journal.append("selection", takes=[1, 2], note="la")
    run = store.at("song")
    return {name: run.get(name) for name in run.list() if name.endswith(".json")}


RECORDS = _records()
SPEED = Speeds(
    model="tiny",
    machine="x",
    measured="2026-01-31T18:45:12+00:00",
    levels=(),
)


def _sealed(read: Callable[[bytes], object]) -> Callable[[object], object]:
    """Read a value as a body that was sealed."""

    def sealed(value: object) -> object:
        return read(seal(value) if isinstance(value, dict) else dumped(value))

    return sealed


def _words_of(value: object) -> None:
    words = (Words(tick=0, kind="text", text=json.dumps({"jukeflow": value})),)
    provenance_of(Score(ticks_per_quarter=96, parts=(), words=words))


VALUED: dict[str, tuple[object, Callable[[object], object]]] = {
    "request": (
        GenerationRequest(seconds=3.0).model_dump(mode="json"),
        lambda value: GenerationRequest.parse(value if isinstance(value, dict) else {}),
    ),
    "choice": (
        {"action": "splice", "takes": [1], "parts": [{"take": 1, "start": 0, "end": 1}]},
        lambda value: Choice.parse(value if isinstance(value, dict) else {}).in_words(),
    ),
    "wish": (
        {"choice": {"action": "keep", "takes": [1], "start": "0", "seconds": "1:02"}, "round": 1,
         "seen": 0, "who": "me", "branch": False},
        Wish.parse,
    ),
    "events": (json.loads(_tokens("events")), lambda value: _decoded(dumped(value))),
    "grid": (json.loads(_tokens("grid")), lambda value: _decoded(dumped(value))),
    "run.json": (
        unseal(RECORDS["run.json"], what="run"),
        _sealed(lambda data: RunRecord.from_bytes(data, run_id="song")),
    ),
    "speeds": (json.loads(SPEED.to_bytes()), lambda value: Speeds.from_bytes(dumped(value))),
    "words": ({"seed": 1}, _words_of),
    "parity": (
        json.loads((GOLDEN / "schedules.json").read_bytes()),
        lambda value: check(READERS[-3], dumped(value), _parity),
    ),
}  # fmt: skip


def _decoded(data: bytes) -> None:
    for _, score in scores_of(load_tokens(data)):
        write_midi(score)


@pytest.mark.parametrize("name", sorted(VALUED))
@QUICK
@given(changes=values)
def test_any_value_gives_an_answer_or_one_error(name: str, changes) -> None:
    whole, read = VALUED[name]
    answered(lambda: read(revalued(whole, changes)))


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(VALUED))
@LONG
@given(changes=values)
def test_any_value_for_long(name: str, changes) -> None:
    whole, read = VALUED[name]
    answered(lambda: read(revalued(whole, changes)))


@pytest.mark.parametrize("name", sorted(RECORDS))
@QUICK
@given(changes=edits, places=words)
def test_any_change_to_a_store_is_answered(name: str, changes, places) -> None:
    data = worded(RECORDS[name], places) if places else mutated(RECORDS[name], changes)
    answered(lambda: _store_with(name, data))


@pytest.mark.parametrize("name", sorted(RECORDS))
@QUICK
@given(changes=values)
def test_any_sealed_value_in_a_store_is_answered(name: str, changes) -> None:
    try:
        body = revalued(unseal(RECORDS[name], what=name), changes)
        data = seal(body)
    except MusicCoreError:  # which is not sealed at all
        data = dumped(revalued(json.loads(RECORDS[name]), changes))
    answered(lambda: _store_with(name, data))


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(RECORDS))
@LONG
@given(changes=edits, places=words, other=values)
def test_any_change_to_a_store_for_long(name: str, changes, places, other) -> None:
    data = worded(RECORDS[name], places) if places else mutated(RECORDS[name], changes)
    answered(lambda: _store_with(name, data))
    try:
        sealed = seal(revalued(unseal(RECORDS[name], what=name), other))
    except MusicCoreError:
        return
    answered(lambda: _store_with(name, sealed))


# --------------------------------------------------------------------- what is larger than it looks


def _packed(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        packed.writestr("score.xml", bytes(40 << 20))
    return file.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_score_takes_no_more_memory_than_its_limit(tmp_path, method) -> None:
    path = tmp_path / "bomb.mxl"
    path.write_bytes(_packed(method))
    tracemalloc.start()
    said = answered(lambda: read_score(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "unpacks to more" in said or "packed as no MusicXML" in said
    assert peak < 32 << 20


@pytest.mark.parametrize(
    "sizes", [{"width": 1 << 20}, {"head_width": 1 << 40}, {"n_layers": 60}, {"n_voices": 10**9}]
)
def test_model_whose_sizes_its_numbers_cannot_fill_is_refused(tmp_path, sizes) -> None:
    config = {**asdict(ComposerConfig()), **sizes}
    path = tmp_path / "model.safetensors"
    path.write_bytes(
        save({"a": torch.zeros(4)}, metadata={"facts": json.dumps({"config": config})})
    )
    said = answered(lambda: load_model(tmp_path))
    assert "at most" in said or "needs more than the 4 numbers" in said


def test_codes_that_state_more_than_is_there_take_no_memory() -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<i2", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    )
    assert "does not fit" in answered(lambda: from_npy(head.getvalue() + bytes(8)))
    broken = b"\x93NUMPY\x01\x00\x08\x00{'a': (\n"
    assert "damaged" in answered(lambda: from_npy(broken))


@pytest.mark.parametrize(
    "text", [b"a = " + b"[" * 9000, b"a = " + b"9" * 9000, b"9" * 9000 + b"=1"]
)
@pytest.mark.parametrize("name", ["recipe.toml", "songs.toml"])
def test_deep_and_long_values_are_one_sentence(name, text) -> None:
    reader = next(reader for reader in READERS if reader.name == name)
    assert 0 < len(check(reader, text, reader.read)) <= LONGEST + 1


def test_file_that_is_no_sound_font_is_refused(tmp_path) -> None:
    path = tmp_path / "a.sf2"
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVE")
    assert "is no sound font" in answered(lambda: find_font(path))

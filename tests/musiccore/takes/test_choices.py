"""Choices: durable when acknowledged, never merged silently, never damaged unnoticed."""

from __future__ import annotations

import multiprocessing
import threading
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import ConfigError, Corrupt, StorageError, Unavailable
from musiccore.journal.journal import Journal
from musiccore.journal.records import MAX_RECORD_BYTES
from musiccore.runs.verify import verify_run
from musiccore.storage.backends import MemoryBackend
from musiccore.storage.store import Store, open_store
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.choice_log import ChoiceLog, Conflict
from tests.contracts.store_suite import run_record

SPAWN = multiprocessing.get_context("spawn")
"""A fork of a process in which a Prefect client lives ends in that client's hooks."""

CONTINUE = Choice(action="continue", takes=(1,), seconds=4.0)
OTHER = Choice(action="continue", takes=(2,), seconds=4.0)


@pytest.fixture
def store() -> Store:
    return begun(open_store(f"memory://test-{uuid.uuid4().hex}"))


def begun(store: Store) -> Store:
    Journal.create(store, run_record())
    return store


def log_of(store: Store) -> ChoiceLog:
    return ChoiceLog(store, "song", run_record=run_record().to_bytes(), retry_pause=0.001)


def choose(store: Store, choice: Choice, **how: object) -> MadeChoice:
    return log_of(store).append(choice, **{"round_number": 1, "by": "command", **how})


def keys(store: Store) -> list[str]:
    return list(store.at("song").list())


# -------------------------------------------------------------------------------- one after another


def test_choice_is_in_the_store_when_append_returns(store):
    made = choose(store, CONTINUE, who="  Ada ", by="room")
    (read,) = log_of(store).read()
    assert read == made
    assert (read.seq, read.by, read.who, read.round, read.seen) == (1, "room", "Ada", 1, 0)
    assert read.choice == CONTINUE
    assert verify_run(store, "song").sound


def test_worker_at_work_and_people_do_not_hinder_each_other(store):
    with Journal.open(store, "song") as journal, journal.claimed():
        choose(store, CONTINUE)
        journal.append("waiting", round=1)
    report = verify_run(store, "song")
    assert report.sound
    assert report.n_choices == 1


def test_contradiction_of_people_unaware_of_each_other_names_the_first(store):
    choose(store, CONTINUE, who="Ada", seen=0)
    before = keys(store)
    with pytest.raises(Conflict, match=r"continue take 2 .* contradicts .* take 1 .*by Ada") as e:
        choose(store, OTHER, seen=0)
    assert e.value.other.choice == CONTINUE
    assert "--branch" in (e.value.hint or "")
    assert keys(store) == before


def test_same_choice_of_people_unaware_of_each_other_is_one(store):
    first = choose(store, CONTINUE, seen=0, who="Ada")
    assert choose(store, CONTINUE, seen=0, who="Bob") == first
    assert len(log_of(store).read()) == 1


def test_who_knows_the_first_choice_makes_a_branch(store):
    choose(store, CONTINUE, seen=0)
    assert choose(store, OTHER, seen=1).seq == 2
    assert choose(store, CONTINUE, seen=2).seq == 3


def test_branch_keeps_both(store):
    choose(store, CONTINUE, seen=0)
    choose(store, OTHER, seen=0, branch=True)
    assert [made.choice for made in log_of(store).read()] == [CONTINUE, OTHER]


@pytest.mark.parametrize(
    ("first", "second", "contradicts"),
    [
        ({"action": "keep", "takes": [1, 2]}, {"action": "drop", "takes": [2]}, True),
        ({"action": "keep", "takes": [1]}, {"action": "drop", "takes": [2]}, False),
        ({"action": "drop", "takes": [1]}, {"action": "drop", "takes": [1, 2]}, False),
        ({"action": "again"}, {"action": "back"}, True),
        ({"action": "upsample", "takes": [1]}, {"action": "more", "takes": [1]}, True),
        ({"action": "keep", "takes": [1]}, {"action": "upsample", "takes": [2]}, False),
        (
            {"action": "note", "takes": [1], "stars": 1},
            {"action": "note", "takes": [1], "stars": 5},
            False,
        ),
    ],
)
def test_what_contradicts_what(store, first, second, contradicts):
    choose(store, Choice.parse(first), seen=0)
    if contradicts:
        with pytest.raises(Conflict):
            choose(store, Choice.parse(second), seen=0)
    else:
        assert choose(store, Choice.parse(second), seen=0).seq == 2


def test_decisions_about_different_rounds_do_not_contradict(store):
    choose(store, CONTINUE, seen=0)
    assert choose(store, OTHER, round_number=2, seen=0).seq == 2


# ------------------------------------------------------------------------------------- all at once


def test_of_contradictions_at_the_same_instant_one_is_made(store):
    def one(number: int) -> None:
        try:
            choose(store, Choice(action="upsample", takes=(number,)), seen=0)
            ends.append("made")
        except Conflict:
            ends.append("refused")

    ends: list[str] = []
    threads = [threading.Thread(target=one, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(ends) == {"made": 1, "refused": 5}
    assert verify_run(store, "song").sound


def _many(root: Path, number: int) -> None:
    store = open_store(root)
    for n in range(6):
        choose(store, Choice(action="note", takes=(number * 10 + n,), stars=1), seen=0)


def test_choices_of_several_processes_are_each_there_once(tmp_path):
    store = begun(open_store(tmp_path))
    workers = [SPAWN.Process(target=_many, args=(tmp_path, n)) for n in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    made = log_of(store).read()
    assert sorted(c.choice.takes[0] for c in made) == [
        10 * w + n for w in (1, 2, 3) for n in range(6)
    ]
    report = verify_run(store, "song")
    assert (report.n_choices, report.doubts) == (18, ())


def test_slow_writer_leaves_the_hint_at_the_end(store):
    """Its hint arrives when others have long gone on."""

    slow = log_of(store)
    real = slow._chain.write_tip
    others = iter(range(3))

    def write_tip() -> None:
        for n in others:
            choose(store, Choice(action="note", takes=(n + 1,), stars=1))
        real()

    slow._chain.write_tip = write_tip
    slow.append(CONTINUE, round_number=1, by="command")
    assert verify_run(store, "song").doubts == ()


# ------------------------------------------------------------------------------------------ faults


class Forgetful(MemoryBackend):
    """Writes, and loses so many replies."""

    lost = 0

    def create(self, key: str, data: bytes) -> None:
        super().create(key, data)
        if self.lost:
            self.lost -= 1
            raise ConnectionError("no reply")


def test_lost_reply_is_settled_by_reading_back():
    backend = Forgetful(f"test-{uuid.uuid4().hex}")
    store = begun(Store(backend, writers="multi-writer"))
    backend.lost = 1
    made = choose(store, CONTINUE)
    assert log_of(store).read() == (made,)


def test_choice_whose_fate_is_unknown_is_one_when_made_again_by_the_same_page():
    backend = Forgetful(f"test-{uuid.uuid4().hex}")
    store = begun(Store(backend, writers="multi-writer"))
    silent = log_of(store)
    silent._chain._store = silent_store = _Silent(store.at("song"))
    with pytest.raises(Unavailable):
        silent.append(CONTINUE, round_number=1, by="room", seen=0)
    assert silent_store.tries == 4
    choose(store, CONTINUE, by="room", seen=0)
    assert len(log_of(store).read()) == 1


class _Silent:
    """A store whose first write arrives, and which then answers no more writes."""

    def __init__(self, store: Store) -> None:
        self._store, self.tries = store, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def create(self, key: str, data: bytes) -> None:
        self.tries += 1
        if self.tries == 1:
            self._store.create(key, data)
        raise Unavailable("no answer")


def _three(store: Store) -> None:
    for take in (1, 2, 3):
        choose(store, Choice(action="note", takes=(take,), stars=take))


@pytest.mark.parametrize("at", [0, 30, 200, -3])
def test_flipped_bit_is_noticed(store, at):
    _three(store)
    run = store.at("song")
    data = bytearray(run.get("choices/00000002.json"))
    data[at] ^= 1
    run.put("choices/00000002.json", bytes(data))
    log = log_of(store)
    assert [made.choice.action for made in log.read()] == ["note", "lost", "note"]
    assert log.losses() == ("choice 2 is damaged: make it again, if it still matters",)
    assert choose(store, CONTINUE).seq == 4
    assert any(d.key == "choices/00000002.json" for d in verify_run(store, "song").doubts)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_missing_choice_is_noticed(store, seq):
    _three(store)
    store.at("song").delete(f"choices/{seq:08d}.json")
    log = log_of(store)
    assert [made.choice.takes for made in log.read()] == [
        *([(1,), (2,)] if seq == 3 else [() if take == seq else (take,) for take in (1, 2, 3)])
    ]
    assert len(log.losses()) == 1
    assert not verify_run(store, "song").sound


@pytest.mark.parametrize("data", [None, b"", b"{", b"\xff" * 100_000])
def test_the_number_of_a_lost_choice_is_not_given_to_another(store, data):
    _three(store)
    run = store.at("song")
    run.delete("choices/00000003.json")
    if data is not None:
        run.put("choices/00000003.json", data)
    log = log_of(store)
    assert [made.seq for made in log.read()] == [1, 2]
    assert "please choose again" in log.losses()[0]
    assert choose(store, CONTINUE).seq == 4
    assert [made.choice.action for made in log_of(store).read()] == [
        *("note", "note", "lost", "continue")
    ]


def test_nobody_can_choose_what_stands_for_a_lost_choice():
    with pytest.raises(ConfigError, match="'lost' is none"):
        Choice.parse({"action": "lost"})


def test_exchanged_choice_is_noticed(store):
    _three(store)
    other = begun(open_store(f"memory://test-{uuid.uuid4().hex}"))
    for take in (1, 2, 3):
        choose(other, Choice(action="note", takes=(take,), stars=5 - take))
    for seq in (2, 3):
        key = f"choices/{seq:08d}.json"
        before = store.at("song").get(key)
        store.at("song").put(key, other.at("song").get(key))
        log = log_of(store)
        log.read()
        assert log.losses()
        assert not verify_run(store, "song").sound
        store.at("song").put(key, before)
    assert verify_run(store, "song").sound


def test_sealed_record_that_holds_no_choice_is_damage(store):
    log = log_of(store)
    fields = {"by": "command", "who": "", "round": 1, "seen": 0, "choice": {"action": "fly"}}
    log._chain.write(log._chain.encode("choice", fields, epoch=0, owner="command"))
    with pytest.raises(Corrupt, match="choice 1 is damaged"):
        log_of(store).read()
    assert not verify_run(store, "song").sound


# --------------------------------------------------------------------------------- hostile input

BIG = "x" * 10_000_000
MANY = list(range(1, 5000))
PART = {"take": 1, "start": 0, "end": 1}
HOSTILE = {
    "action": ["", "fly", BIG, "\x00", None, 3, ["keep"]],
    "takes": [[0], [-1], [1, 1], [10**9], ["x"], [1.5], "1", [float("nan")], [[1]], [BIG], MANY],
    "seconds": [0, -1, float("nan"), float("inf"), 1e300, "soon", BIG, [1.0]],
    "count": [0, -1, 65, 10**30, 1.5, "many", float("nan")],
    "start": [-1, float("nan"), 1e9, "x", BIG],
    "end": [-1, float("nan"), 1e9, "x", 0],
    "parts": [[{"take": 1, "start": 2, "end": 1}], [{}], "x", [BIG], [PART] * 5000],
    "copies": [0, -1, 65, 10**30, "x"],
    "keeps": [[-1], [10**30], ["x"], 1, MANY],
    "anew": ["maybe", 3, BIG],
    "rendition": [0, -1, 10**30, "x"],
    "stars": [-1, 6, 10**30, 1.5, "x"],
    "text": [BIG, "\x00", "\x1b[31m", "\ud800", "\u202e", 3, ["x"], "x" * 2001],
    "changes": [
        {"artist": "\x00"},
        {"artist": "\ud800"},
        {"artist": BIG},
        {"genre": "\x1b[31m"},
        {"lyrics": BIG},
        {"lyrics": "\ud800"},
        {"lyrics": "la\x00la"},
        {"lyrics": "x" * 50_000},
        {"lyrics": "\U0001f3b5" * 5_000},
        {"temperature": float("nan")},
        {"temperature": -1.0},
        {"temperature": [0.0, 1.0]},
        {"temperature": "hot"},
        {"top_k": -1},
        {"top_p": 0},
        {"top_p": float("nan")},
        {"total_seconds": float("inf")},
        {"secret": 1},
        {BIG: 1},
        "x",
    ],
    "\x1b[2J": ["x"],
    BIG: [1],
}  # fmt: skip
WHOLE = {
    "takes": ("keep", {}),
    "seconds": ("continue", {"takes": [1]}),
    "start": ("cut", {"takes": [1], "end": 1}),
    "end": ("cut", {"takes": [1], "start": 0.5}),
    "parts": ("splice", {}),
    "text": ("rename", {"takes": [1]}),
    "stars": ("note", {"takes": [1], "text": "x"}),
    "changes": ("change", {"takes": [1]}),
}
CASES = [(field, value) for field, values in HOSTILE.items() for value in values]


@pytest.mark.parametrize(
    ("field", "value"), CASES, ids=[f"{ascii(f)[:12]}-{n}" for n, (f, _) in enumerate(CASES)]
)
def test_hostile_field_is_refused_by_its_name_in_one_short_line(field, value):
    action, rest = WHOLE.get(field, ("again", {}))
    with pytest.raises(ConfigError) as refused:
        Choice.parse({"action": action, **rest, field: value})
    message = refused.value.message
    named = field if field.isidentifier() and len(field) < 20 else ascii(field)[1:7]
    assert named in message or "range" in message or "take is given twice" in message
    assert len(message) < 1000
    assert message.isprintable()
    assert message.isascii()


@pytest.mark.parametrize("who", ["\x00", "a\x1b[31m", "\ud800", "\u202eeve"])
def test_hostile_name_is_refused(store, who):
    before = keys(store)
    with pytest.raises(ConfigError, match=r"^who: "):
        choose(store, CONTINUE, who=who)
    assert keys(store) == before


def test_number_before_the_first_choice_is_refused(store):
    with pytest.raises(ConfigError, match="seen is -1"):
        choose(store, CONTINUE, seen=-1)


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)", "'; --", "{{7*7}}", "\u00fc\u4e2d\U0001f3b5"]
)
def test_text_that_is_odd_but_printable_comes_back_as_it_was(store, text):
    choose(store, Choice.parse({"action": "rename", "takes": [1], "text": text}), who=text)
    (made,) = log_of(store).read()
    assert made.choice.text == text
    assert made.who == text
    assert text in made.in_words() or repr(text)[1:-1] in made.in_words()


def test_largest_choice_fits_its_record(store):
    parts = [
        {"take": 10**6, "start": 0.123456789012345 + n, "end": n + 0.987654321098765}
        for n in range(200)
    ]
    changes = {
        "lyrics": "\u4e2d" * 6_800,
        "artist": "\U0001f3b5" * 200,
        "genre": "\U0001f3b5" * 200,
    }
    for fields in (
        {"action": "splice", "parts": parts, "changes": changes},
        {"action": "upsample", "takes": list(range(10**6 - 1000, 10**6)), "changes": changes},
        {"action": "note", "takes": [1], "text": "\U0001f3b5" * 2000},
    ):
        choose(store, Choice.parse(fields), who="\U0001f3b5" * 200)
    assert len(log_of(store).read()) == 3
    sizes = [n for key, n in store.at("song").list("choices").items() if "tip" not in key]
    assert max(sizes) < MAX_RECORD_BYTES
    assert max(sizes) > 40 * 1024


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*list(HOSTILE)[:12], "action"]), JSON, max_size=5))
def test_anything_is_a_choice_or_one_clear_refusal(data):
    try:
        choice = Choice.parse(data)
    except ConfigError as error:
        refused = error.message
        assert refused.isprintable()
    else:
        assert Choice.parse(choice.model_dump(mode="json", exclude_defaults=True)) == choice
        assert choice.in_words()


def test_every_choice_can_be_said_in_words():
    words = {
        "keep take 1": {"action": "keep", "takes": [1]},
        "continue take 2 by 4 s": {"action": "continue", "takes": [2], "seconds": 4},
        "cut take 1 from 0:04 to 1:00": {"action": "cut", "takes": [1], "start": 4, "end": 59.999},
        "send takes 1, 2 to upsampling, 3 versions": {
            "action": "upsample",
            "takes": [1, 2],
            "copies": 3,
        },
        "redo song 2 from 0:00 to 0:01": {"action": "redo", "rendition": 2, "start": 0, "end": 1},
    }
    assert {text: Choice.parse(data).in_words() for text, data in words.items()} == {
        text: text for text in words
    }


def test_store_that_refuses_is_said_so(tmp_path):
    store = begun(open_store(tmp_path))
    (tmp_path / "song" / "choices").write_text("in the way")
    with pytest.raises(StorageError):
        choose(store, CONTINUE)

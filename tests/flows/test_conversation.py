"""A conversation about takes: what is made, what is used again, what never changes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import musiccore.delivery.policy
import musiccore.takes.tree
from musiccore import audio
from musiccore.conversion.memory import read
from musiccore.delivery.song_audio import CROSSFADE_SECONDS, FinishedSong
from musiccore.errors import ConfigError
from musiccore.journal.journal import Journal
from musiccore.runs.choices import make_choice
from musiccore.runs.conditioning import known_codes
from musiccore.runs.create import Primer
from musiccore.runs.levels import stored_level
from musiccore.runs.purge import purge_takes, purgeable
from musiccore.runs.run_codes import RunCodes
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import describe_run, unfinished_runs
from musiccore.runs.verify import verify_run
from musiccore.tags import read_tags
from musiccore.takes.choice import Choice
from musiccore.takes.choice_log import Conflict
from musiccore.testing import sine
from tests.flows.plain_steps import Talk, plain_steps

PART = {"take": 1, "start": 0, "end": 0.1}


@pytest.fixture(scope="module")
def steps():
    with plain_steps() as sampled:
        yield sampled


@pytest.fixture(scope="module")
def begun(steps) -> Talk:
    """A run whose first round has been made; tests go on with copies of it."""
    return fresh(steps)


@pytest.fixture
def talk(begun) -> Talk:
    return begun.copy()


def fresh(steps, **request: object) -> Talk:
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(**request)
    talk.work()
    return talk


@pytest.fixture(scope="module")
def sung(begun) -> Talk:
    """Take 3 continues take 1, was auditioned and became song 1; song 2 redoes a stretch of it."""
    talk = begun.copy()
    talk.go("continue", 1, seconds=0.1)
    talk.go("audition", 3, start=0, end=0.06)
    talk.go("upsample", 3)
    talk.go("redo", 3, start=0.2, end=0.25)
    return talk


def codes(talk: Talk, song: int) -> list[np.ndarray]:
    with talk.opened() as run:
        found = run.tree().rendition(song)
        return [RunCodes(run).song(found, level) for level in range(run.config.levels)]


def tops(talk: Talk, *takes: int) -> list[list[int]]:
    with talk.opened() as run:
        return [RunCodes(run).take(take).tolist() for take in takes]


def sound(talk: Talk, song: int) -> np.ndarray:
    with talk.opened() as run:
        return FinishedSong(run, run.tree().rendition(song)).audio(0).samples


def files(talk: Talk, number: int) -> list[str]:
    return [
        e.fields["file"]["sha256"]
        for e in talk.events("candidate")
        if e.fields.get("round") == number
    ]


# ------------------------------------------------------------------------------------- candidates


def test_candidates_are_files_that_say_what_made_them(talk):
    assert describe_run(talk.store, "song").state == "waiting"
    assert [event.fields["take"] for event in talk.events("candidate")] == [1, 2]
    for event in talk.events("candidate"):
        data = talk.store.at("song").get(event.fields["file"]["path"])
        clip = read(data)
        assert clip.seconds == pytest.approx(0.4)
        made = read_tags(data)["provenance"]
        assert (made["take"], made["level"], made["run"]) == (event.fields["take"], 2, "song")
        assert event.fields["new_from"] == 0


def test_waiting_run_has_no_work(talk):
    assert unfinished_runs(talk.store) == []
    assert talk.work() == []


def test_continuation_begins_with_the_codes_of_its_parent(sung):
    parent, one, other = tops(sung, 1, 3, 4)
    assert one[:25] == other[:25] == parent
    assert one[25:] != other[25:]
    assert len(one) == 25 + 16


def test_cut_and_splice_copy_codes(talk):
    talk.go("cut", 1, start=0.08, end=0.24)
    talk.go("splice", parts=[{"take": 2, "start": 0, "end": 0.16}, {**PART, "take": 3}])
    first, second, cut, joined = tops(talk, 1, 2, 3, 4)
    assert cut == first[5:15]
    assert joined == second[:10] + cut[:6]
    assert len(files(talk, 3)) == 1


def test_order_of_choices_does_not_change_what_they_give(begun):
    one, other = begun.copy(), begun.copy()
    one.go("continue", 1, seconds=0.1)
    one.go("note", 1, stars=5)
    one.go("upsample", 3)
    other.choose("note", 1, stars=5)
    other.choose("continue", 1, seconds=0.1)
    other.work()
    other.choose("upsample", 4)
    other.choose("upsample", 3)
    other.work()
    for number in (1, 2):
        assert files(one, number) == files(other, number)
    assert all(np.array_equal(a, b) for a, b in zip(codes(one, 1), codes(other, 2), strict=True))


def test_candidate_says_what_it_was_made_with_whatever_is_chosen_meanwhile(begun, steps):
    plain = begun.copy()
    quick = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin()
    quick.choose("change", 1, changes={"temperature": 0.5})
    quick.work()
    assert files(quick, 1) == files(plain, 1)


# --------------------------------------------------------------------------------------- auditions


def test_windows_of_an_audition_are_not_sampled_again_and_give_the_same_song(begun, sung):
    plain = begun.copy()
    plain.go("continue", 1, seconds=0.1)
    without = plain.go("upsample", 3)
    talk = begun.copy()
    talk.go("continue", 1, seconds=0.1)
    heard = talk.go("audition", 3, start=0, end=0.06)
    rest = talk.go("upsample", 3)
    assert heard == [(1, (2,), 0), (0, (2,), 0)]
    assert sorted(heard + rest) == sorted(without)
    assert all(np.array_equal(a, b) for a, b in zip(codes(talk, 1), codes(plain, 1), strict=True))


def test_windows_of_an_audition_further_on_are_kept_in_the_song(talk):
    talk.go("continue", 1, seconds=0.1)
    heard = talk.go("audition", 3, start=0.3, end=0.36)
    with talk.opened() as run:
        work = RunCodes(run).audition_work(run.tree().auditions[0], 0)
        start, end = work.windows[0].start, work.windows[-1].end
        kept = stored_level(work, run.journal).codes[2][start:end]
    assert start <= 19 * 16 < 22 * 16 <= end  # the codes nearest to 0.3 s and 0.36 s
    assert len(work.windows) == sum(level == 0 for level, _, _ in heard)
    talk.go("upsample", 3)
    assert np.array_equal(codes(talk, 1)[0][start:end], kept)
    new = [e.fields["n_new"] for e in talk.events("window") if e.fields["level"] == 0]
    assert sum(new) == 41 * 16  # every code once


def test_audition_under_other_conditions_is_not_part_of_the_song(begun):
    talk, plain = begun.copy(), begun.copy()
    talk.go("audition", 1, start=0, end=0.06, changes={"temperature": 0.5})
    talk.go("upsample", 1)
    plain.go("upsample", 1)
    assert all(np.array_equal(a, b) for a, b in zip(codes(talk, 1), codes(plain, 1), strict=True))


def test_damaged_codes_of_an_audition_are_made_again_as_they_were(talk):
    talk.go("audition", 1, start=0.2, end=0.26)
    talk.choose("upsample", 1)
    for event in talk.events("level_done"):
        if "label" in event.fields:
            digest = event.fields["blob"]["sha256"]
            talk.store.at("song").put(f"blobs/{digest[:2]}/{digest}", b"damaged")
    talk.work()
    assert verify_run(talk.store, "song").sound
    assert describe_run(talk.store, "song").state == "done"


def test_audition_is_heard_and_shown(sung):
    (heard,) = [e for e in sung.events("candidate") if "choice" in e.fields]
    assert (heard.fields["start"], heard.fields["end"]) == (0.0, pytest.approx(4 * 0.016))
    (one,) = [t for t in Picture.of(sung.store, "song").to_json()["takes"] if t["auditions"]]
    assert one["take"] == 3


# ---------------------------------------------------------------------------------------- songs


def test_redo_changes_nothing_outside_its_stretch_and_fade_and_keeps_the_old_song(sung):
    before, after = sound(sung, 1), sound(sung, 2)
    first, last = 12 * 128, 16 * 128  # 0.2 s and 0.25 s in whole top-level codes
    fade = round(CROSSFADE_SECONDS * 8000)
    assert np.array_equal(before[:, : first - fade], after[:, : first - fade])
    assert np.array_equal(before[:, last + fade :], after[:, last + fade :])
    assert not np.array_equal(before[:, first:last], after[:, first:last])
    old, new = codes(sung, 1), codes(sung, 2)
    assert np.array_equal(old[2], new[2])
    for level, factor in ((1, 4), (0, 16)):
        assert np.array_equal(old[level][: 12 * factor], new[level][: 12 * factor])
        assert np.array_equal(old[level][16 * factor :], new[level][16 * factor :])
    exported = sung.events("exported")
    assert len({event.fields["folder"] for event in exported}) == 2
    for event in exported:
        for file in event.fields["files"]:
            assert len(sung.store.at("song").get(file["path"])) == file["size"]


def test_redo_samples_its_stretch_alone(sung):
    bottom = [event for event in sung.events("window") if event.fields["takes"][0] > 9]
    assert {(e.fields["level"], e.fields["n_new"]) for e in bottom} <= {(1, 16), (0, 64), (0, 32)}
    assert sum(e.fields["n_new"] for e in bottom if e.fields["level"] == 0) == 4 * 16


def test_copies_are_different_songs_of_one_take(talk):
    talk.go("upsample", 1, copies=2)
    first, second = codes(talk, 1), codes(talk, 2)
    assert np.array_equal(first[2], second[2])
    assert not np.array_equal(first[1], second[1])
    assert talk.go("upsample", 1, copies=2) == []
    assert len(describe_run(talk.store, "song").masters) == 2


def test_what_is_changed_for_what_follows_leaves_the_rest_alone(begun):
    plain, talk = begun.copy(), begun.copy()
    talk.choose("change", 1, changes={"temperature": 4.0, "lyrics": "la la"})
    for one in (plain, talk):
        one.go("continue", 1, seconds=0.1)
        one.go("continue", 2, seconds=0.1)
    assert tops(talk, 1, 2, 5, 6) == tops(plain, 1, 2, 5, 6)
    assert tops(talk, 3) != tops(plain, 3)
    assert tops(talk, 3)[0][:25] == tops(plain, 3)[0][:25]
    talk.go("upsample", 1, changes={"temperature": 0.3})
    made = read_tags(talk.store.at("song").get("export/master.wav"))["provenance"]
    assert made["recipe"]["sampling"]["temperature"] == 0.3


def test_everything_of_a_long_conversation_is_sound(sung):
    report = verify_run(sung.store, "song")
    assert report.doubts == ()
    assert report.n_choices == 4


# -------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("action", "takes", "fields", "words"),
    [
        ("continue", [7], {"seconds": 1}, "take is 7"),
        ("continue", [1], {"seconds": 1, "changes": {"top_k": 99}}, "top_k is 99"),
        ("upsample", [3], {}, "needs at least 0.26 s"),
        ("audition", [1], {"start": 5, "end": 6}, "take 1 lasts 0.40 s"),
        ("redo", [1], {"start": 0, "end": 0.1}, "no finished song"),
        ("more", [2], {}, "take 2 was dropped"),
        ("back", [1], {}, "is a beginning"),
    ],
)
def test_bad_choice_leaves_the_store_as_it_was(refusing, action, takes, fields, words):
    before = refusing.store.list()
    with pytest.raises(ConfigError, match=words):
        refusing.choose(action, *takes, **fields)
    assert refusing.store.list() == before


@pytest.fixture(scope="module")
def refusing(begun) -> Talk:
    talk = begun.copy()
    talk.go("cut", 1, start=0, end=0.1)
    talk.choose("drop", 2)
    talk.choose("keep", 1)
    return talk


# ------------------------------------------------------------------------------------------ purge


def test_purge_frees_nothing_until_it_is_meant(steps):
    talk = fresh(steps, max_batch=[1, 1, 1])
    talk.go("continue", 1, seconds=0.1)
    talk.choose("drop", 1, 2, 4)
    before = talk.store.list()
    plan = purgeable(talk.store, "song")
    assert plan.takes == (2, 4)  # 1 goes on in take 3, which nobody dropped
    assert plan.n_bytes > 0
    assert talk.store.list() == before
    assert purge_takes(talk.store, "song") == plan
    left = talk.store.at("song").list()
    assert not set(plan.blobs) & set(left)
    assert verify_run(talk.store, "song").doubts == ()
    assert talk.tree.purged == {2, 4}
    assert talk.work() == []
    assert purgeable(talk.store, "song").blobs == ()
    with pytest.raises(ConfigError, match="take 2 was purged"):
        talk.choose("keep", 2)
    talk.go("upsample", 3)
    assert tops(talk, 3)[0][:25] == tops(talk, 1)[0]
    assert verify_run(talk.store, "song").doubts == ()


# ---------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(("policy", "songs"), [("first", 1), ("best", 1), ("all", 2)])
def test_policy_chooses_unattended(steps, policy, songs):
    talk = fresh(steps, choose=policy)
    assert describe_run(talk.store, "song").state == "done"
    assert [song.take for song in talk.tree.renditions][: songs + 1] == (
        [1, 2] if policy == "all" else [talk.tree.renditions[0].take]
    )
    assert len(talk.tree.renditions) == songs


def test_policy_with_hours_waits_for_a_person_first(steps, monkeypatch):
    talk = fresh(steps, choose="first", choose_after_hours=12.0)
    assert describe_run(talk.store, "song").state == "waiting"
    assert unfinished_runs(talk.store) == []
    assert talk.work() == []
    later = datetime.now(UTC) + timedelta(hours=13)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return later

    monkeypatch.setattr(musiccore.takes.tree, "datetime", Later)
    assert unfinished_runs(talk.store) == ["song"]
    talk.work()
    (made,) = talk.tree.choices
    assert (made.by, made.who, made.choice.action) == ("policy", "first", "upsample")
    assert describe_run(talk.store, "song").state == "done"


def test_person_who_is_quicker_than_the_policy_decides(steps, monkeypatch):
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(choose="first")
    real = musiccore.delivery.policy.policy_takes

    def slow(run, takes):
        talk.choose("continue", 2, seconds=0.1)
        return real(run, takes)

    monkeypatch.setattr(musiccore.delivery.policy, "policy_takes", slow)
    talk.work()
    assert [made.choice.action for made in talk.tree.choices] == ["continue"]
    assert describe_run(talk.store, "song").state == "waiting"


def test_two_pages_that_disagree_are_told(talk):
    talk.choose("upsample", 1)
    choice = Choice(action="upsample", takes=(2,))
    with pytest.raises(Conflict, match="send take 1 to upsampling"):
        make_choice(talk.store, "song", choice, by="room", seen=0)
    assert len(talk.tree.choices) == 1


# ----------------------------------------------------------------------------------------- primers


@pytest.fixture
def primed(steps, tmp_path) -> Talk:
    """Two takes of 0.5 s that begin with 0.24 s of a sine."""
    clip = audio.Audio(samples=sine(440, 0.24, 8000)[None], sample_rate=8000)
    (tmp_path / "primer.wav").write_bytes(audio.write(clip, "wav"))
    talk = fresh(steps, seconds=0.5, primer=str(tmp_path / "primer.wav"))
    (tmp_path / "primer.wav").unlink()
    return talk


@pytest.mark.parametrize("elsewhere", [True, False])
def test_run_that_was_created_needs_no_primer_file(steps, tmp_path, monkeypatch, elsewhere):
    clip = audio.Audio(samples=sine(440, 0.24, 11_025)[None], sample_rate=11_025)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "primer.wav").write_bytes(audio.write(clip, "wav"))
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(seconds=0.5, primer="primer.wav")
    if elsewhere:
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
    else:
        (tmp_path / "primer.wav").write_bytes(b"another one")
    assert verify_run(talk.store, "song").sound
    talk.work()
    known = primer(talk)
    assert [len(level) for level in known] == [240, 60, 15]
    assert verify_run(talk.store, "song").n_unreferenced == 0


def test_piece_of_a_primer_that_was_lost_is_made_again_from_its_file(steps, tmp_path):
    path = tmp_path / "primer.wav"
    clip = audio.Audio(samples=sine(440, 0.24, 8000)[None], sample_rate=8000)
    path.write_bytes(audio.write(clip, "wav"))
    talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(seconds=0.5, primer=str(path))
    kept = Primer.recorded(Journal.open(talk.store, "song").record).kept
    talk.store.at("song").delete(kept.key)
    assert [doubt.key for doubt in verify_run(talk.store, "song").doubts] == [kept.key]
    talk.work()
    assert [len(level) for level in primer(talk)] == [240, 60, 15]
    assert verify_run(talk.store, "song").sound  # its codes are there


def primer(talk: Talk) -> list[np.ndarray]:
    with talk.opened() as run:
        return [known_codes(run, level) for level in range(run.config.levels)]


@pytest.mark.parametrize("span", [(0.0, 0.05), (0.1, 0.15), (0.2, 0.3), (0.3, 0.36)])
def test_audition_leaves_the_primer_as_it_is(primed, span):
    primed.go("audition", 1, start=span[0], end=span[1])
    primed.go("upsample", 1)
    for level, known in enumerate(primer(primed)):
        assert len(known) == 15 * (16, 4, 1)[level]
        assert np.array_equal(codes(primed, 1)[level][: len(known)], known)
    new = [e.fields["n_new"] for e in primed.events("window") if e.fields["level"] == 0]
    assert sum(new) == (31 - 15) * 16


@pytest.mark.parametrize(("start", "kept"), [(0.0, 15), (0.08, 0)])
def test_song_of_a_cut_has_of_the_primer_what_the_cut_has(primed, start, kept):
    primed.go("cut", 1, start=start, end=0.4)
    primed.go("continue", 3, seconds=0.1)
    primed.go("upsample", 3)
    primed.go("upsample", 4)
    known = primer(primed)[0]
    for song in (1, 2):
        assert primed.tree.primer_codes(primed.tree.rendition(song).take) == kept
        bottom = codes(primed, song)[0]
        assert np.array_equal(bottom[: len(known)], known) == bool(kept)
    assert describe_run(primed.store, "song").state == "done"
    assert all(
        level.windows_done == level.windows for level in describe_run(primed.store, "song").levels
    )


def test_cut_that_is_shorter_than_the_primer_can_be_heard_and_continued(primed):
    primed.go("cut", 1, start=0.0, end=0.1)
    primed.go("continue", 3, seconds=0.3)
    primed.go("upsample", 4)
    assert primed.tree.primer_codes(4) == 6


# ---------------------------------------------------------------------------------- longer songs


@pytest.fixture(scope="module")
def longer(begun) -> Talk:
    """Song 1 is take 1; take 3 continues it and is song 2; song 3 is all of take 3 anew."""
    talk = begun.copy()
    talk.go("upsample", 1)
    talk.go("continue", 1, seconds=0.8)  # longer than the second that short pieces are told
    talk.go("audition", 3, start=0.1, end=0.5)
    talk.go("upsample", 3)
    talk.go("upsample", 3, anew=True)
    return talk


def test_longer_song_keeps_every_code_of_the_shorter_one(longer):
    short, long, anew = (codes(longer, number) for number in (1, 2, 3))
    for level, factor in ((1, 4), (0, 16)):
        assert np.array_equal(long[level][: 25 * factor], short[level])
        assert not np.array_equal(anew[level][: 25 * factor], short[level])
        assert len(long[level]) == len(long[2]) * factor


def test_only_the_new_windows_of_a_longer_song_are_sampled(begun):
    talk = begun.copy()
    talk.go("upsample", 1)
    talk.go("continue", 1, seconds=0.2)
    before = len(talk.events("window"))
    talk.go("upsample", 3)
    new = talk.events("window")[before:]
    n_codes = len(tops(talk, 3)[0]) - 25
    for level, factor in ((1, 4), (0, 16)):
        sampled = [e.fields["n_new"] for e in new if e.fields["level"] == level]
        assert sum(sampled) == n_codes * factor
    status = describe_run(talk.store, "song")
    assert [(one.windows_done, one.windows) for one in status.levels[:2]] == [
        (sum(e.fields["level"] == level for e in new),) * 2 for level in (0, 1)
    ]


def test_longer_song_says_what_it_keeps(longer):
    master = longer.events("exported")[1].fields["master"]["path"]
    made = read_tags(longer.store.at("song").get(master))["provenance"]
    assert made["kept"] == {
        "song": 1,
        "take": 1,
        "seconds": pytest.approx(0.4),
        "sampled_as_part_of_seconds": 1.0,
        "total_seconds": pytest.approx(len(tops(longer, 3)[0]) * 0.016),
    }
    songs = Picture.of(longer.store, "song").to_json()["songs"]
    assert [song["kept"] for song in songs] == [
        None,
        {"song": 1, "seconds": pytest.approx(0.4)},
        None,
    ]
    assert verify_run(longer.store, "song").doubts == ()


def test_damaged_code_of_the_shorter_song_is_made_again_for_the_longer_one(begun):
    talk = begun.copy()
    talk.go("upsample", 1)
    talk.go("continue", 1, seconds=0.2)
    with talk.opened() as run:
        short = run.tree().rendition(1)
        before = RunCodes(run).song(short, 0)
    for event in talk.events("level_done"):
        if event.fields["level"] < 2:
            digest = event.fields["blob"]["sha256"]
            talk.store.at("song").put(f"blobs/{digest[:2]}/{digest}", b"damaged")
    talk.go("upsample", 3)
    assert np.array_equal(codes(talk, 2)[0][: len(before)], before)

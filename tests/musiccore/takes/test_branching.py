"""Choices that cannot be carried out are refused before they are written, naming the field."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.takes.rounds import next_round, shortest_song
from tests.musiccore.takes.tree_story import Story


@pytest.fixture
def story() -> Story:
    """Two takes of 0.4 s; take 3 and 4 continue take 1; take 5 is a cut; take 1 has a song."""
    story = Story()
    story.go("continue", 1, seconds=0.2)
    story.go("cut", 2, start=0, end=0.1)
    story.go("upsample", 1)
    return story


@pytest.mark.parametrize(
    ("action", "takes", "fields", "words"),
    [
        ("keep", [9], {}, "take is 9; the run has takes 1 to 5"),
        ("continue", [9], {"seconds": 1}, "take is 9"),
        ("splice", [], {"parts": [{"take": 8, "start": 0, "end": 0.1}]}, "take is 8"),
        ("continue", [1], {"seconds": 3600}, "the limit is 3600"),
        ("continue", [1], {"seconds": 700}, "knows pieces of up to 600 s"),
        ("cut", [1], {"start": 0.3, "end": 0.9}, "0.30 to 0.90 s is no stretch of take 1"),
        ("cut", [1], {"start": 0.1, "end": 0.101}, "is no stretch of take 1"),
        ("audition", [1], {"start": 0.5, "end": 0.9}, "take 1 lasts 0.40 s"),
        ("audition", [5], {"start": 0, "end": 0.1}, "upsampling needs at least 0.26 s"),
        ("upsample", [1, 5], {}, "take 5 lasts 0.10 s; upsampling needs at least 0.26 s"),
        ("redo", [2], {"start": 0, "end": 0.1}, "take 2 has no finished song"),
        ("redo", [1], {"start": 0.4, "end": 0.5}, "redo is 0.4 to 0.5 s"),
        ("redo", [], {"rendition": 7, "start": 0, "end": 0.1}, "rendition is 7; the run has 1"),
        ("redo", [2], {"rendition": 1, "start": 0, "end": 0.1}, "a song of take 1, not of take 2"),
        ("change", [1], {"changes": {"artist": "nobody"}}, "changes: .*nobody"),
        ("change", [1], {"changes": {"temperature": [1.0, 1.0]}}, "temperature has 2 numbers"),
        ("change", [1], {"changes": {"top_k": 99}}, "top_k is 99"),
        ("change", [1], {"changes": {"top_k": 5, "top_p": 0.5}}, "only one of top_k and top_p"),
        ("change", [1], {"changes": {"total_seconds": 0.3}}, "total_seconds is 0.3"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(story, action, takes, fields, words):
    with pytest.raises(ConfigError, match=words):
        story.choose(action, *takes, **fields)


def test_round_of_a_choice_must_exist_and_hold_its_take(story):
    with pytest.raises(ConfigError, match="round is 8; the run has rounds 1 to 3"):
        story.choose("again", round_number=8)
    with pytest.raises(ConfigError, match="round is 2; take 1 is one of round 1"):
        story.choose("keep", 1, round_number=2)
    assert story.choose("keep", 3, round_number=2).round == 2


def test_again_and_back_are_checked_for_the_round_that_is_answered(story):
    assert story.tree.position == 1
    with pytest.raises(ConfigError, match="again: round 3 is a copy of other takes"):
        story.choose("again", round_number=3)
    with pytest.raises(ConfigError, match="back: round 1 is a beginning"):
        story.choose("back")
    story.choose("back", round_number=2)
    story.go("again", round_number=2)
    assert story.tree.rounds[4].parent == 1
    assert story.tree.rounds[4].known == story.tree.rounds[2].known


def test_dropped_take_is_refused_until_it_is_brought_back(story):
    story.choose("drop", 3)
    for action, fields in (("continue", {"seconds": 1}), ("more", {}), ("upsample", {})):
        with pytest.raises(ConfigError, match="take 3 was dropped"):
            story.choose(action, 3, **fields)
    with pytest.raises(ConfigError, match="take 3 was dropped"):
        story.choose("splice", parts=[{"take": 3, "start": 0, "end": 0.1}])
    story.choose("note", 3, stars=1)
    story.choose("keep", 3)
    story.choose("more", 3)


def test_purged_take_and_what_went_on_from_it_are_refused(story):
    story.choose("drop", 2, 3, 4, 5)
    story.note("purge", takes=[2, 5])
    with pytest.raises(ConfigError, match="take 5 was purged"):
        story.choose("keep", 5)
    story.go("continue", 1, seconds=0.2)
    story.go("continue", 6, seconds=0.2)
    story.choose("drop", 6, 7, 8, 9)
    story.note("purge", takes=[6, 8, 9])
    for action in ("again", "back"):
        with pytest.raises(ConfigError, match=f"{action}: round 5 goes on from take 6"):
            story.choose(action, round_number=5)


def test_settings_are_checked_together_with_those_in_force():
    story = Story(sampling={"top_p": 0.9})
    with pytest.raises(ConfigError, match="only one of top_k and top_p"):
        story.choose("change", 1, changes={"top_k": 5})
    story.choose("change", 1, changes={"top_p": 1.0})
    story.choose("change", 1, changes={"top_k": 5})
    assert story.tree.request(story.tree.changes(1)).sampling.top_k == 5


def test_settings_of_a_run_with_a_primer_change_although_its_file_is_gone(tmp_path):
    story = Story(primer=str(tmp_path / "gone.wav"))
    story.choose("change", 1, changes={"temperature": 0.9})


def test_shortest_song_is_the_longest_window_of_an_upsampler():
    assert shortest_song(Story().facts) == 16


def test_choice_without_takes_of_its_own_makes_no_round(story):
    made = story.choose("keep", 1)
    with pytest.raises(ConfigError, match="keep makes no round"):
        next_round(story.tree, made)

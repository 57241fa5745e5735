"""Which finished codes a longer song keeps, and which choices say so."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.takes.choice import Choice
from musiccore.takes.choice_log import contradiction
from musiccore.takes.lineage import lineage, origin_json
from musiccore.takes.takes import Kept
from tests.musiccore.takes.tree_story import Story


@pytest.fixture
def story() -> Story:
    """Take 1 has song 1; take 3 and 4 continue take 1."""
    story = Story()
    story.go("upsample", 1)
    story.go("continue", 1, seconds=0.2)
    return story


def kept_by_songs(story: Story) -> list[Kept | None]:
    return [song.kept for song in story.tree.renditions]


def test_continuation_keeps_the_song_of_its_parent(story):
    made = story.go("upsample", 3)
    assert made.choice.keeps == (1,)
    assert kept_by_songs(story) == [None, Kept(song=1, start=0, n_codes=25)]
    assert story.tree.known_codes(story.tree.renditions[1]) == 25


def test_choice_of_before_keeps_nothing(story):
    """Choices of older stores name no song: what was made of them stays as it is."""
    story.go("upsample", 3, anew=True)
    old = story.choices[-1].choice.model_copy(update={"anew": False})
    assert (old.keeps, Choice.parse({"action": "upsample", "takes": [3]})) == ((), old)
    assert kept_by_songs(story) == [None, None]


def test_song_that_is_there_is_not_made_again(story):
    story.go("upsample", 3, anew=True)
    made = story.go("upsample", 3)
    assert made.choice.keeps == ()
    assert len(story.tree.renditions) == 2
    story.go("upsample", 4)
    story.go("upsample", 4)
    assert len(story.tree.renditions) == 3


def test_anew_makes_another_song_beside_the_one_that_keeps(story):
    story.go("upsample", 3)
    made = story.go("upsample", 3, anew=True)
    first, second = story.tree.songs[3]
    assert (first.version, second.version, second.kept) == (0, 1, None)
    assert story.tree.renditions_of(made) == (second,)
    assert "all of it anew" in made.choice.in_words()
    story.go("upsample", 3, anew=True)
    assert len(story.tree.songs[3]) == 2


def test_newest_finished_song_of_the_nearest_take_is_kept(story):
    story.go("upsample", 3)
    story.go("redo", 3, start=0.1, end=0.2)
    story.go("continue", 3, seconds=0.2, count=1)
    story.go("upsample", 5)
    n_codes = story.tree.takes[3].n_codes
    assert kept_by_songs(story)[-1] == Kept(song=3, start=0, n_codes=n_codes)
    story.go("continue", 4, seconds=0.2, count=1)
    story.go("upsample", 6)  # take 4 has no song, but what it continues has one
    assert kept_by_songs(story)[-1] == Kept(song=1, start=0, n_codes=25)


def test_song_that_waits_for_its_turn_is_kept_where_none_is_finished():
    story = Story()
    story.go("continue", 1, seconds=0.2)
    story.choose("upsample", 1)
    story.choose("upsample", 3)
    story.work()
    assert kept_by_songs(story) == [None, Kept(song=1, start=0, n_codes=25)]


def test_more_like_it_keeps_what_is_alike(story):
    story.go("more", 1, count=1)
    story.go("upsample", 5)
    assert kept_by_songs(story)[-1] == Kept(song=1, start=0, n_codes=story.tree.rounds[3].known)


def test_cut_keeps_its_stretch_and_a_splice_its_first_one(story):
    story.go("cut", 1, start=0.1, end=0.38)
    story.go(
        "splice", parts=[{"take": 1, "start": 0.1, "end": 0.3}, {"take": 2, "start": 0, "end": 0.2}]
    )
    story.go("upsample", 5, 6)
    cut, joined = story.tree.takes[5], story.tree.takes[6]
    assert kept_by_songs(story)[1:] == [
        Kept(song=1, start=6, n_codes=cut.n_codes),
        Kept(song=1, start=6, n_codes=19 - 6),
    ]
    assert joined.n_codes > 19 - 6


def test_takes_that_share_nothing_keep_nothing(story):
    made = story.go("upsample", 2, 3)
    assert made.choice.keeps == (0, 1)
    assert kept_by_songs(story) == [None, None, Kept(song=1, start=0, n_codes=25)]
    assert story.go("upsample", 2).choice.keeps == ()


def test_other_conditions_keep_what_was_heard(story):
    story.go("upsample", 3, changes={"temperature": 0.7})
    assert kept_by_songs(story)[-1] == Kept(song=1, start=0, n_codes=25)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"keeps": [2]}, "keeps: take 3 does not go on from take 2, whose song is 2"),
        ({"keeps": [9]}, "rendition is 9; the run has 2"),
        ({"keeps": [1, 1]}, "keeps needs one song for each take"),
        ({"keeps": [1], "anew": True}, "does not go with anew"),
    ],
)
def test_song_that_cannot_be_kept_is_refused(story, fields, words):
    story.go("upsample", 2)
    with pytest.raises(ConfigError, match=words):
        story.choose("upsample", 3, **fields)


def test_only_upsampling_keeps():
    with pytest.raises(ConfigError, match="keep keeps no song"):
        Choice.parse({"action": "keep", "takes": [1], "anew": True})


def test_same_choice_of_two_people_is_no_contradiction(story):
    made = story.choose("upsample", 3)
    same = Choice.parse({"action": "upsample", "takes": [3]})
    assert not contradiction(made, same, made.round)
    assert contradiction(made, same.model_copy(update={"anew": True}), made.round)


# ------------------------------------------------------------------------- making it again


def again(story: Story, number: int) -> Story:
    """Return a run that makes the choices that led to a song, and carries them out."""
    song = story.tree.rendition(number)
    found = Story()
    for step in lineage(story.tree, song.take, song):
        choice = step.choice
        fields = choice.model_dump(exclude={"action", "takes"}, exclude_defaults=True)
        found.go(choice.action, *choice.takes, **fields)
    return found


def test_song_is_made_again_with_those_that_it_comes_from(story):
    story.go("upsample", 2)
    story.go("upsample", 3, anew=True)
    story.go("upsample", 3, keeps=[1])
    story.go("redo", 3, start=0.1, end=0.2)
    number = story.tree.renditions[-1].number
    song = story.tree.rendition(number)
    other = again(story, number)
    found = other.tree.rendition(int(str(origin_json(story.tree, song.take, song)["song"])))
    assert (found.take, found.version, found.start, found.end) == (
        song.take,
        song.version,
        song.start,
        song.end,
    )
    assert [s.take for s in other.tree.renditions] == [1, 3, 3, 3]  # nothing of take 2
    assert other.tree.rendition(found.base).kept == Kept(song=1, start=0, n_codes=25)

"""The tree of takes: facts and choices in, rounds, songs and what is next out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiccore.errors import ConfigError, Corrupt
from musiccore.takes.choice import Changes, Choice, MadeChoice
from musiccore.takes.takes import merged
from musiccore.takes.tree import Tree
from tests.effort import counted
from tests.musiccore.takes.tree_story import START, Story


def test_run_begins_with_one_round_that_waits():
    tree = Story().tree
    assert list(tree.rounds) == [1]
    assert list(tree.takes) == [1, 2]
    assert tree.position == 1
    assert tree.state == "waiting"
    assert tree.open_takes == (1, 2)


def test_first_round_that_nobody_can_hear_yet_is_work():
    story = Story(published=False)
    assert story.tree.state == "working"
    story.choose("note", 1, stars=3)  # somebody is quick: the round still has to be made
    assert story.tree.state == "working"


def test_takes_are_numbered_through_the_run_and_have_parents():
    story = Story()
    story.go("continue", 2, seconds=0.2)
    story.go("more", 3, count=3)
    story.go("again")
    tree = story.tree
    assert [one.takes for one in tree.rounds.values()] == [(1, 2), (3, 4), (5, 6, 7), (8, 9)]
    assert [tree.takes[take].parent for take in (1, 3, 5, 8)] == [0, 2, 3, 3]
    assert list(tree.ancestors(8)) == [3, 2]
    assert tree.position == 4


def test_continuation_keeps_its_parent_and_grows_by_whole_chunks():
    story = Story()
    story.go("continue", 1, seconds=0.2)
    one = story.tree.rounds[2]
    assert (one.known, one.n_codes) == (25, 25 + 16)  # 12.5 codes: one chunk of 16
    story.go("continue", 3, seconds=0.256)
    assert story.tree.rounds[3].n_codes == 41 + 32  # an exact multiple grows by one chunk more
    assert story.tree.takes[5].new_from == 41


def test_long_continuation_slides_and_keeps_as_much_context_as_fits():
    story = Story()
    story.go("continue", 1, seconds=0.7)
    (window,) = story.tree.rounds[2].windows(story.facts)
    assert (window.start, window.end, window.known) == (9, 73, 16)


def test_more_shares_the_first_half_of_what_was_new():
    story = Story()
    story.go("more", 1)
    assert story.tree.rounds[2].known == 12
    story.go("continue", 1, seconds=0.2)
    story.go("more", 5)
    assert story.tree.rounds[4].known == 25 + 8


@pytest.mark.parametrize("seconds", [0.032, 0.048])
def test_more_like_a_very_short_cut_still_adds_something(seconds):
    story = Story()
    story.go("cut", 1, start=0, end=seconds)
    story.go("more", 3)
    one = story.tree.rounds[3]
    assert one.known < one.n_codes
    assert one.windows(story.facts)[-1].end == one.n_codes


def test_cut_and_splice_are_copies_in_code_time():
    story = Story()
    story.go("cut", 1, start=0.08, end=0.24)
    parts = [{"take": 2, "start": 0, "end": 0.16}, {"take": 3, "start": 0.08, "end": 0.16}]
    story.go("splice", parts=parts)
    tree = story.tree
    assert [(p.take, p.start, p.end) for p in tree.rounds[2].parts] == [(1, 5, 15)]
    assert tree.takes[3].n_codes == 10
    assert tree.takes[4].n_codes == 15
    assert tree.rounds[3].windows(story.facts) == ()
    assert set(tree.ancestors(4)) == {2, 3, 1}


def test_step_back_looks_at_the_round_before_and_loses_nothing():
    story = Story()
    story.go("continue", 1, seconds=0.2)
    story.go("continue", 3, seconds=0.2)
    story.choose("back")
    assert story.tree.position == 2
    story.choose("back")
    assert story.tree.position == 1
    assert len(story.tree.takes) == 6
    story.go("continue", 2, seconds=0.2)
    assert story.tree.position == 4
    assert story.tree.takes[7].parent == 2


def test_opinions_are_those_given_last():
    story = Story()
    story.choose("drop", 1, 2)
    story.choose("keep", 1)
    story.choose("note", 1, text="warm", stars=4)
    story.choose("note", 1, stars=5)
    story.choose("rename", 1, text=" Opening ")
    first, second = story.tree.takes[1], story.tree.takes[2]
    assert (first.kept, first.dropped, first.note, first.stars) == (True, False, "warm", 5)
    assert first.name == "Opening"
    assert second.dropped
    assert story.tree.open_takes == (1,)


# ------------------------------------------------------------------------------- what follows


def test_changes_are_inherited_and_frozen_at_the_time_of_the_choice():
    story = Story()
    story.choose("change", 1, changes={"temperature": 0.8})
    story.go("continue", 1, seconds=0.2, changes={"top_k": 5})
    story.choose("change", 1, changes={"temperature": 0.5})
    tree = story.tree
    assert tree.rounds[2].changes == Changes(temperature=0.8, top_k=5)
    assert tree.changes(3) == Changes(temperature=0.8, top_k=5)
    assert tree.changes(1) == Changes(temperature=0.5)
    assert tree.request(tree.rounds[1].changes) == story.facts.request
    story.go("continue", 3, seconds=0.2)
    assert story.tree.rounds[3].changes == Changes(temperature=0.8, top_k=5)


def test_of_two_filters_the_later_one_is_active():
    assert merged(Changes(top_k=5), Changes(top_p=0.9)) == Changes(top_k=0, top_p=0.9)
    assert merged(Changes(top_p=0.9), Changes(top_k=5)) == Changes(top_k=5, top_p=1.0)
    assert merged(Changes(top_p=0.9), Changes(top_k=0)) == Changes(top_k=0, top_p=0.9)
    story = Story()
    story.choose("change", 1, changes={"top_p": 0.9})
    story.go("continue", 1, seconds=0.2, changes={"top_k": 5})
    assert story.tree.request(story.tree.rounds[2].changes).sampling.top_k == 5


# -------------------------------------------------------------------------------------- songs


def test_copies_count_up_to_what_is_wanted_and_draw_from_separate_numbers():
    story = Story()
    story.go("upsample", 1)
    story.go("upsample", 1, copies=3)
    story.go("upsample", 2)
    story.go("upsample", 1, copies=2)
    songs = story.tree.renditions
    assert [(s.number, s.take, s.version) for s in songs] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 1, 2),
        (4, 2, 0),
    ]
    assert len({song.row for song in songs}) == 4
    assert story.tree.state == "done"
    assert story.tree.current_song == songs[1]


def test_upsampling_with_other_settings_is_another_song():
    story = Story()
    story.go("upsample", 1)
    made = story.go("upsample", 1, changes={"temperature": 0.7})
    tree = story.tree
    assert [song.changes for song in tree.renditions] == [Changes(), Changes(temperature=0.7)]
    assert tree.renditions_of(made) == tree.renditions[1:]
    story.go("upsample", 1)
    assert len(story.tree.renditions) == 2


def test_redo_is_a_song_of_its_own_and_keeps_the_settings_of_the_old_one():
    story = Story()
    story.go("upsample", 1, changes={"temperature": 0.7})
    story.go("redo", 1, start=0.1, end=0.2)
    first, second = story.tree.renditions
    assert (second.base, second.version, second.start, second.end) == (1, 1, 6, 12)
    assert second.changes == first.changes
    story.go("redo", rendition=1, start=0.1, end=0.2, changes={"temperature": 0.9})
    assert story.tree.renditions[2].base == 1
    assert story.tree.renditions[2].changes == Changes(temperature=0.9)


def test_redo_means_the_song_that_could_be_heard():
    story = Story()
    story.go("upsample", 1)
    story.choose("upsample", 1, copies=2)  # not finished when the stretch is chosen
    story.choose("redo", 1, start=0.1, end=0.2)
    story.work()
    assert story.tree.renditions[2].base == 1


@pytest.mark.parametrize(("start", "end"), [(0.101, 0.102), (0.3999, 0.5), (0.0, 0.001)])
def test_stretch_has_at_least_one_code_of_the_take(start, end):
    story = Story()
    story.go("upsample", 1)
    story.go("audition", 1, start=start, end=end)
    story.go("redo", 1, start=start, end=end)
    for work in (story.tree.auditions[0], story.tree.renditions[1]):
        assert 0 <= work.start < work.end <= 25


# ----------------------------------------------------------------------------------- policies


def test_policy_without_hours_is_due_at_once_and_once():
    story = Story(choose="first")
    assert story.tree.policy_due()
    assert story.tree.state == "working"
    story.go("upsample", 1)
    assert not story.tree.policy_due()
    assert story.tree.state == "done"


def test_policy_gives_a_person_the_hours_it_promised():
    story = Story(choose="best", choose_after_hours=2.0)
    assert story.tree.state == "waiting"
    assert not story.tree.policy_due(START + timedelta(hours=1.99))
    assert story.tree.policy_due(START + timedelta(hours=2))
    story.choose("continue", 1, seconds=0.2)
    assert not story.tree.policy_due(START + timedelta(days=9))  # first what was chosen
    story.work()
    assert story.tree.policy_due(START + timedelta(hours=2))


def test_policy_leaves_it_to_a_person_when_all_takes_were_dropped():
    for story in (Story(choose="all"), Story(choose="all", choose_after_hours=1.0)):
        story.choose("drop", 1, 2)
        assert not story.tree.policy_due(START + timedelta(days=9))
        assert story.tree.state == "waiting"


# ------------------------------------------------------------------------------------ removal


def test_only_dropped_takes_that_nothing_needs_can_be_removed():
    story = Story(takes=4)
    story.go("continue", 1, seconds=0.2, count=1)
    story.go("cut", 3, start=0, end=0.1)
    story.go("upsample", 4)
    story.choose("drop", 1, 2, 3, 4)
    assert story.tree.removable() == (2,)
    story.choose("drop", 5)
    assert story.tree.removable() == (1, 2, 5)
    story.choose("keep", 5)
    assert story.tree.removable() == (2,)


def test_take_of_a_choice_that_is_not_carried_out_cannot_be_removed():
    story = Story()
    story.choose("continue", 1, seconds=0.2)
    story.choose("drop", 1, 2)
    assert story.tree.removable() == (2,)
    story.work()
    assert story.tree.removable() == (2,)


# --------------------------------------------------------------------------------------- whole


def test_records_that_do_not_fit_are_damage():
    story = Story()
    story.go("continue", 1, seconds=0.2)
    record = next(event for event in story.events if event.type == "round")
    with pytest.raises(Corrupt, match="does not follow"):
        Tree.of(story.facts, [*story.events, record], story.choices)


def test_unknown_take_and_song_are_refused_with_what_there_is():
    tree = Story().tree
    with pytest.raises(ConfigError, match="take is 9; the run has takes 1 to 2"):
        tree.take(9)
    with pytest.raises(ConfigError, match="rendition is 1; the run has 0"):
        tree.rendition(1)


def _chain(n_rounds: int) -> Story:
    """Return a story in which every take is continued once."""
    story = Story(takes=1)
    for number in range(2, n_rounds + 1):
        parent = number - 1
        choice = Choice(action="continue", takes=(parent,), seconds=0.1)
        made = MadeChoice(
            seq=parent, at="", by="command", who="", round=parent, seen=parent - 1, choice=choice
        )
        story.choices.append(made)
        story.note(
            "round",
            round=number,
            kind="continue",
            parent=parent,
            takes=[number],
            choice=parent,
            known=25,
            n_codes=41,
            parts=[],
        )
        story.note("candidate", round=number, take=number)
    return story


def _calls_to_look(n_rounds: int) -> int:
    story = _chain(n_rounds)
    with counted() as calls:
        tree = story.tree
        assert (tree.state, len(tree.takes), tree.removable()) == ("waiting", n_rounds, ())
        assert len(list(tree.ancestors(n_rounds))) == n_rounds - 1
    return calls.n


def test_work_of_looking_grows_with_the_takes_not_with_their_square():
    assert _calls_to_look(1000) < 15 * _calls_to_look(100)  # 100 if quadratic


TIMES = st.floats(0, 0.6).map(lambda x: round(x, 3))
TAKE = st.integers(1, 6)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0.1, 2.0),
        "top_k": st.integers(0, 8),
        "top_p": st.floats(0.1, 1.0),
    },
)
WISHES = st.one_of(
    st.tuples(st.sampled_from(["keep", "drop", "more", "upsample"]), TAKE, st.just({})),
    st.tuples(st.sampled_from(["again", "back"]), st.just(0), st.just({})),
    st.tuples(st.just("continue"), TAKE, st.fixed_dictionaries({"seconds": st.floats(0.001, 0.9)})),
    st.tuples(
        st.sampled_from(["cut", "audition", "redo"]),
        TAKE,
        st.fixed_dictionaries({"start": TIMES, "end": TIMES}),
    ),
    st.tuples(st.just("change"), TAKE, st.fixed_dictionaries({"changes": CHANGES})),
    st.tuples(
        st.just("splice"),
        st.just(0),
        st.fixed_dictionaries(
            {
                "parts": st.lists(
                    st.fixed_dictionaries({"take": TAKE, "start": TIMES, "end": TIMES}),
                    min_size=1,
                    max_size=3,
                )
            }
        ),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(WISHES, st.booleans()), max_size=12))
def test_whatever_was_allowed_can_be_carried_out(wishes):
    story = Story()
    for (action, take, fields), work in wishes:
        try:
            story.choose(action, *([take] if take else []), **fields)
        except ConfigError:
            continue
        if work:
            story.work()
        _check(story.tree)
    story.work()
    tree = story.tree
    _check(tree)
    assert tree.pending == ()
    assert all(one.done for one in tree.rounds.values())


def _check(tree: Tree) -> None:
    assert tree.state in ("working", "waiting", "done")
    assert sorted(tree.takes) == list(range(1, len(tree.takes) + 1))
    assert [t for one in tree.rounds.values() for t in one.takes] == list(tree.takes)
    rows = [(song.take, song.row) for song in tree.renditions]
    assert len(set(rows)) == len(rows)
    for take in tree.takes.values():
        one = tree.rounds[take.round]
        assert one.parent == 0 or one.parent in tree.takes
        assert take.number not in tree.ancestors(take.number)
        tree.request(one.changes)
        new = [p for w in one.windows(tree.facts) for p in range(w.first_new, w.end)]
        assert new == (list(range(one.known, one.n_codes)) if one.sampled else [])
        assert not one.sampled or new
    for song in tree.renditions:
        assert not song.base or 0 <= song.start < song.end <= tree.takes[song.take].n_codes
        tree.work_request(song)
    assert not set(tree.removable()) & {song.take for song in tree.renditions}

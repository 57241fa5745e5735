"""From a choice to a new round: what is checked, and which codes it will have.

`check_choice` refuses what cannot be carried out before the choice is written; `next_round` says
what a worker does for it afterwards. Both are pure functions of the tree.
"""

from __future__ import annotations

from pathlib import Path

from musiccore.errors import ConditioningError, ConfigError
from musiccore.request.check import check
from musiccore.request.request import MAX_SECONDS
from musiccore.takes.choice import Choice, MadeChoice
from musiccore.takes.keeping import kept, song_to_keep
from musiccore.takes.takes import Facts, Rendition, Round, RoundKind, Span, continuation, merged
from musiccore.takes.tree import Tree

_FEWEST_CODES = 2  # a cut shorter than this is a slip of the finger


def check_choice(
    tree: Tree,
    choice: Choice,
    *,
    round_number: int | None = None,
    label_tables: Path | None = None,
) -> int:
    """Check a choice against the tree, before it is written.

    Args:
        tree: the run.
        choice: what is wanted.
        round_number: the round that it answers; by default that of its take.
        label_tables: folder with the user's copy of the label tables.

    Returns:
        The number of the round.

    Raises:
        ConfigError: if it cannot be carried out; the message names the field.
    """
    for number in {*choice.takes, *(part.take for part in choice.parts)}:
        take = tree.take(number)
        if number in tree.purged:
            raise ConfigError(f"take {number} was purged; its codes are gone")
        if take.dropped and choice.action not in ("keep", "drop", "note", "rename"):
            raise ConfigError(
                f"take {number} was dropped", hint=f"bring it back with {{act keep {number}}}"
            )
    number = _round_number(tree, choice, round_number)
    if choice.changes.given():
        _check_changes(tree, choice, number, label_tables)
    if choice.action in ("again", "back"):
        _check_step(tree, choice, tree.rounds[number])
        return number
    checks = {
        "continue": _check_continue,
        "audition": _check_audition,
        "upsample": _check_upsample,
        "redo": _check_redo,
        "cut": _check_parts,
        "splice": _check_parts,
    }
    check = checks.get(choice.action)
    if check is not None:
        check(tree, choice)
    return number


def settled(tree: Tree, choice: Choice) -> Choice:
    """Return a choice that says by itself what it is about, whatever is finished later."""
    if choice.action == "upsample" and not choice.keeps and not choice.anew:
        keeps = tuple(_keeps(tree, choice, take) for take in choice.takes)
        return choice.model_copy(update={"keeps": keeps}) if any(keeps) else choice
    if choice.action != "redo" or choice.rendition is not None:
        return choice
    song = tree.best_rendition(choice.takes[0])
    return choice if song is None else choice.model_copy(update={"rendition": song.number})


def next_round(tree: Tree, made: MadeChoice) -> Round:
    """Return the round that carries out a choice.

    Raises:
        ConfigError: if the choice makes no round or cannot be carried out.
    """
    choice, facts = made.choice, tree.facts
    first = max(tree.takes) + 1
    count = choice.count or facts.request.takes
    parent, known = 0, facts.primer_codes
    parts: tuple[Span, ...] = ()
    kind: RoundKind
    if choice.action == "continue":
        kind, parent = "continue", choice.takes[0]
        known = tree.take(parent).n_codes
        n_codes = continuation(facts, known, choice.seconds or 0)
        changes = tree.changes(parent, before=made.seq)
    elif choice.action == "more":
        kind, parent = "more", choice.takes[0]
        take = tree.take(parent)
        n_codes = take.n_codes
        new_from = take.new_from if tree.rounds[take.round].sampled else take.n_codes // 2
        known = min(n_codes - 1, new_from + max(1, (n_codes - new_from) // 2))
        changes = tree.changes(parent, before=made.seq)
    elif choice.action == "again":
        here = tree.rounds[made.round]
        kind, parent = "again", here.parent
        known, n_codes, parts = here.known, here.n_codes, here.parts
        changes = here.changes
    elif choice.action in ("cut", "splice"):
        kind = "cut" if choice.action == "cut" else "splice"
        parts = spans(tree, choice)
        parent, count = parts[0].take, 1
        known = n_codes = sum(part.end - part.start for part in parts)
        changes = tree.changes(parent, before=made.seq)
    else:
        raise ConfigError(f"{choice.action} makes no round")
    return Round(
        number=max(tree.rounds) + 1,
        kind=kind,
        parent=parent,
        takes=tuple(range(first, first + count)),
        choice=made.seq,
        known=known,
        n_codes=n_codes,
        parts=parts,
        changes=merged(changes, choice.changes),
    )


def spans(tree: Tree, choice: Choice) -> tuple[Span, ...]:
    """Return the stretches of a cut or splice in whole top-level codes."""
    if choice.action == "cut":
        wanted = [(choice.takes[0], choice.start or 0.0, choice.end or 0.0)]
    else:
        wanted = [(part.take, part.start, part.end) for part in choice.parts]
    return tuple(
        Span(take=take, start=tree.facts.codes_at(start), end=tree.facts.codes_at(end))
        for take, start, end in wanted
    )


def shortest_song(facts: Facts) -> int:
    """Return the fewest top-level codes that can be upsampled: one window of each upsampler."""
    top = facts.config.top.hop_length
    return max(
        -(-prior.n_ctx * prior.hop_length // top)
        for prior in facts.config.priors
        if prior.conditioner is not None
    )


def _keeps(tree: Tree, choice: Choice, take: int) -> int:
    """Return the song that a new song of a take keeps the codes of, 0 for none.

    Where the take has a song under these conditions, that one is meant: it is not made again.
    """
    changes = merged(tree.changes(take), choice.changes)
    there = [s for s in tree.songs.get(take, ()) if not s.base and s.changes == changes]
    if there:
        return 0 if there[-1].kept is None else there[-1].kept.song
    found = song_to_keep(tree.rounds, tree.takes, tree.songs, take)
    return 0 if found is None else found.number


def _round_number(tree: Tree, choice: Choice, wanted: int | None) -> int:
    if wanted is None:
        return tree.round_of(choice)
    if wanted not in tree.rounds:
        raise ConfigError(f"round is {wanted}; the run has rounds 1 to {max(tree.rounds)}")
    takes = choice.takes or tuple(part.take for part in choice.parts)
    if takes and not set(takes) & set(tree.rounds[wanted].takes):
        raise ConfigError(
            f"round is {wanted}; take {takes[0]} is one of round {tree.take(takes[0]).round}",
            hint="leave the round out",
        )
    return wanted


def _check_changes(tree: Tree, choice: Choice, number: int, tables: Path | None) -> None:
    """Check what would be in force; the primer's file has done its work and may be gone."""
    takes = choice.takes or tuple(part.take for part in choice.parts[:1])
    there = [tree.changes(take) for take in takes] or [tree.rounds[number].changes]
    for before in there:
        request = tree.request(merged(before, choice.changes))
        try:
            check(request.without_primer(), config=tree.facts.config, label_tables=tables)
        except ConditioningError as error:
            raise ConfigError(
                f"changes: {error.message}",
                hint="use what the model knows, or leave it out to keep what the take has",
            ) from error


def _check_continue(tree: Tree, choice: Choice) -> None:
    facts, take = tree.facts, tree.take(choice.takes[0])
    n_codes = continuation(facts, take.n_codes, choice.seconds or 0)
    if facts.seconds(n_codes) > MAX_SECONDS:
        raise ConfigError(
            f"continue is {choice.seconds} s; the take would last {facts.seconds(n_codes):.0f} s, "
            f"the limit is {MAX_SECONDS:.0f}"
        )
    time = facts.config.top.time
    if time is not None and facts.seconds(n_codes) > time.max_seconds:
        raise ConfigError(
            f"continue is {choice.seconds} s; the take would last {facts.seconds(n_codes):.0f} s, "
            f"model {facts.config.name} knows pieces of up to {time.max_seconds:.0f} s"
        )


def _check_step(tree: Tree, choice: Choice, here: Round) -> None:
    if choice.action == "again" and not here.sampled:
        raise ConfigError(
            f"again: round {here.number} is a copy of other takes; trying again gives the same",
            hint="cut or join other stretches, or continue one of its takes",
        )
    if choice.action == "back" and not here.parent:
        raise ConfigError(
            f"back: round {here.number} is a beginning; there is nothing before it",
            hint="try again with {again}, or choose a take of another round with {take}",
        )
    if here.parent in tree.purged:
        raise ConfigError(
            f"{choice.action}: round {here.number} goes on from take {here.parent}, which was "
            "purged; its codes are gone"
        )


def _check_length(tree: Tree, number: int) -> None:
    least, take = shortest_song(tree.facts), tree.take(number)
    if take.n_codes < least:
        raise ConfigError(
            f"take {number} lasts {tree.seconds(number):.2f} s; upsampling needs at least "
            f"{tree.facts.seconds(least):.2f} s",
            hint=f"continue it first: {{act continue {number}}} 4s",
        )


def _check_audition(tree: Tree, choice: Choice) -> None:
    _check_length(tree, choice.takes[0])
    _check_span(tree, choice.takes[0], choice.start or 0, choice.end or 0, "audition")


def _check_upsample(tree: Tree, choice: Choice) -> None:
    for number in choice.takes:
        _check_length(tree, number)
    for take, number in zip(choice.takes, choice.keeps, strict=False):
        if number and kept(tree.rounds, tree.takes, take, tree.rendition(number)) is None:
            raise ConfigError(
                f"keeps: take {take} does not go on from take {tree.rendition(number).take}, whose "
                f"song is {number}",
                hint="leave it out to keep what there is to keep",
            )


def _check_redo(tree: Tree, choice: Choice) -> None:
    song: Rendition | None
    if choice.rendition is not None:
        song = tree.rendition(choice.rendition)
        if choice.takes and song.take not in choice.takes:
            raise ConfigError(
                f"rendition is {song.number}, a song of take {song.take}, not of take "
                f"{choice.takes[0]}",
                hint="name the song or the take, not both",
            )
    else:
        song = tree.best_rendition(choice.takes[0])
        if song is None:
            raise ConfigError(
                f"redo: take {choice.takes[0]} has no finished song",
                hint=f"send it to upsampling first: {{act upsample {choice.takes[0]}}}",
            )
    if song.exported is None:
        raise ConfigError(f"redo: song {song.number} is not finished yet")
    _check_span(tree, song.take, choice.start or 0, choice.end or 0, "redo")


def _check_span(tree: Tree, number: int, start: float, end: float, name: str) -> None:
    length = tree.seconds(number)
    if start >= length or end > length + 0.5:
        raise ConfigError(f"{name} is {start:g} to {end:g} s; take {number} lasts {length:.2f} s")


def _check_parts(tree: Tree, choice: Choice) -> None:
    for part in spans(tree, choice):
        length = tree.take(part.take).n_codes
        if part.end > length or part.end - part.start < _FEWEST_CODES:
            raise ConfigError(
                f"{choice.action}: {tree.facts.seconds(part.start):.2f} to "
                f"{tree.facts.seconds(part.end):.2f} s is no stretch of take {part.take}, which "
                f"lasts {tree.seconds(part.take):.2f} s"
            )

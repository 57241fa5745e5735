"""`compose`, `choose`, `tree` and `purge`: the conversation about takes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from flows.cli.output import Exit, checking, data, data_json, talk
from musiccore.errors import ConfigError
from musiccore.request.request import read_lyrics
from musiccore.runs.choices import check_wanted, make_choice, read_tree
from musiccore.runs.purge import purge_takes, purgeable
from musiccore.runs.snapshot import Picture
from musiccore.storage.run_ids import validate_run_id
from musiccore.takes.choice import DECISIONS, Choice, MadeChoice
from musiccore.takes.tree import Tree
from musiccore.timecode import parse_parts, parse_range, parse_seconds
from tasks.context import present_store
from tasks.settings import machine

_ANSWERS = DECISIONS - {"back"}
_CHANGES = ("artist", "genre", "lyrics", "temperature", "top_p", "top_k", "total_seconds")


def choose(options: Namespace) -> int:
    with checking():
        store = present_store()
        run_id = validate_run_id(options.run)
        wanted = choices_of(options)
        before, labels = read_tree(store, run_id), machine().labels
        for choice in wanted:  # all of them, before the first is written
            check_wanted(
                before,
                choice,
                label_tables=labels,
                round_number=options.round,
                seen=options.seen,
            )
        made = [
            make_choice(
                store,
                run_id,
                choice,
                by="command",
                label_tables=labels,
                who=options.who,
                round_number=options.round,
                seen=options.seen,
                branch=options.branch,
            )
            for choice in wanted
        ]
    earlier = _answered_before(before, made[-1])
    if earlier is not None:
        talk(f"round {earlier.round} was answered before: {earlier.in_words()}")
        talk("that stays as it is; this choice makes another branch")
    if options.go:
        from flows.cli.making import continue_run

        talk(f"recorded: {made[-1].choice.in_words()}")
        return continue_run(options, run_id)
    from flows.waking import wake

    following = wake(store, run_id, made[-1])
    if options.json:
        data_json(_said(Picture.of(store, run_id), made, earlier, following))
        return Exit.DONE
    for one in made:
        data(f"choice {one.seq}: {one.choice.in_words()}")
    talk(following)
    return Exit.DONE


def _answered_before(before: Tree, made: MadeChoice) -> MadeChoice | None:
    """Return the last other answer to the round that a choice answers, None if it is the first."""
    if made.choice.action not in _ANSWERS:
        return None
    others = [
        one
        for one in before.choices
        if one.round == made.round and one.choice.action in _ANSWERS and one.choice != made.choice
    ]
    return others[-1] if others else None


def _said(
    picture: Picture, made: Sequence[MadeChoice], earlier: MadeChoice | None, following: str
) -> dict[str, object]:
    """Return what `--json` says of the choices that were made."""
    last = made[-1]
    return {
        "run": picture.status.run,
        "choices": [
            {
                "choice": one.seq,
                "round": one.round,
                "action": one.choice.action,
                "takes": list(one.choice.takes),
                "words": one.choice.in_words(),
            }
            for one in made
        ],
        "choice": last.seq,
        "action": last.choice.action,
        "round": picture.tree.position,
        "state": picture.status.state,
        "branch_of": None if earlier is None else earlier.seq,
        "next": following,
    }


def choices_of(options: Namespace) -> list[Choice]:
    """Return what the words of `choose` ask for, in order: opinions first, then what happens.

    Raises:
        ConfigError: for a value that cannot be read or does not fit; the message names it.
    """
    takes = options.take or []
    found: list[dict[str, object]] = []
    if options.name is not None:
        found.append({"action": "rename", "takes": takes, "text": options.name})
    if options.note is not None or options.stars is not None:
        note = {"action": "note", "takes": takes, "text": options.note, "stars": options.stars}
        found.append(note)
    changes = _changes(options)
    act = _act(options, takes)
    if act is None and changes:
        act = {"action": "change", "takes": takes}
    if act is None and not found and takes:
        act = {"action": "keep", "takes": takes}
    if act is not None:
        if changes:
            act["changes"] = changes
        found.append(act)
    if not found:
        raise ConfigError(
            "nothing is chosen", hint="name a take and what happens: --take 2 --continue 4s"
        )
    return [Choice.parse(one) for one in found]


def _act(options: Namespace, takes: list[int]) -> dict[str, object] | None:
    plain = {
        "keep": options.keep,
        "drop": options.drop,
        "more": options.more,
        "again": options.again,
        "back": options.back,
        "upsample": options.upsample,
    }
    for action, given in plain.items():
        if given:
            act: dict[str, object] = {"action": action, "takes": takes}
            if action in ("more", "again") and options.count is not None:
                act["count"] = options.count
            if action == "upsample":
                act["copies"] = options.copies
                act["anew"] = options.anew
            return act
    if options.continue_ is not None:
        act = {"action": "continue", "takes": takes}
        act["seconds"] = parse_seconds(options.continue_, "--continue")
        if options.count is not None:
            act["count"] = options.count
        return act
    for action in ("cut", "audition", "redo"):
        text = getattr(options, action)
        if text is not None:
            start, end = parse_range(text, f"--{action}")
            act = {"action": action, "takes": takes, "start": start, "end": end}
            if action == "redo" and options.song is not None:
                act["rendition"] = options.song
            return act
    if options.splice is not None:
        return {"action": "splice", "parts": parse_parts(options.splice, "--splice")}
    return None


def _changes(options: Namespace) -> dict[str, object]:
    if options.lyrics_file is not None:
        if options.lyrics is not None:
            raise ConfigError("give --lyrics or --lyrics-file, not both")
        options.lyrics = read_lyrics(Path(options.lyrics_file))
    values = {name: getattr(options, name) for name in _CHANGES}
    return {name: value for name, value in values.items() if value is not None}


def tree(options: Namespace) -> int:
    from musiccore.pages.tree_drawing import tree_text

    with checking():
        picture = Picture.of(present_store(), validate_run_id(options.run))
    if options.json:
        data_json(picture.to_json())
    else:
        data(tree_text(picture.to_json()))
    return Exit.DONE


def purge(options: Namespace) -> int:
    with checking():
        store, run_id = present_store(), validate_run_id(options.run)
        plan = purgeable(store, run_id)
    if options.yes:
        plan = purge_takes(store, run_id, talk)
    if options.json:
        data_json(
            {
                "run": run_id,
                "takes": list(plan.takes),
                "blobs": len(plan.blobs),
                "bytes": plan.n_bytes,
                "purged": bool(options.yes and plan.takes),
            }
        )
        return Exit.DONE
    names = ", ".join(map(str, plan.takes)) or "none"
    done = "removed" if options.yes else "would free"
    data(f"takes {names}: {done} {plan.n_bytes / 2**20:.1f} MiB in {len(plan.blobs)} objects")
    if plan.takes and not options.yes:
        talk("nothing was removed; add --yes to remove them for good")
    return Exit.DONE

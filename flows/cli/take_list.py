"""The takes that wait for a choice, printed for a person or a program."""

from __future__ import annotations

from argparse import Namespace

from flows.cli.output import data, data_json, talk
from musiccore.runs.deliveries import round_page_key
from musiccore.runs.snapshot import Picture
from musiccore.timecode import clock


def show_candidates(picture: Picture, options: Namespace) -> None:
    """Print what waits for a choice, for a program or a person."""
    status = picture.status
    candidates = [
        {name: value for name, value in one.items() if name != "peaks"}
        for one in picture.candidates()
    ]
    if options.json:
        data_json(
            {
                "run": status.run,
                "state": status.state,
                "words": status.words,
                "store": status.store,
                "round": picture.tree.position,
                "seen": picture.tree.seen,
                "candidates": candidates,
                "page": round_page_path(picture),
                "master": None,
            }
        )
        return
    data(f"run {status.run}: {status.words}")
    for one in candidates:
        flags = one["flags"]
        words = (
            [str(f["kind"]) for f in flags if isinstance(f, dict)]
            if isinstance(flags, list)
            else []
        )
        loud = "" if one["lufs"] is None else f", {one['lufs']} LUFS"
        data(
            f"  take {one['take']}: {clock(float(str(one['seconds'])))}{loud}"
            f"{', ' + ', '.join(words) if words else ''}  {one['audio']}"
        )
    page = round_page_path(picture)
    if page is not None:
        data(f"page: {page}")
    first = picture.tree.rounds[picture.tree.position].takes[0]
    talk(f"hint: listen with `jukeflow listen {status.run} --store {status.store}`, or choose with")
    talk(
        f"      `jukeflow choose {status.run} --take {first} --continue 4s --store {status.store}`"
    )


def round_page_path(picture: Picture) -> str | None:
    """Return where the page of the round lies, None before it is there."""
    key = round_page_key(picture.tree.position)
    store = picture.journal.store
    return store.location(key) if store.exists(key) else None

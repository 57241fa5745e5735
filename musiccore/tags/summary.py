"""Tags as a person or a program wants to see them: JSON without the bytes of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from musiccore.tags.chunks import described
from musiccore.tags.encodings import OldTexts
from musiccore.tags.extras import ended
from musiccore.tags.fields import Tags
from musiccore.tags.objects import chapter_row, timed_row
from musiccore.tags.pictures import size_of


def summary(kind: str, tags: Tags, doubts: Sequence[str] = ()) -> dict[str, object]:
    """Return what tags say.

    Args:
        kind: format of the file.
        tags: of it.
        doubts: what a person should look at.

    Returns:
        `format`; the shown fields, text each; `tags`: other fields and those of several values,
        name → list of texts; `pictures`, `chapters` and `synchronised_lyrics` (seconds), `chunks`;
        `warnings`. What is not there has no entry.
    """
    found: dict[str, object] = {"format": kind, **dict(tags.rows())}
    rows: dict[str, object] = {
        "tags": {name: list(values) for name, values in tags.others()},
        "pictures": [
            {"shows": one.shows, "description": one.description, "mime": one.mime,
             "bytes": len(one.data), "width": size_of(one.data)[0], "height": size_of(one.data)[1]}
            for one in tags.pictures
        ],
        "chapters": [chapter_row(one) for one in ended(tags.chapters)],
        "synchronised_lyrics": [timed_row(one) for one in tags.timed],
        "chunks": described(tags.raws, OldTexts()),
        "warnings": [*doubts, *(f"it holds {words}" for words in tags.extras)],
    }  # fmt: skip
    return found | {name: value for name, value in rows.items() if value}

"""Artifacts in the Prefect UI: what a person looks at beside a run. They never fail the work."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Final

from musiccore.errors import MusicCoreError, StorageError
from musiccore.errors.doors import FORM
from musiccore.request.plan import Plan
from musiccore.runs.snapshot import Picture, blob_sizes
from musiccore.storage.store import BlobRef
from musiccore.takes.choice_log import Conflict
from musiccore.timecode import length
from tasks.songcard import SongCard, plain
from tasks.story import story

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 15.0
"""A server that has gone away costs this much per artifact, and no more."""


def artifact_key(*parts: object) -> str:
    """Return a key that Prefect accepts: lower-case letters, digits and dashes."""
    text = "-".join(str(part) for part in parts).lower()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-") or "jukeflow"


def show_round(picture: Picture, text: str) -> None:
    """Show the candidates of a round: the invitation, and a picture of each."""
    from prefect.artifacts import create_markdown_artifact

    run, number = picture.status.run, picture.tree.position
    aside(
        lambda: create_markdown_artifact(
            text + "\n\n## Spectrograms\n\n" + "\n\n".join(_spectrograms(picture)),
            key=artifact_key("candidates", run, number),
            description=picture.status.words,
        )
    )


def _spectrograms(picture: Picture) -> Iterator[str]:
    sizes = blob_sizes(picture)
    for one in picture.candidates():
        digest = str(one["spectrogram"])
        if digest in sizes:
            with suppress(StorageError):  # it is lost, and made again by the next worker
                data = picture.journal.get_blob(BlobRef(sha256=digest, size=sizes[digest]))
                yield f"![spectrogram of take {one['take']}]({_png(data)})"


def show_refusal(run_id: str, error: MusicCoreError) -> None:
    """Show that a form's answer was not followed, and why."""
    from prefect.artifacts import create_markdown_artifact

    aside(
        lambda: create_markdown_artifact(
            f"# The answer was not followed\n\n{refusal(error)}\n\n"
            "Nothing is lost: the run asks again. Answer once more with its **Resume** button.",
            key=artifact_key("answer-not-followed", run_id),
            description=error.message,
        )
    )


def refusal(error: MusicCoreError) -> str:
    """Return why the answer of a form was not followed, in Markdown."""
    kind = (
        "Two choices contradict each other"
        if isinstance(error, Conflict)
        else "It cannot be carried out"
    )
    hint = error.hint_at(FORM)
    return f"**{kind}: {plain(error.message)}.**" + (f" Hint: {plain(hint)}." if hint else "")


def show_failure(error: MusicCoreError) -> None:
    """Show in one sentence why the run of this call could not do what was asked."""
    from prefect.artifacts import create_markdown_artifact

    hint = error.hint_at(FORM)
    aside(
        lambda: create_markdown_artifact(
            f"# It was not done\n\n**{plain(error.message)}**"
            + (f"\n\nHint: {plain(hint)}" if hint else ""),
            key="what-went-wrong",
            description=error.message,
        )
    )


def show_plan(run_id: str, plan: Plan, notes: Sequence[str] = ()) -> None:
    """Show what a run will cost as a table, and what a model is given for what it does not know."""
    from prefect.artifacts import create_table_artifact

    rows: list[dict[str, object]] = [
        {
            "level": cost.level,
            "windows": cost.windows,
            "steps": cost.steps,
            "time": f"{cost.seconds_low:.0f} to {cost.seconds_high:.0f} s",
            "memory": f"{cost.peak_bytes / 2**20:.0f} MiB",
        }
        for cost in reversed(plan.levels)
    ]
    words = "".join(f"\n\n{plain(each)}" for each in notes)
    aside(
        lambda: create_table_artifact(
            rows,
            key=artifact_key("plan", run_id),
            description=f"What the whole of {run_id} costs on this {plan.device}.{words}",
        )
    )


def show_song(picture: Picture, number: int) -> None:
    """Show a finished song where it was made and at the run that a person looks at.

    Args:
        picture: of its run.
        number: of the song.
    """
    from prefect.artifacts import create_markdown_artifact

    about = SongCard.of(picture, number)
    aside(
        lambda: create_markdown_artifact(
            f"{about.text()}\n\n{_spectrogram(about)}\n",
            key=artifact_key("song", about.run, number),
            description=f"{about.title}, {length(about.seconds)}",
        ),
        repeated=True,
    )
    here = story()
    if here is not None:
        here.shown.add(f"{about.run} {number}")


def show_finished(picture: Picture) -> None:
    """Show the song that a run has come to, unless this Prefect run has shown it already."""
    song, here = picture.tree.current_song, story()
    if song is None or song.exported is None or here is None:
        return
    if f"{picture.status.run} {song.number}" not in here.shown:
        show_song(picture, song.number)


def show_text(text: str, key: str, description: str) -> None:
    """Show Markdown at the run that a person looks at.

    Args:
        text: the whole of it.
        key: lower-case letters, digits and dashes.
        description: one sentence.
    """
    from prefect.artifacts import create_markdown_artifact

    aside(lambda: create_markdown_artifact(text, key=key, description=description))


def _spectrogram(about: SongCard) -> str:
    picture = about.spectrogram()
    return "" if picture is None else f"![spectrogram]({_png(picture)})"


def _png(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def aside(work: Callable[[], object], *, repeated: bool = False) -> None:
    """Do something in Prefect that must neither fail nor hold up the music.

    It belongs to the outermost run, which is the one that a person looks at. Outside a Prefect run
    there is nobody to show it to, and asking would start a server.

    Args:
        work: what to do.
        repeated: do it for the inner run of this call as well.
    """
    from prefect.context import FlowRunContext, TaskRunContext

    flow_run = FlowRunContext.get()
    if flow_run is None and TaskRunContext.get() is None:
        return
    here = story()
    contexts = [copy_context() if here is None else here.context.copy()]
    inner = None if flow_run is None else flow_run.flow_run
    if repeated and here is not None and inner is not None and str(inner.id) != here.run:
        contexts.insert(0, copy_context())

    def quietly() -> None:
        for context in contexts:  # what is made belongs to the run of its context
            try:
                context.run(work)
            except BaseException as error:
                log.debug("an artifact was not made: %s", error)

    thread = Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)


def show_table(rows: Sequence[Mapping[str, object]], key: str, description: str) -> None:
    """Show rows as a table of the flow run; where that is impossible, the work goes on.

    Args:
        rows: of equal keys.
        key: of the artifact: lowercase letters, digits and dashes.
        description: one sentence above it.
    """
    from prefect.artifacts import create_table_artifact

    cells = [{name: "" if v is None else v for name, v in row.items()} for row in rows]
    aside(lambda: create_table_artifact(table=cells, key=key, description=description))

"""Artifacts in the Prefect UI: what a person looks at beside a run. They never fail the work."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Thread
from typing import Final

from musiccore.errors import MusicCoreError
from musiccore.planning import Plan
from musiccore.storage import BlobRef
from tasks.showing import Picture, blob_sizes

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
    pictures = []
    for one in picture.candidates():
        digest = str(one["spectrogram"])
        size = blob_sizes(picture).get(digest)
        if size is not None:
            data = picture.journal.get_blob(BlobRef(sha256=digest, size=size))
            uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
            pictures.append(f"![spectrogram of take {one['take']}]({uri})")
    aside(
        lambda: create_markdown_artifact(
            text + "\n\n## Spectrograms\n\n" + "\n\n".join(pictures),
            key=artifact_key("candidates", run, number),
            description=picture.status.words,
        )
    )


def show_conflict(run_id: str, error: MusicCoreError) -> None:
    """Show that a form's answer was not followed."""
    from prefect.artifacts import create_markdown_artifact

    hint = f"\n\n{error.hint}" if error.hint else ""
    aside(
        lambda: create_markdown_artifact(
            f"# The answer of the form was not followed\n\n{error.message}{hint}",
            key=artifact_key("conflict", run_id),
            description="Two choices contradict each other.",
        )
    )


def show_plan(run_id: str, plan: Plan) -> None:
    """Show what a run will cost as a table."""
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
    aside(
        lambda: create_table_artifact(
            rows,
            key=artifact_key("plan", run_id),
            description=f"What the whole of {run_id} costs on this {plan.device}.",
        )
    )


def show_song(
    run_id: str, number: int, spectrogram: bytes, links: Sequence[tuple[str, str]]
) -> None:
    """Show a finished song: its spectrogram, and where its files are.

    Args:
        run_id: the run.
        number: of the song.
        spectrogram: PNG.
        links: name and address of each.
    """
    from prefect.artifacts import create_markdown_artifact

    uri = f"data:image/png;base64,{base64.b64encode(spectrogram).decode()}"
    lines = [
        f"- [{name}]({url})" if url.startswith("http") else f"- {name}: `{url}`"
        for name, url in links
    ]
    aside(
        lambda: create_markdown_artifact(
            f"# {run_id}, song {number}\n\n" + "\n".join(lines) + f"\n\n![spectrogram]({uri})\n",
            key=artifact_key("song", run_id, number),
            description="The finished song.",
        )
    )


def aside(work: Callable[[], object]) -> None:
    """Do something in Prefect that must neither fail nor hold up the music.

    Outside a Prefect run there is nobody to show it to, and asking would start a server.
    """
    from prefect.context import FlowRunContext, TaskRunContext

    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return

    def quietly() -> None:
        try:
            work()
        except BaseException as error:
            log.debug("an artifact was not made: %s", error)

    here = copy_context()  # the artifact belongs to the run of this call
    thread = Thread(target=here.run, args=(quietly,), daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)

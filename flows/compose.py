"""Takes of the top level, published for a person to choose from."""

from __future__ import annotations

from flows.conversation import converse
from flows.forms import SongForm
from musiccore.request.request import GenerationRequest
from tasks.policies import durable_flow
from tasks.start import start_run


@durable_flow(name="compose", flow_run_name="compose-{run_id}")
def compose(request: GenerationRequest, run_id: str = "") -> dict[str, object]:
    """Make takes of a piece and ask which of them goes on.

    Args:
        request: what to make.
        run_id: name of the run in the store; empty for a fresh one.

    Returns:
        The run as it stands: waiting for a choice, or finished.
    """
    return converse(start_run(request, run_id))


@durable_flow(name="compose", flow_run_name="compose-{song.title}")
def compose_song(song: SongForm, name: str = "") -> dict[str, object]:
    """Make takes of a piece, and choose by ear which of them goes on.

    Takes of the top level are sampled and published; the run then suspends until somebody chooses:
    in the form of its Resume button, in the listening room, or with `jukeflow choose`.

    Args:
        song: What to make.
        name: Name of the run in the store, in lower-case letters, digits and dashes. Empty: made
            from the title.
    """
    return converse(start_run(song.request(choose=song.choose), name))

"""A whole song, unattended: compose, choose by a policy, upsample, deliver."""

from __future__ import annotations

from flows.conversation import converse
from flows.forms import WholeSong
from musiccore.request.request import GenerationRequest
from tasks.policies import durable_flow
from tasks.start import start_run


@durable_flow(name="generate", flow_run_name="generate-{run_id}")
def generate(request: GenerationRequest, run_id: str = "") -> dict[str, object]:
    """Make a song from a request.

    Args:
        request: what to make.
        run_id: name of the run in the store; empty for a fresh one.

    Returns:
        The finished run: state, levels, master.
    """
    return converse(start_run(request, run_id))


@durable_flow(name="generate", flow_run_name="generate-{song.title}")
def generate_song(song: WholeSong, name: str = "") -> dict[str, object]:
    """Make a whole song, unattended, through all levels.

    Takes of the top level are sampled, one of them is chosen as the form says, raised through both
    upsamplers and delivered as audio files with a page.

    Args:
        song: What to make.
        name: Name of the run in the store, in lower-case letters, digits and dashes. Empty: made
            from the title.
    """
    return converse(start_run(song.request(choose=song.choose), name))

"""What is around the body of every flow: the story of the outermost, and mistakes said plainly.

Prefect prints a traceback for an exception that leaves a flow. Most of ours are for the person who
asked, as `seconds is 0.1`: then the run is Failed with that sentence, and nothing is printed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import Abort
from prefect.states import Failed

from musiccore.errors import MusicCoreError
from musiccore.errors.doors import FORM
from tasks.artifacts import show_failure
from tasks.story import Story, story, telling

Given = ParamSpec("Given")
Made = TypeVar("Made")

log = logging.getLogger(__name__)


def told(body: Callable[Given, Made]) -> Callable[Given, Made]:
    """Return the body of a flow that says what went wrong in a sentence.

    Whoever calls such a flow gets the exception itself, as from any other.

    Args:
        body: of the flow.
    """

    @wraps(body)
    def flow_body(*args: Given.args, **given: Given.kwargs) -> Made:
        context = FlowRunContext.get()
        if context is None or context.flow is None or _body_of(context.flow) is not flow_body:
            return body(*args, **given)  # called as a plain function
        assert context.flow_run is not None
        try:
            if story() is not None:
                return body(*args, **given)
            with telling(str(context.flow_run.id)) as here:
                return _outermost(here, context, lambda: body(*args, **given))
        except MusicCoreError as error:
            return cast(Made, Failed(message=error.sentence_at(FORM), data=error))

    # Prefect looks names of annotations up where the function lies, which is here and not there.
    flow_body.__signature__ = signature(body, eval_str=True)  # type: ignore[attr-defined]
    return flow_body


def _body_of(flow: object) -> object:
    """Return the function that a flow was made of."""
    return getattr(flow, "__wrapped__", None)


def _outermost(here: Story, context: FlowRunContext, work: Callable[[], Made]) -> Made:
    """Do the work of the run that a person looks at."""
    run = context.flow_run
    deployed = run is not None and run.deployment_id is not None
    try:
        made = work()
    except MusicCoreError as error:
        sentence = error.sentence_at(FORM)
        here.log.error(sentence)
        log.debug("where it comes from", exc_info=error)
        show_failure(error)
        if not deployed:
            raise  # somebody called this run, and gets the error
        return cast(Made, _ended(Failed(message=sentence)))
    if deployed and isinstance(made, State) and made.is_failed():
        return cast(Made, _ended(made))  # rows of which some failed
    return made


def _ended(state: State[object]) -> State[object]:
    """Return a state of failure in which the process ends without another word.

    An exception in it would be printed with its traceback, and once more by whoever started the
    process, and anything else would be an exception of Prefect; for `Abort`, its engine takes the
    state as it is.
    """
    return state.model_copy(update={"data": Abort(state.message)})

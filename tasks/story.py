"""The outermost Prefect run of a call: its log tells the story, its page shows what there is.

A person looks at the run that they started, and not at the runs and tasks inside it. So whoever has
something to tell or to show does it here, wherever the work is done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prefect

from musiccore.work.progress import Reporter, reporter, reporting

log = logging.getLogger(__name__)

_LOGGERS: Final = ("prefect.flow_runs", "prefect.task_runs")
_ENGINE: Final = Path(prefect.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The outermost run.

    Attributes:
        run: its id in Prefect.
        log: its log.
        context: of a call in it, outside of all tasks.
        reporter: shows progress at it; None where a command shows it.
        shown: songs that hang at it.
    """

    run: str
    log: logging.Logger | logging.LoggerAdapter[logging.Logger]
    context: Context = field(repr=False)
    reporter: Reporter | None = None
    shown: set[str] = field(default_factory=set)


_story: ContextVar[Story | None] = ContextVar("story", default=None)


def story() -> Story | None:
    """Return the outermost Prefect run that this call is part of, None outside of one."""
    return _story.get()


def tell(sentence: str) -> None:
    """Write a sentence of the story into the log of the outermost run, for a person to read.

    Songs that are made together are one story, so that a song of a batch tells none of its own.
    """
    here = story()
    if here is not None and here.reporter is not None and reporter() is here.reporter:
        try:
            here.log.info(sentence)
        except Exception as error:  # a log that takes nothing never fails the work
            log.debug("not told: %s (%s)", sentence, error)


@contextmanager
def telling(run: str) -> Iterator[Story]:
    """Make the Prefect run of this call the one that tells the story.

    Args:
        run: its id.
    """
    from prefect.logging import get_run_logger

    from tasks.reporting import FlowReporter

    own = FlowReporter() if reporter() is None else None
    made = Story(run=run, log=get_run_logger(), context=copy_context(), reporter=own)
    token = _story.set(made)
    try:
        with _quiet_engine(), reporting(own or reporter()):
            yield made
    finally:
        _story.reset(token)


@contextmanager
def _quiet_engine() -> Iterator[None]:
    """Leave out what Prefect says of its own steps: several lines for each task and inner run."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(_is_told)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_told)


def _is_told(record: logging.LogRecord) -> bool:
    """Return whether a line is for the person; that an inner step failed is said by the run."""
    if _ENGINE not in Path(record.pathname).parents:
        return True
    return record.levelno > logging.INFO and not str(record.msg).startswith("Finished in state")

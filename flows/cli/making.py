"""`generate`, `upsample` and `resume`: the commands that make music."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.cli.output import Exit, checking, complain, data, data_json, talk
from flows.cli.progress import shown
from flows.cli.request import request_of
from flows.embedded import Session, prepare
from musiccore.errors import ConfigError, Fenced, MusicCoreError
from musiccore.storage import validate_run_id
from tasks.models import Models
from tasks.progress import Reporter
from tasks.resources import OpenRun, shared_store, working
from tasks.runs import (
    check_request,
    create_run,
    describe_run,
    new_run_id,
    run_exists,
    unfinished_runs,
)
from tasks.settings import Settings
from tasks.stopping import Interrupted, interrupt

Work = Callable[[str], object]


def generate(options: Namespace) -> int:
    with checking():
        settings = Settings.from_environment()
        request = request_of(options)
        config = check_request(request, settings)
        run_id = new_run_id(request) if options.run is None else validate_run_id(options.run)
        store = shared_store(settings)
        if run_exists(store, run_id):
            raise ConfigError(
                f"run: {run_id} exists already",
                hint=f"continue it with `jukeflow resume {run_id}`, or choose another name",
            )
        store.probe()
    with _stoppable(), prepare() as session, shown() as report:
        with checking():
            create_run(store, request, run_id, config, Models(config, settings))
        report.say(f"run {run_id} in {store.location()}")

        def work(name: str) -> object:
            from flows.generate import generate as flow

            return flow(request, name)

        code = _finish(options, session, report, run_id, work)
    return _end(options, run_id, code)


def upsample(options: Namespace) -> int:
    with checking():
        run_id = _existing(options.run)
    with _stoppable(), prepare() as session, shown() as report:

        def work(name: str) -> object:
            from flows.resume import resume as flow
            from tasks.sampling import select_take

            if options.take is not None:
                with working(name) as run:
                    select_take(run, options.take)
            return flow(name)

        code = _finish(options, session, report, run_id, work)
    return _end(options, run_id, code)


def resume(options: Namespace) -> int:
    with checking():
        store = shared_store(Settings.from_environment())
        names = unfinished_runs(store) if options.run is None else [_existing(options.run)]
    if not names:
        talk(f"nothing is unfinished in {store.location()}")
        if options.json:
            data_json({"run": None, "state": "done", "store": store.location(), "master": None})
        return Exit.DONE
    if options.run is not None and describe_run(store, options.run).state == "done":
        talk(f"run {options.run} is finished")
        return _end(options, options.run, Exit.DONE)
    codes = []
    with _stoppable(), prepare() as session:
        for run_id in names:
            codes.append(_resume_one(options, session, run_id, alone=options.run is not None))
            if codes[-1] == Exit.INTERRUPTED:
                break
    return next((code for code in (Exit.INTERRUPTED, Exit.FAILED) if code in codes), Exit.DONE)


def _resume_one(options: Namespace, session: Session, run_id: str, *, alone: bool) -> int:
    def work(name: str) -> object:
        from flows.resume import resume as flow

        return flow(name)

    try:
        with shown() as report:
            report.say(f"continuing run {run_id}")
            code = _finish(options, session, report, run_id, work)
    except Fenced as error:
        if alone:
            raise
        talk(f"{error.message}; left alone")
        return Exit.DONE
    except MusicCoreError as error:
        if alone:
            raise
        complain(error)
        return Exit.FAILED
    return _end(options, run_id, code)


def _existing(run_id: str) -> str:
    store = shared_store(Settings.from_environment())
    describe_run(store, validate_run_id(run_id))
    return run_id


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work instead of the process."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _finish(options: Namespace, session: Session, report: Reporter, run_id: str, work: Work) -> int:
    """Claim the run, load what it needs while Prefect starts, and do the work."""
    try:
        with working(
            run_id,
            take_over=getattr(options, "take_over", False),
            accept_different_numerics=getattr(options, "accept_different_numerics", False),
        ) as run:
            _warm_up(run)
            with session.flows():
                work(run_id)
    except BaseException as error:
        if not _is_interruption(error):
            raise
        return Exit.INTERRUPTED
    return Exit.DONE


def _warm_up(run: OpenRun) -> None:
    """Load the first network that the run needs: the server is starting meanwhile."""
    done = {event.fields.get("level") for event in run.journal.events_of("level_done")}
    missing = [level for level in reversed(range(run.config.levels)) if level not in done]
    if missing:
        run.models.prior(missing[0])


def _is_interruption(error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return True
    from prefect.exceptions import TerminationSignal

    return isinstance(error, TerminationSignal)


def _end(options: Namespace, run_id: str, code: int) -> int:
    """Say how it ended and where everything is."""
    status = describe_run(shared_store(), run_id)
    master = None if status.master is None else status.master.path
    if code == Exit.INTERRUPTED:
        talk(f"interrupted; everything finished of run {run_id} is safe in {status.store}")
        talk(f"hint: continue with `jukeflow resume {run_id} --store {status.store}`")
    if options.json:
        data_json(
            {
                "run": run_id,
                "state": status.state if code != Exit.INTERRUPTED else "unfinished",
                "store": status.store,
                "master": master,
                "page": status.page,
            }
        )
    elif code == Exit.DONE:
        data(f"song: {master}")
        data(f"page: {status.page}")
    return code
